"""Holding, recovering, deciding, going on after a kill: step by step, without a clock."""

import json
import typing as t
from dataclasses import replace

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._decode import dumped, restored
from ansible_collections.easymo.deploy.plugins.module_utils._errors import ConflictError, InputError
from ansible_collections.easymo.deploy.plugins.module_utils._gate.models import (
    Bounds,
    Metric,
    Sample,
    Verdict,
)
from ansible_collections.easymo.deploy.plugins.module_utils._gate.state import (
    Schedule,
    WatchState,
    begin,
)
from ansible_collections.easymo.deploy.plugins.module_utils._gate.verdict import (
    decision_fact,
    plan_decision,
    that_counts,
)
from ansible_collections.easymo.deploy.plugins.module_utils._gate.watch import (
    WatchPlan,
    WatchStep,
    next_step,
    take_up,
)
from ansible_collections.easymo.deploy.plugins.module_utils._release.record import Act, Record

STARTED = 1_700_000_000.0
METRIC = Metric("m", "prometheus", "q", "", Bounds(maximum=1, above=5), max_missing=0.2)
SCHEDULE = Schedule(duration=20, hold_for=60, recover_for=30, max_gap=100)
PLAN = WatchPlan((METRIC,), SCHEDULE)
GOOD, BETWEEN, BAD, GAP = 0.0, 3.0, 9.0, None


def watched(*values: float | None, manual: Act | None = None, plan: WatchPlan = PLAN) -> WatchStep:
    """After looks every ten seconds, or after the one that ended it."""
    state = replace(begin(plan.metrics, STARTED), attempt=1)
    for number, value in enumerate(values):
        sample = Sample(value, "no series" if value is None else "")
        step = next_step(plan, state.looked(plan.metrics, {"m": sample}, number * 10.0), manual)
        state = step.state
        if step.decision:
            break
    return step


def verdict(step: WatchStep) -> Verdict | None:
    return step.decision and step.decision.verdict


def decided(state: WatchState, decision: str, **given: t.Any) -> Act:
    known = {"gate": "monitoring", "by": "ann", "reason": "seen", "at": "2026-11-25T10:00:00Z"}
    bound = {"of_attempt": 1, "watch": state.began_at, "held": state.held_at}
    return Act(**{**known, **bound, "decision": decision, **given})


HELD = watched(GOOD, GOOD, BETWEEN).state


def test_at_the_end_it_holds_and_guards_on():
    step = watched(GOOD, GOOD, BETWEEN)
    assert (verdict(step), step.state.held, step.wait) == (None, 20.0, 30.0)
    assert "should be at most 1" in step.state.held_why[0]


def test_without_time_to_hold_it_ends_with_hold():
    plan = WatchPlan((METRIC,), replace(SCHEDULE, hold_for=0))
    assert verdict(watched(GOOD, GOOD, BETWEEN, plan=plan)) is Verdict.HOLD


@pytest.mark.parametrize(
    ("then", "expected", "at"),
    [
        pytest.param([GOOD] * 4, Verdict.PROCEED, 60.0, id="good-for-long-enough"),
        pytest.param([GOOD] * 3, None, 50.0, id="good-and-not-long-enough"),
        pytest.param([GOOD, GAP, GOOD, GOOD, GOOD], None, 70.0, id="a-gap-begins-it-anew"),
        pytest.param([GOOD, BETWEEN, GOOD, GOOD, GOOD], None, 70.0, id="doubt-begins-it-anew"),
        pytest.param([BETWEEN, BAD, BAD], Verdict.ROLLBACK, 50.0, id="a-breach-rolls-back"),
        pytest.param([BAD, BETWEEN, BAD], None, 50.0, id="one-breach-does-not"),
        pytest.param([BETWEEN] * 9, Verdict.HOLD, 80.0, id="the-time-is-over"),
        pytest.param([GAP] * 9, Verdict.HOLD, 80.0, id="blindness-holds-to-the-end"),
    ],
)
def test_while_it_holds_it_goes_on_guarding(then, expected, at):
    step = watched(GOOD, GOOD, BETWEEN, *then)
    assert (verdict(step), step.state.elapsed) == (expected, at)


def after(
    state: WatchState, value: float | None, decision: Act | None, at: float = 30.0
) -> WatchStep:
    return next_step(PLAN, state.looked([METRIC], {"m": Sample(value)}, at), decision)


def test_an_approval_ends_a_hold_and_says_what_was_held():
    step = after(HELD, BETWEEN, decided(HELD, "approve"))
    assert (verdict(step), step.manual and step.manual.by) == (Verdict.PROCEED, "ann")
    assert step.decision
    assert "should be at most 1" in step.decision.reasons[0].text


def test_an_approval_covers_the_reasons_it_was_given_for_and_another_holds_anew():
    approval = decided(HELD, "approve", concerns=HELD.concerns)
    assert verdict(after(HELD, BETWEEN + 1, approval)) is Verdict.PROCEED
    blind = after(HELD, GAP, approval)
    assert (verdict(blind), blind.state.held, blind.state.guards_until) == (None, 30.0, 90.0)
    assert blind.state.held_why == ("m has no data at the end ()",)
    assert that_counts([approval], blind.state) is None
    resumed = HELD.unseen(PLAN.metrics, SCHEDULE, 3_000.0)
    assert resumed.series["m"].missing == 0, "who waits for a person misses no look of the watch"


def test_an_approval_waits_while_a_breach_is_not_certain_and_never_covers_one():
    approval = decided(HELD, "approve")
    one = after(HELD, BAD, approval)
    assert verdict(one) is None
    assert verdict(after(one.state, BAD, approval, 40.0)) is Verdict.ROLLBACK
    assert verdict(after(one.state, GAP, approval, 40.0)) is None
    assert verdict(after(one.state, GOOD, approval, 40.0)) is Verdict.PROCEED


def test_a_reject_goes_back_at_any_time():
    step = watched(GOOD, manual=decided(HELD, "reject"))
    assert verdict(step) is Verdict.ROLLBACK
    assert step.decision
    assert step.decision.reasons[0].text == "ann rejected the release: seen"
    assert verdict(after(HELD, GOOD, decided(HELD, "reject"))) is Verdict.ROLLBACK


def test_a_decision_counts_for_its_own_hold_alone():
    approval, rejection = decided(HELD, "approve"), decided(HELD, "reject")
    assert that_counts([approval], HELD) == approval
    assert that_counts([approval, rejection], HELD) == rejection
    later = replace(HELD, held=25.0)
    assert that_counts([approval], later) is None
    assert that_counts([approval], replace(HELD, held=None)) is None
    assert that_counts([rejection], replace(HELD, held=None)) == rejection
    assert that_counts([rejection], replace(HELD, started=STARTED + 99)) is None


WATCHING = watched(GOOD).state
ENDED = replace(HELD, ended="hold", phase_started="t1")


def taken(
    state: WatchState, now: float, *, phase: str = "t1", by: Act | None = None
) -> WatchState | None:
    return take_up(PLAN, state, now, phase_started=phase, manual=by)


def test_a_rerun_counts_what_was_seen_and_misses_what_was_not():
    plan = WatchPlan((METRIC,), replace(SCHEDULE, duration=100))
    state = take_up(plan, watched(GOOD, plan=plan).state, 45.0, phase_started="t2", manual=None)
    assert state is not None
    assert (state.series["m"].count, state.series["m"].missing) == (1, 3)
    assert state.series["m"].points == ((0.0, GOOD, "good"), (45.0, None, "missing"))


@pytest.mark.parametrize(
    ("now", "missing"),
    [
        pytest.param(9.0, 0, id="a short pause"),
        pytest.param(95.0, 2, id="none after the end"),
        pytest.param(101.0, None, id="too long a gap begins anew"),
    ],
)
def test_what_a_gap_misses(now, missing):
    state = taken(WATCHING, now)
    assert (state.series["m"].missing if state else None) == missing


def test_an_end_that_was_told_begins_anew_and_one_that_was_not_goes_on():
    assert taken(ENDED, 25.0, phase="t2") is None
    assert taken(ENDED, 25.0, phase="t1") is not None
    assert taken(replace(ENDED, phase_started=""), 25.0, phase="") is None


def test_breaches_that_a_killed_run_was_certain_of_still_roll_back():
    state = taken(replace(watched(GOOD, BAD, BAD).state, phase_started="t1"), 25.0)
    assert state is not None
    assert verdict(after(state, GAP, None, 25.0)) is Verdict.ROLLBACK


@pytest.mark.parametrize(
    ("decision", "expected"), [("approve", Verdict.PROCEED), ("reject", Verdict.ROLLBACK)]
)
def test_a_hold_that_ended_takes_a_later_decision(decision, expected):
    by = decided(ENDED, decision)
    state = taken(ENDED, 9000.0, phase="t2", by=by)
    assert state is not None
    assert verdict(after(state, BETWEEN, by, 9000.0)) is expected


def test_a_state_comes_back_as_it_was():
    state = taken(ENDED, 25.0)
    assert state is not None
    assert restored(WatchState, json.loads(dumped(state)), "state") == state


STORED = {"version": "2.0.0", "attempt": 1, "started": "2026-11-25T09:00:00Z"}
RECORD = Record.read(STORED)


def wanted(decision: str = "approve", **given: t.Any) -> Act:
    return decided(HELD, decision, **{"of_attempt": 0, "watch": "", "held": "", **given})


def test_a_decision_is_bound_to_the_hold_it_is_about():
    planned, new = plan_decision(RECORD, HELD, wanted(), ["monitoring"])
    assert new
    assert (planned.of_attempt, planned.held) == (1, HELD.held_at)
    evidence = decision_fact(planned)["evidence"]
    assert "should be at most 1" in evidence["reasons"][0]


def test_the_same_decision_is_recorded_once():
    known, _new = plan_decision(RECORD, HELD, wanted(), ["monitoring"])
    record = Record.read({**STORED, "facts": {"decisions": {"monitoring-1": decision_fact(known)}}})
    again, new = plan_decision(record, HELD, wanted(reason="again"), ["monitoring"])
    assert (decision_fact(again), new) == (decision_fact(known), False)
    assert plan_decision(record, HELD, wanted(by="bob"), ["monitoring"])[1]


@pytest.mark.parametrize(
    ("state", "asked", "error", "words"),
    [
        (
            None,
            wanted(gate="ramp"),
            InputError,
            "no watch 'ramp' in its attempt 1: there is monitoring",
        ),
        (replace(HELD, attempt=7), wanted(), InputError, "no watch 'monitoring'"),
        (replace(WATCHING, attempt=1), wanted(), ConflictError, "does not hold"),
        (replace(HELD, ended="rollback"), wanted(), ConflictError, "ended with 'rollback'"),
        (replace(HELD, ended="proceed"), wanted("reject"), ConflictError, "kill_switch"),
    ],
)
def test_what_is_no_decision_is_refused(state, asked, error, words):
    with pytest.raises(error, match=words):
        plan_decision(RECORD, state, asked, ["monitoring"])


def test_what_was_rejected_cannot_be_approved():
    known, _new = plan_decision(RECORD, HELD, wanted("reject", by="eve"), ["monitoring"])
    record = Record.read({**STORED, "facts": {"decisions": {"monitoring-1": decision_fact(known)}}})
    with pytest.raises(ConflictError, match="eve rejected"):
        plan_decision(record, HELD, wanted(), ["monitoring"])
