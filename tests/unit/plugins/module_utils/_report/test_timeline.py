"""Planned and actual phases stand on one axis by the wall clock; failures and cuts are seen."""

import itertools
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._report.build import build_report
from ansible_collections.easymo.deploy.plugins.module_utils._report.models import ReportOptions
from ansible_collections.easymo.deploy.plugins.module_utils._report.render import as_html
from ansible_collections.easymo.deploy.plugins.module_utils._report.timeline import TimeScale
from ansible_collections.easymo.deploy.plugins.module_utils._story.plan import Plan
from tests.fakes import release_records as records

HOUR = 3600.0


def timeline(record, zone=UTC):
    found = build_report(record, ReportOptions(plan=Plan.read(records.PLAN), zone=zone)).timeline
    assert found is not None
    return found


def lane(record, name):
    return next(one for one in timeline(record).lanes if one.title == name)


def test_a_phase_stands_below_its_plan_and_its_length_is_its_time():
    plan, real = lane(records.green(), "Database").bars
    assert plan.kind == "plan"
    assert real.kind == "late"
    assert real.left == pytest.approx(plan.left, abs=0.1)
    assert real.width / plan.width == pytest.approx(22 / 15, abs=0.01)


def test_every_try_is_seen_and_the_failed_one_as_failed():
    found = lane(records.green(), "Microservices")
    kinds = [bar.kind for bar in found.bars if bar.kind != "plan"]
    assert kinds == ["failed", "done"]
    assert "try 1 of 2, failed after 3 min 48 s" in found.words
    assert found.took == "12 min of 20 min planned, 2 tries"


def test_a_phase_without_an_end_is_open_and_says_so():
    bars = lane(records.dead(), "Microservices").bars
    assert [bar.words for bar in bars if bar.kind == "running"] == ["begun, no end is recorded"]


def test_nothing_stands_outside_the_axis():
    for record in (records.green(), records.held(), records.rolled_back(), records.dead()):
        for one in timeline(record).lanes:
            for bar in one.bars:
                assert 0 <= bar.left <= bar.left + bar.width <= 100.5


def test_a_wait_of_days_is_cut_out_of_the_axis():
    record = records.held()
    record["phases"]["sign_off"] = records.phase("done", 140 + 4 * 24 * 60, 150 + 4 * 24 * 60)
    found = timeline(record)
    (cut,) = found.cuts
    assert cut.width < 6
    assert cut.words.endswith("left out")
    assert cut.words.startswith("3 d")
    monitoring = next(one for one in found.lanes if one.title == "Monitoring")
    assert max(bar.width for bar in monitoring.bars) > 20


def test_a_rehearsal_of_minutes_is_not_lost_on_an_axis_of_hours():
    record = records.green()
    short = {"started": records.at(0), "finished": records.at(0.5), "earlier_failures": []}
    record["phases"] = {name: {**phase, **short} for name, phase in record["phases"].items()}
    found = timeline(record)
    assert "were planned" in found.note
    assert all(bar.kind != "plan" for one in found.lanes for bar in one.bars)


def test_ticks_are_round_in_the_zone_of_the_release():
    labels = [label for _left, label in timeline(records.green()).ticks]
    assert labels[:4] == ["06:00", "06:30", "07:00", "07:30"]
    kathmandu = timeline(records.green(), ZoneInfo("Asia/Kathmandu"))
    assert kathmandu.ticks[0][1] == "11:30"
    assert kathmandu.zone == "+0545"


def test_a_record_without_times_has_no_timeline():
    assert build_report({}, ReportOptions(plan=Plan.read(records.PLAN))).timeline is None
    broken = {"phases": {"database": {"status": "done", "started": "yesterday", "finished": 7}}}
    assert build_report(broken, ReportOptions(plan=Plan.read(records.PLAN))).timeline is None


def test_an_end_before_the_beginning_is_drawn_nowhere_and_breaks_nothing():
    record = {
        "phases": {
            "database": {"status": "done", "started": records.at(9), "finished": records.at(1)}
        }
    }
    report = build_report(record, ReportOptions(plan=Plan.read(records.PLAN)))
    assert report.timeline is None
    assert next(row for row in report.phases if row.name == "database").actual is None


def test_a_scale_keeps_order_and_gives_cuts_a_fixed_width():
    scale = TimeScale.over([(0, HOUR), (60, 120), (10 * HOUR, 11 * HOUR)])
    places = [scale.place(at) for at in (0, HOUR, 5 * HOUR, 10 * HOUR, 11 * HOUR)]
    assert places == sorted(places)
    assert (places[0], places[-1]) == (0, 100)
    (cut,) = scale.cuts()
    assert (cut.left, cut.words) == (places[1], "9 h left out")
    assert places[3] - places[1] == pytest.approx(cut.width)


@pytest.mark.parametrize("seconds", [1, 30, 400, 7200, 90_000, 3_000_000])
def test_there_are_never_too_many_ticks(seconds):
    begin = datetime(2026, 11, 24, 5, 45, 3, tzinfo=UTC).timestamp()
    assert len(TimeScale.over([(begin, begin + seconds)]).ticks(UTC)) <= 8


@pytest.mark.parametrize("seconds", [9, 100, 400, 7200, 90_000, 3_000_000])
@pytest.mark.parametrize("gap", [0, 40_000, 400_000])
def test_no_label_of_the_axis_touches_another_on_a_phone(seconds, gap):
    begin = datetime(2026, 11, 24, 5, 45, 3, tzinfo=UTC).timestamp()
    later = begin + seconds + gap
    ticks = TimeScale.over([(begin, begin + seconds), (later, later + seconds)]).ticks(UTC)
    # A letter is as wide as of DejaVu Sans at 12 px.
    labels = [(2.7 * left, 2.7 * left + 6.7 * len(label)) for left, label in ticks if label]
    assert labels
    assert all(a[1] + 4 < b[0] for a, b in itertools.pairwise(labels)), ticks
    assert labels[-1][1] <= 271


def test_a_release_that_was_resumed_after_hours_is_drawn_as_long_as_it_ran():
    """Its plan of hours would leave nothing of two minutes to see."""
    record = records.green()
    for nth, phase in enumerate(record["phases"].values()):
        start = 0 if nth == 0 else 330
        phase |= {
            "started": records.at(start + nth * 0.2),
            "finished": records.at(start + nth * 0.2 + 0.2),
        }
        phase["earlier_failures"] = []
    assert all(bar.kind != "plan" for one in timeline(record).lanes for bar in one.bars)


def test_what_happened_stands_on_the_axis_and_in_a_list_below():
    record = records.rolled_back()
    record["facts"]["rollback_asked"] = {"by": "Jane", "reason": "payments", "at": records.at(51)}
    report = build_report(record, ReportOptions(plan=Plan.read(records.PLAN)))
    told = [one.words for one in report.timeline.lanes[-1].bars]
    assert "06:36:00 Jane rolled back: payments." in told
    assert [one.text.partition(":")[0] for one in report.events] == [
        "Jane Doe overrode the launch window",
        "Jane rolled back",
        "Microservices failed",
        "amina@ops-1 set the kill switch",
        "Jane Doe rejected at release",
        "The rollback was done.",
        "Ramp raised by amina@ops-1, 0 % to 1 %.",
    ]
    assert "set the kill switch: wallets cannot pay." in as_html(report)


def test_an_interruption_stands_where_somebody_took_the_phase_up():
    record = records.green()
    record["phases"]["database"]["interruptions"] = [{"by": "joe@ops-2", "at": records.at(20)}, "?"]
    report = build_report(record, ReportOptions(plan=Plan.read(records.PLAN)))
    told = [one.words for one in report.timeline.lanes[-1].bars if "resumed phase" in one.words]
    assert told == ["06:05:00 joe@ops-2 resumed phase database, in which the previous run ended."]
