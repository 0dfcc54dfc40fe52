import typing as t
from pathlib import Path

import pytest

from sandbox.processes import ProcessId, ProcessInfo, sandbox_pids

RUN = Path("/state/run")


def process(pid: int = 10, started: int = 5, **seen: t.Any) -> ProcessInfo:
    return ProcessInfo(pid, 1, started, **seen)


@pytest.mark.parametrize(
    ("seen", "belongs"),
    [
        pytest.param(process(marker="/state/run"), True, id="marked"),
        pytest.param(process(marker="/state/run2"), False, id="marked by another sandbox"),
        pytest.param(process(folder="/state/run"), True, id="at home"),
        pytest.param(process(folder="/state/run/postgres/data"), True, id="below home"),
        pytest.param(process(folder="/state/running"), False, id="in a folder named alike"),
        pytest.param(process(folder="/state/run", has_terminal=True), False, id="a shell"),
        pytest.param(
            process(marker="/state/run", has_terminal=True), True, id="marked, at a terminal"
        ),
        pytest.param(process(99, 7), True, id="recorded"),
        pytest.param(process(99, 8), False, id="recorded pid used again by another"),
        pytest.param(process(42, marker="/state/run"), False, id="excluded"),
    ],
)
def test_what_belongs_to_a_sandbox(seen: ProcessInfo, belongs: bool) -> None:
    found = sandbox_pids([seen], RUN, recorded=[ProcessId(99, 7)], excluded=[42])
    assert found == ({seen.pid} if belongs else set())


def test_descendants_belong_however_deep_and_in_whatever_order() -> None:
    seen = [
        ProcessInfo(30, 20, 1),
        ProcessInfo(20, 10, 1),
        ProcessInfo(10, 1, 1, marker="/state/run"),
        ProcessInfo(40, 1, 1),
    ]
    assert sandbox_pids(seen, RUN, recorded=[], excluded=[]) == {10, 20, 30}


def test_children_of_the_excluded_are_not_ours() -> None:
    seen = [ProcessInfo(42, 1, 1, marker="/state/run"), ProcessInfo(43, 42, 1)]
    assert sandbox_pids(seen, RUN, recorded=[], excluded=[42]) == set()
