# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.processes import ProcessId
from sandbox.sweep import Seen, belonging

RUN = Path("/state/run")


@pytest.mark.parametrize(
    ("seen", "belongs"),
    [
        pytest.param(Seen(10, 1, 5, marker="/state/run"), True, id="marked"),
        pytest.param(Seen(10, 1, 5, marker="/state/run2"), False, id="marked by another sandbox"),
        pytest.param(Seen(10, 1, 5, folder="/state/run"), True, id="at home"),
        pytest.param(Seen(10, 1, 5, folder="/state/run/postgres/data"), True, id="below home"),
        pytest.param(Seen(10, 1, 5, folder="/state/running"), False, id="in a folder named alike"),
        pytest.param(
            Seen(10, 1, 5, folder="/state/run", has_terminal=True), False, id="somebody's shell"
        ),
        pytest.param(
            Seen(10, 1, 5, marker="/state/run", has_terminal=True), True, id="marked, on a terminal"
        ),
        pytest.param(Seen(99, 1, 7), True, id="recorded"),
        pytest.param(Seen(99, 1, 8), False, id="recorded pid used again by another"),
        pytest.param(Seen(42, 1, 5, marker="/state/run"), False, id="spared"),
    ],
)
def test_what_belongs_to_a_sandbox(seen: Seen, belongs: bool) -> None:
    found = belonging([seen], RUN, recorded=[ProcessId(99, 7)], spared=[42])
    assert found == ({seen.pid} if belongs else set())


def test_descendants_belong_however_deep_and_in_whatever_order() -> None:
    seen = [Seen(30, 20, 1), Seen(20, 10, 1), Seen(10, 1, 1, marker="/state/run"), Seen(40, 1, 1)]
    assert belonging(seen, RUN, recorded=[], spared=[]) == {10, 20, 30}


def test_children_of_the_spared_are_not_ours() -> None:
    seen = [Seen(42, 1, 1, marker="/state/run"), Seen(43, 42, 1)]
    assert belonging(seen, RUN, recorded=[], spared=[42]) == set()
