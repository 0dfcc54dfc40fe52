import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._banner import (
    Banner,
    BannerPlan,
    wanted_banner,
)
from ansible_collections.easymo.deploy.plugins.module_utils._errors import InputError

SHOWN = Banner("Upgrade", "info")


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        (None, None, False),
        (SHOWN, SHOWN, False),
        (None, SHOWN, True),
        (SHOWN, None, True),
        (SHOWN, Banner("Upgrade", "warning"), True),
    ],
)
def test_only_another_banner_is_a_change(before, after, *, changed):
    assert BannerPlan(before, after).changed is changed


def test_the_difference_is_told_with_nothing_for_no_banner():
    assert BannerPlan(None, SHOWN).to_diff() == {
        "before": {},
        "after": {"message": "Upgrade", "type": "info"},
    }


@pytest.mark.parametrize("message", [None, "", " \n", "x" * 501])
def test_a_message_of_no_or_too_many_characters_is_refused(message):
    with pytest.raises(InputError, match="a banner needs from 1 to 500"):
        wanted_banner("present", message, "info")


def test_no_banner_needs_no_message():
    assert wanted_banner("absent", None, "info") is None
    assert wanted_banner("present", " Upgrade\n", "info") == SHOWN
