"""At which hours somebody has to get up."""

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.easymo.deploy.plugins.filter.words import within_hours

NIGHT = {"from": "20:00", "until": "07:00", "timezone": "Africa/Nairobi"}
DAY = {"from": "09:00", "until": "17:00"}


@pytest.mark.parametrize(
    ("hours", "at", "within"),
    [
        (NIGHT, "2026-11-24T16:59:59Z", False),
        (NIGHT, "2026-11-24T17:00:00Z", True),
        (NIGHT, "2026-11-24T22:00:00Z", True),
        (NIGHT, "2026-11-25T03:59:59Z", True),
        (NIGHT, "2026-11-25T04:00:00Z", False),
        (DAY, "2026-11-24T09:00:00Z", True),
        (DAY, "2026-11-24T17:00:00Z", False),
        ({"from": "00:00", "until": "00:00"}, "2026-11-24T12:00:00Z", True),
        ({}, "2026-11-24T12:00:00Z", True),
    ],
)
def test_the_hours_are_those_of_their_time_zone_and_may_go_over_midnight(hours, at, within):
    assert within_hours(hours, at) is within


def test_without_a_time_it_is_now():
    assert within_hours({"from": "00:00", "until": "12:00"}) is not within_hours(
        {"from": "12:00", "until": "00:00"}
    )


@pytest.mark.parametrize("wrong", [{"from": "8"}, {**DAY, "timezone": "Mars"}, {**DAY, "until": 7}])
def test_hours_that_make_no_sense_are_named(wrong):
    with pytest.raises(AnsibleFilterError, match="within_hours: Option"):
        within_hours(wrong)
