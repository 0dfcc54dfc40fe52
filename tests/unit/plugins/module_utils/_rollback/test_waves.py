# SPDX-License-Identifier: GPL-3.0-or-later
"""Which services roll together, and in which order they return."""

from __future__ import annotations

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._rollback.waves import (
    waves_of,
    way_back,
)

THIRTY = [f"s{number:02}" for number in range(30)]
WAVES = [["core"], ["a", "b", "c"], ["d", "e"]]


@pytest.mark.parametrize(
    ("groups", "waves"),
    [
        pytest.param(
            {"services": THIRTY}, [THIRTY[:1], THIRTY[1:4], THIRTY[4:]], id="no-wave-is-named"
        ),
        pytest.param({"services": ["a", "b"]}, [["a"], ["b"]], id="fewer-than-the-waves"),
        pytest.param(
            {"services": list("abcd"), "service_wave_10": ["a"], "service_wave_9": ["d", "c"]},
            [["c", "d"], ["a"], ["b"]],
            id="by-number-and-the-rest-last",
        ),
        pytest.param(
            {
                "services": list("abc"),
                "service_wave_1": ["a", "stranger"],
                "service_wave_2": ["a", "b"],
            },
            [["a"], ["b"], ["c"]],
            id="each-once-and-members-alone",
        ),
        pytest.param(
            {"services": list("ab"), "service_wave_one": ["b"]}, [["a"], ["b"]], id="not-a-number"
        ),
        pytest.param({}, [], id="no-such-group"),
    ],
)
def test_waves_are_what_the_groups_of_the_inventory_say(
    groups: dict[str, list[str]], waves: list[list[str]]
) -> None:
    assert waves_of(groups, "services") == waves


@pytest.mark.parametrize(
    ("names", "first", "back"),
    [
        pytest.param(
            "core a b c d e", [], [["e", "d"], ["c", "b", "a"], ["core"]], id="reverse-waves"
        ),
        pytest.param(
            "core a b c d e", ["core"], [["core"], ["e", "d"], ["c", "b", "a"]], id="one-first"
        ),
        pytest.param(
            "a d new", ["core"], [["d"], ["a"], ["new"]], id="only-those-asked-for-and-unknown-last"
        ),
        pytest.param("core a", ["a", "core"], [["a"], ["core"]], id="the-first-each-alone"),
    ],
)
def test_the_way_back_is_in_reverse_waves(
    names: str, first: list[str], back: list[list[str]]
) -> None:
    assert way_back(WAVES, names.split(), first) == back


def test_without_a_known_order_all_return_at_once() -> None:
    assert way_back([], ["b", "a"], []) == [["a", "b"]]
