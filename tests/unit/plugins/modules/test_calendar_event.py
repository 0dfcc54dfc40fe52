"""An event that a calendar reads back as it was meant, and that a second run leaves alone."""

from datetime import UTC, datetime

import icalendar
import pytest

from ansible_collections.easymo.deploy.plugins.modules import calendar_event
from tests.module_runner import run_module

GIVEN = {
    "uid": "release-2.0.0-review@easymo.example",
    "summary": "Day 2 review; EasyMO v2.0, with all",
    "description": "Look at the metrics ✅ " * 12 + "\nand the fallbacks",
    "since": "2026-11-24T22:30:00Z",
    "days": 1,
    "time": "10:00",
    "timezone": "Africa/Kigali",
    "organizer": "devops@easymo.example",
    "attendees": ["team@easymo.example"],
}


@pytest.fixture
def write_event(tmp_path):
    def run(**args):
        given = {"path": str(tmp_path / "report" / "review.ics"), **GIVEN, **args}
        return run_module(calendar_event, **given)

    return run


def test_a_parser_reads_what_was_meant(write_event, tmp_path):
    result = write_event()
    content = (tmp_path / "report" / "review.ics").read_bytes()
    (event,) = icalendar.Calendar.from_ical(content).walk("VEVENT")
    # 22:30 UTC is the next day in Kigali already, which is two hours ahead.
    assert event["DTSTART"].dt == datetime(2026, 11, 26, 8, 0, tzinfo=UTC)
    assert event["DTEND"].dt == datetime(2026, 11, 26, 8, 30, tzinfo=UTC)
    assert result["start"] == "2026-11-26T08:00:00Z"
    assert (event["SUMMARY"], event["DESCRIPTION"]) == (GIVEN["summary"], GIVEN["description"])
    assert event["ATTENDEE"] == "mailto:team@easymo.example"


def test_lines_end_and_fold_as_the_standard_wants(write_event, tmp_path):
    write_event()
    content = (tmp_path / "report" / "review.ics").read_bytes()
    assert content.count(b"\n") == content.count(b"\r\n")
    assert max(map(len, content.split(b"\r\n"))) <= 75


def test_a_second_run_changes_nothing_and_check_mode_writes_nothing(write_event, tmp_path):
    foretold = write_event(check=True, diff=True)
    assert (foretold["changed"], foretold["diff"]["before"]) == (True, "")
    assert not list(tmp_path.iterdir())
    assert [write_event()["changed"] for _time in range(2)] == [True, False]
    assert write_event(time="11:00")["changed"] is True


def test_an_hour_that_daylight_saving_leaves_out_is_still_an_event(write_event):
    spring = {"since": "2026-03-28T12:00:00Z", "time": "02:30", "timezone": "Europe/Berlin"}
    assert write_event(**spring)["start"] == "2026-03-29T01:30:00Z"


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"time": "25:00"}, "'time' is '25:00'"),
        ({"timezone": "Mars/Olympus"}, "'timezone' is 'Mars/Olympus'"),
        ({"timezone": "../etc/passwd"}, "'timezone'"),
        ({"since": "tomorrow"}, "'since' is 'tomorrow'"),
        ({"minutes": 0}, "'minutes' is 0"),
        ({"attendees": ["a@x.example\r\nX:1"]}, "not an e-mail address"),
        ({"path": "/proc/none/review.ics"}, "can't be written"),
    ],
)
def test_bad_input_is_named(write_event, wrong, named):
    result = write_event(**wrong)
    assert (result["failed"], result["reason"]) == (True, "InvalidInput")
    assert named in result["msg"]
