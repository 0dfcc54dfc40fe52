from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.easymo.deploy.plugins.module_utils._errors import ConflictError
from ansible_collections.easymo.deploy.plugins.module_utils._ramp.apply import WatchFinding, judge
from ansible_collections.easymo.deploy.plugins.module_utils._ramp.options import sentence
from ansible_collections.easymo.deploy.plugins.module_utils._ramp.plan import (
    HOLD,
    PENDING,
    PROCEED,
    RAISE,
    ROLLBACK,
    WATCH,
    RampFacts,
    RampPlan,
    Start,
)
from tests.unit.plugins.module_utils._ramp.scenes import HOUR, SCHEDULE, planned, seen_at, state_at

WHY = ("error_rate is 0.02 ratio and should be at most 0.01",)


def judged(
    facts: RampFacts, verdict: str, percentage: int = 5, reasons: tuple[str, ...] = WHY
) -> RampPlan:
    return judge(SCHEDULE, facts, WatchFinding(percentage, verdict, "bob@here", reasons))


def later(facts: RampFacts, result: RampPlan, hours: float = 3) -> RampFacts:
    """The same cluster after what was decided was written."""
    return replace(
        facts,
        value=str(result.after.percentage),
        annotation=result.after.to_annotation(),
        now=facts.now + hours * HOUR,
    )


@pytest.mark.parametrize("before", [PENDING, HOLD, ROLLBACK])
def test_a_watch_that_proceeds_opens_the_next_step(before):
    facts = seen_at(3, 5, state_at(5, before, reasons=("old",)))
    result = judged(facts, PROCEED, reasons=())
    assert (result.after.verdict, result.after.reasons) == (PROCEED, ())
    assert planned(later(facts, result)).action == RAISE
    assert (
        judged(later(facts, result), PROCEED, reasons=()).writes(result.after.to_annotation())
        is None
    )


def test_a_held_gate_stays_where_it_is_and_is_told_once():
    facts = seen_at(3, 5, state_at(5, PENDING))
    result = judged(facts, HOLD)
    assert (result.moves, result.after.verdict, result.after.reasons) == (False, HOLD, WHY)
    assert planned(later(facts, result)).action == WATCH
    again = judged(later(facts, result), HOLD)
    assert [entry.what for entry in again.after.history] == ["held"]


def test_what_a_verdict_says_of_the_next_step_is_true():
    """It neither lets a held gate up nor tomorrow's step today."""
    held = judged(seen_at(3, 5, state_at(5, PENDING)), HOLD)
    assert sentence(SCHEDULE, held) == "The ramp is held at 5 %, step 2 of 8."
    today = judged(seen_at(2.5, 5, state_at(5, PENDING)), PROCEED, reasons=())
    assert "Next is 10 %" in sentence(SCHEDULE, today)
    assert "but day 3 begins at" in sentence(SCHEDULE, today)
    tomorrow = judged(seen_at(3.5, 5, state_at(5, PENDING)), PROCEED, reasons=())
    assert sentence(SCHEDULE, tomorrow).endswith(", allowed now.")


@pytest.mark.parametrize(("at", "back"), [(1, 0), (5, 1), (100, 90)])
def test_a_breach_goes_back_one_step_in_the_same_write(at, back):
    facts = seen_at(20, at, state_at(at, PENDING))
    result = judged(facts, ROLLBACK, percentage=at)
    assert (result.moves, result.percentage) == (True, back)
    assert (result.after.verdict, result.after.reasons) == (ROLLBACK, WHY)
    entry = result.after.history[-1]
    assert (entry.what, entry.before, entry.to, entry.reason) == ("breached", at, back, WHY[0])
    again = judged(later(facts, result), ROLLBACK, percentage=at)
    assert (again.moves, again.writes(result.after.to_annotation())) == (False, None)


@pytest.mark.parametrize("knows_begin", [True, False])
def test_a_breach_counts_for_the_beginning_that_its_finder_knows_whatever_its_clock_says(
    knows_begin,
):
    facts = seen_at(3, 5, state_at(5))
    began = facts.now + HOUR  # by the clock of who set the flags once more
    finding = WatchFinding(5, ROLLBACK, "guard@slow", WHY, began=began if knows_begin else None)
    result = judge(SCHEDULE, facts, finding)
    back = planned(later(facts, result), start=Start(began=began, watched=began))
    assert (back.action == WATCH) == knows_begin


def test_a_breach_again_goes_further_down():
    facts = seen_at(20, 10, state_at(10, PENDING))
    first = judged(facts, ROLLBACK, percentage=10)
    second = judged(later(facts, first), ROLLBACK, percentage=5)
    assert second.percentage == 1
    assert planned(later(facts, second)).action == WATCH


@pytest.mark.parametrize("verdict", [PROCEED, HOLD, ROLLBACK])
def test_a_kill_while_it_was_watched_wins(verdict):
    killed = replace(seen_at(3, 0, state_at(5, PENDING)), killed="eve set the kill switch at noon")
    with pytest.raises(
        ConflictError, match=r"5 % was watched, but 0 % is set now.*eve set the kill"
    ):
        judged(killed, verdict)


def test_a_step_that_was_left_and_taken_again_meanwhile_is_not_judged():
    state = state_at(5, PENDING)
    finding = WatchFinding(5, PROCEED, "bob", since=state.since)
    assert judge(SCHEDULE, seen_at(3, 5, state), finding).after.verdict == PROCEED
    taken_again = replace(state, since=state.since + HOUR)
    with pytest.raises(ConflictError, match="was changed and set again"):
        judge(SCHEDULE, seen_at(3, 5, taken_again), finding)


RELEASE = "release"
STEPS = st.sampled_from([PROCEED, HOLD, ROLLBACK, RELEASE, "next", "down", "off", 0, 1, 5])


@given(st.lists(STEPS, max_size=12))
@example([ROLLBACK, HOLD, "down", "next"])
def test_nothing_goes_up_after_a_breach_but_by_a_good_watch_or_a_person(steps):
    """Whoever moves the percentage meanwhile: the ramp itself, or another hand, which sets a number."""
    facts, breached = seen_at(40, 5, state_at(5, PENDING)), False
    for number, step in enumerate(steps):
        at = facts.percentage
        if isinstance(step, int):
            facts = replace(facts, value=str(step))
            continue
        if step in (PROCEED, HOLD, ROLLBACK):
            if not at:
                continue
            result = judged(facts, step, at)
            breached = step == ROLLBACK or (breached and step != PROCEED)
        elif step == RELEASE:
            words = {"release_reason": f"mail {number}", "released_by": "ann"}
            result = planned(facts, at, **words)
            breached = breached and not result.released
        else:
            asked = {"next": None, "down": SCHEDULE.preceding(at or 0), "off": 0}[step]
            result = planned(facts, asked)
            assert result.action != RAISE or not breached
        written = result.writes(facts.annotation)
        facts = replace(
            facts,
            value=str(result.percentage),
            annotation=facts.annotation if written is None else written,
            now=facts.now + 3 * HOUR,
        )
