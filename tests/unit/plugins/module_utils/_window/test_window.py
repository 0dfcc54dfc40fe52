"""A launch window is what the clocks on the wall show, across changes of them too."""

import typing as t
from datetime import UTC, datetime

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._errors import InputError
from ansible_collections.easymo.deploy.plugins.module_utils._window import (
    closed_sentence,
    for_people,
    instant,
    outlook,
    read_window,
)
from tests.tables import cases

NAIROBI = {"timezone": "Africa/Nairobi", "days": ["tuesday"], "start": "09:00", "end": "11:00"}
BERLIN = {"timezone": "Europe/Berlin"}


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("at", "is_open", "moment"),
    [
        ("2025-11-11 05:59", False, "2025-11-11 06:00"),
        ("2025-11-11 06:00", True, "2025-11-11 08:00"),
        ("2025-11-11 07:59", True, "2025-11-11 08:00"),
        ("2025-11-11 08:00", False, "2025-11-18 06:00"),
        ("2025-11-12 06:30", False, "2025-11-18 06:00"),
    ],
    ids=["before", "at its start", "at its last minute", "at its end", "on another day"],
)
def test_it_is_open_from_its_start_to_just_before_its_end(
    at: str, is_open: bool, moment: str
) -> None:
    seen = outlook(read_window(NAIROBI), utc(at))
    assert seen.open is is_open
    assert (seen.closes if is_open else seen.opens) == utc(moment)


@pytest.mark.parametrize(
    ("more", "opens", "why"),
    [
        ({"holidays": ["2025-11-11"]}, "2025-11-18 06:00", "a holiday"),
        (
            {"freezes": [{"from": "2025-11-10", "to": "2025-11-18", "why": "the year's audit"}]},
            "2025-11-25 06:00",
            "a freeze: the year's audit",
        ),
        (
            {"freezes": [{"from": "2025-11-11 08:00", "to": "2025-11-11 10:00", "why": "a match"}]},
            "2025-11-11 07:00",
            "a freeze: a match",
        ),
    ],
    ids=["holiday", "freeze of days", "freeze of hours"],
)
def test_holidays_and_freezes_keep_it_closed_and_say_so(
    more: dict[str, t.Any], opens: str, why: str
) -> None:
    window = read_window({**NAIROBI, **more})
    seen = outlook(window, utc("2025-11-11 06:30"))
    assert (seen.open, seen.opens, seen.why) == (False, utc(opens), why)
    assert why in closed_sentence(window, seen)


def test_a_freeze_in_the_middle_ends_it_early() -> None:
    freeze = {"from": "2025-11-11 10:00", "to": "2025-11-11 10:30", "why": "a match"}
    window = read_window({**NAIROBI, "freezes": [freeze]})
    assert outlook(window, utc("2025-11-11 06:30")).closes == utc("2025-11-11 07:00")
    assert outlook(window, utc("2025-11-11 07:40")).closes == utc("2025-11-11 08:00")


def test_when_it_opens_is_told_in_its_own_time_and_in_utc() -> None:
    window = read_window(NAIROBI)
    told = closed_sentence(window, outlook(window, utc("2025-11-12 06:30")))
    assert told == (
        "the launch window is closed; it opens next Tuesday 2025-11-18 09:00 EAT (2025-11-18 06:00 UTC)"
    )


@pytest.mark.parametrize(
    ("hours", "day", "opens", "closes"),
    [
        # On 29 March 2026 the clocks go from 02:00 to 03:00, at 01:00 UTC.
        (("01:00", "04:00"), "2026-03-28 23:30", "2026-03-29 00:00", "2026-03-29 02:00"),
        (("02:30", "04:00"), "2026-03-28 23:30", "2026-03-29 01:00", "2026-03-29 02:00"),
        (("01:00", "02:30"), "2026-03-28 23:30", "2026-03-29 00:00", "2026-03-29 01:00"),
        # Both lie in the hour that the clocks jump over, so it is not open on that day.
        (("02:10", "02:50"), "2026-03-28 23:30", "2026-03-30 00:10", "2026-03-30 00:50"),
        # On 25 October 2026 the clocks go from 03:00 to 02:00, at 01:00 UTC.
        (("02:30", "04:00"), "2026-10-24 23:30", "2026-10-25 00:30", "2026-10-25 03:00"),
        (("01:00", "02:30"), "2026-10-24 22:30", "2026-10-24 23:00", "2026-10-25 00:30"),
        (("02:10", "02:50"), "2026-10-24 23:30", "2026-10-25 00:10", "2026-10-25 00:50"),
    ],
    ids=[
        "across the hour that is skipped",
        "begins in the hour that is skipped",
        "ends in the hour that is skipped",
        "within the hour that is skipped",
        "begins in the hour that is repeated",
        "ends in the hour that is repeated",
        "within the hour that is repeated",
    ],
)
def test_a_change_of_the_clocks_neither_loses_nor_doubles_it(
    hours: tuple[str, str], day: str, opens: str, closes: str
) -> None:
    window = read_window({**BERLIN, "start": hours[0], "end": hours[1]})
    seen = outlook(window, utc(day))
    assert seen.opens == utc(opens)
    assert outlook(window, utc(opens)).closes == utc(closes)


@pytest.mark.parametrize(
    ("local", "expected"),
    [
        ("2026-03-29 01:59", "2026-03-29 00:59"),
        ("2026-03-29 02:30", "2026-03-29 01:00"),
        ("2026-03-29 03:00", "2026-03-29 01:00"),
        ("2026-10-25 02:30", "2026-10-25 00:30"),
        ("2026-10-25 03:00", "2026-10-25 02:00"),
    ],
    ids=["before the jump", "in the jump", "after it", "shown twice", "after both"],
)
def test_a_local_time_is_one_moment(local: str, expected: str) -> None:
    zone = read_window(BERLIN).zone
    assert instant(datetime.fromisoformat(local), zone) == utc(expected)


@pytest.mark.parametrize(
    ("window", "at", "is_open", "closes"),
    [
        ({"timezone": "UTC"}, "2025-11-11 23:59", True, None),
        ({"timezone": "UTC", "start": "00:00", "end": "24:00"}, "2025-11-11 00:00", True, None),
        (
            {"timezone": "UTC", "days": ["monday", "tuesday"]},
            "2025-11-10 12:00",
            True,
            "2025-11-12 00:00",
        ),
        (
            {"timezone": "UTC", "days": ["tuesday"], "start": "22:00", "end": "02:00"},
            "2025-11-12 01:00",
            True,
            "2025-11-12 02:00",
        ),
    ],
    ids=["only a zone", "whole days", "days that follow one another", "over midnight"],
)
def test_what_follows_without_a_gap_is_one_window(
    window: dict[str, t.Any], at: str, is_open: bool, closes: str | None
) -> None:
    seen = outlook(read_window(window), utc(at))
    assert seen.open is is_open
    assert seen.closes == (utc(closes) if closes else None)


@cases(
    ("window", "at", "told"),
    {
        "hours": (NAIROBI, "2025-11-11 06:00", "09:00 AM - 11:00 AM EAT"),
        "within-the-hour": (NAIROBI, "2025-11-11 05:45", "09:00 AM - 11:00 AM EAT"),
        "always": ({"timezone": "UTC"}, "2025-11-10 06:00", "any time"),
        "overridden": (
            NAIROBI,
            "2025-11-10 12:20",
            "from 03:20 PM EAT on, outside of the launch window",
        ),
        "overridden-on-another-day": (
            {"timezone": "UTC", "days": ["tuesday"]},
            "2025-11-10 12:20",
            "from 12:20 PM UTC on, outside of the launch window",
        ),
        "never-again": (
            {
                "timezone": "UTC",
                "freezes": [{"from": "2025-01-01", "to": "2035-01-01", "why": "x"}],
            },
            "2025-11-10 12:20",
            "from 12:20 PM UTC on, outside of the launch window",
        ),
    },
)
def test_people_are_told_its_hours_or_that_a_release_does_not_keep_to_them(
    window: dict[str, t.Any], at: str, told: str
) -> None:
    assert for_people(read_window(window), utc(at)) == told


def test_people_are_told_the_zone_of_the_moment_at_which_it_opens() -> None:
    window = read_window({**BERLIN, "days": ["sunday"], "start": "03:00", "end": "10:00"})
    assert for_people(window, utc("2026-03-29 00:30")).endswith("CEST")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"timezone": "Africa/Nowhere"}, "timezone 'Africa/Nowhere' is unknown"),
        ({"timezone": None}, "timezone None is unknown"),
        ({"days": ["Dienstag"]}, "days are"),
        ({"days": "tuesday"}, "days are"),
        ({"start": 540}, "write it in quotes"),
        ({"start": "24:00"}, "start is '24:00'"),
        ({"end": "9:00"}, "write it in quotes"),
        ({"holidays": ["25.12."]}, "write it like 2025-12-25"),
        ({"freezes": [{"from": "2025-12-20", "until": "2026-01-05"}]}, "give it 'from', 'to'"),
        ({"freezes": [{"from": "2026-01-05", "to": "2025-12-20"}]}, "ends before it begins"),
        ({"freezes": [{"from": "2025-12-20T00:00Z", "to": "2025-12-24"}]}, "without a zone"),
        ({"day": ["tuesday"]}, "has 'day'"),
    ],
    ids=lambda value: "" if isinstance(value, str) else ", ".join(value),
)
def test_what_is_written_wrongly_is_refused_with_what_it_may_be(
    wrong: dict[str, t.Any], told: str
) -> None:
    with pytest.raises(InputError) as caught:
        read_window({**NAIROBI, **wrong})
    assert told in str(caught.value)
