import typing as t
from pathlib import Path

from sandbox.processes import ProcessId, ProcessInfo, sandbox_pids
from tests.tables import cases

RUN = Path("/state/run")


def process(pid: int = 10, started: int = 5, **seen: t.Any) -> ProcessInfo:
    return ProcessInfo(pid, 1, started, **seen)


@cases(
    ("seen", "belongs"),
    {
        "marked": (process(marker="/state/run"), True),
        "marked by another sandbox": (process(marker="/state/run2"), False),
        "at home": (process(folder="/state/run"), True),
        "below home": (process(folder="/state/run/postgres/data"), True),
        "in a folder named alike": (process(folder="/state/running"), False),
        "a shell": (process(folder="/state/run", has_terminal=True), False),
        "marked, at a terminal": (process(marker="/state/run", has_terminal=True), True),
        "recorded": (process(99, 7), True),
        "recorded pid used again by another": (process(99, 8), False),
        "excluded": (process(42, marker="/state/run"), False),
    },
)
def test_what_belongs_to_a_sandbox(seen, belongs):
    found = sandbox_pids([seen], RUN, recorded=[ProcessId(99, 7)], excluded=[42])
    assert found == ({seen.pid} if belongs else set())


def test_descendants_belong_however_deep_and_in_whatever_order():
    seen = [
        ProcessInfo(30, 20, 1),
        ProcessInfo(20, 10, 1),
        ProcessInfo(10, 1, 1, marker="/state/run"),
        ProcessInfo(40, 1, 1),
    ]
    assert sandbox_pids(seen, RUN, recorded=[], excluded=[]) == {10, 20, 30}


def test_children_of_the_excluded_are_not_ours():
    seen = [ProcessInfo(42, 1, 1, marker="/state/run"), ProcessInfo(43, 42, 1)]
    assert sandbox_pids(seen, RUN, recorded=[], excluded=[42]) == set()
