import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._errors import InputError
from ansible_collections.easymo.deploy.plugins.module_utils._ramp.options import read_schedule


def step(
    day: t.Any, percentage: t.Any, users: t.Any = None, must_detect: float | None = None
) -> dict[str, t.Any]:
    return {"day": day, "percentage": percentage, "users": users, "must_detect": must_detect}


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([], "has no steps"),
        ([step(1, 5), step(2, 5)], "goes from 5 % to 5 %"),
        ([step(1, 5), step(2, 1)], "goes from 5 % to 1 %"),
        ([step(2, 1), step(1, 5)], "days must not fall"),
        ([step(1, 0)], "from 1 to 100"),
        ([step(1, -1)], "from 1 to 100"),
        ([step(1, 101)], "from 1 to 100"),
        ([step(0, 1)], "days count from 1"),
        ([step(1, 1, -1)], "users from 0"),
        ([step(1, 1, 500), step(2, 5, 100)], "going up only adds users"),
        ([step(1, True)], "boolean as number"),
        ([step(1, 5, must_detect=1.0)], "must_detect 1: it is more than 1"),
        ([step(1, 100, must_detect=2.0)], "no user is left to compare with"),
    ],
)
def test_a_schedule_that_is_none_is_refused(entries, message):
    with pytest.raises(InputError, match=message):
        read_schedule({"schedule": entries, "watch_duration": 7200, "day_length": 86400})


@pytest.mark.parametrize("changes", [{"watch_duration": -1}, {"day_length": -1}])
def test_time_does_not_run_backwards(changes):
    with pytest.raises(InputError, match="at least 0"):
        read_schedule({"schedule": [step(1, 1)], "watch_duration": 0, "day_length": 0, **changes})
