"""When a schedule of a CronJob was due last, by the five fields of crontab."""

from datetime import UTC, datetime

from sandbox.kubernetes.controllers.workloads import latest
from tests.tables import cases

NOW = datetime(2026, 12, 1, 13, 27, 40, tzinfo=UTC)  # a Tuesday
YESTERDAY = datetime(2026, 11, 30, 13, 27, tzinfo=UTC)


@cases(
    ("schedule", "due"),
    {
        "each-minute": ("* * * * *", "2026-12-01 13:27"),
        "each-quarter": ("*/15 * * * *", "2026-12-01 13:15"),
        "at-night": ("0 3 * * *", "2026-12-01 03:00"),
        "hourly": ("@hourly", "2026-12-01 13:00"),
        "a-range-by-steps": ("5-50/20 8-12 * * *", "2026-12-01 12:45"),
        "on-a-weekday": ("0 12 * * 2", "2026-12-01 12:00"),
        "on-another-weekday": ("0 12 * * 7", ""),
        "either-day-where-both-are-named": ("0 12 15 * 2", "2026-12-01 12:00"),
        "in-another-month": ("0 12 * 6 *", ""),
    },
)
def test_a_schedule_is_due_at_its_last_minute(schedule, due):
    told = latest(schedule, YESTERDAY.timestamp(), NOW.timestamp())
    assert (f"{datetime.fromtimestamp(told, UTC):%Y-%m-%d %H:%M}" if told else "") == due


def test_what_ran_already_is_not_due_again():
    assert latest("* * * * *", NOW.timestamp() - 40, NOW.timestamp()) == 0
