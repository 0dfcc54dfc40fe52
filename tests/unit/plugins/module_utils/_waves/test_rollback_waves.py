"""Which services roll together, and in which order they return."""

from ansible_collections.easymo.deploy.plugins.module_utils._waves.rollback import (
    rollback_waves,
    waves_of,
)
from tests.tables import cases

THIRTY = [f"s{number:02}" for number in range(30)]
WAVES = [["core"], ["a", "b", "c"], ["d", "e"]]


@cases(("groups", "waves"), {
    "no-wave-is-named": ({"services": THIRTY}, [THIRTY[:1], THIRTY[1:4], THIRTY[4:]]),
    "fewer-than-the-waves": ({"services": ["a", "b"]}, [["a"], ["b"]]),
    "by-number-and-the-rest-last": ({"services": list("abcd"), "service_wave_10": ["a"],
                                    "service_wave_9": ["d", "c"]}, [["c", "d"], ["a"], ["b"]]),
    "each-once-and-members-alone": ({"services": list("abc"), "service_wave_1": ["a", "stranger"],
                                    "service_wave_2": ["a", "b"]}, [["a"], ["b"], ["c"]]),
    "not-a-number": ({"services": list("ab"), "service_wave_one": ["b"]}, [["a"], ["b"]]),
    "no-such-group": ({}, []),
})  # fmt: skip
def test_waves_are_what_the_groups_of_the_inventory_say(groups, waves):
    assert waves_of(groups, "services") == waves


@cases(
    ("names", "first", "back"),
    {
        "reverse-waves": ("core a b c d e", [], [["e", "d"], ["c", "b", "a"], ["core"]]),
        "one-first": ("core a b c d e", ["core"], [["core"], ["e", "d"], ["c", "b", "a"]]),
        "only-those-asked-for-and-unknown-last": ("a d new", ["core"], [["d"], ["a"], ["new"]]),
        "the-first-each-alone": ("core a", ["a", "core"], [["a"], ["core"]]),
    },
)
def test_the_way_back_is_in_reverse_waves(names, first, back):
    assert rollback_waves(WAVES, names.split(), first) == back


def test_without_a_known_order_all_return_at_once():
    assert rollback_waves([], ["b", "a"], []) == [["a", "b"]]
