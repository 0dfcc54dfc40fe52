import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.easymo.deploy.plugins.module_utils._errors import InputError
from ansible_collections.easymo.deploy.plugins.module_utils._flags.apply import RESET_OPTIONS
from ansible_collections.easymo.deploy.plugins.module_utils._ramp.plan import (
    DONE,
    ENTRIES,
    HOLD,
    LOWER,
    NONE,
    PENDING,
    PROCEED,
    RAISE,
    REFUSE,
    RELEASED,
    ROLLBACK,
    WAIT,
    WATCH,
    RampState,
    Start,
    refuse_no_step,
)
from ansible_collections.easymo.deploy.plugins.module_utils._story.next_step import commands_in
from tests.tables import cases
from tests.unit.plugins.module_utils._ramp.scenes import (
    DAY,
    DAY_1,
    HOUR,
    SCHEDULE,
    kinds,
    planned,
    seen_at,
    state_at,
)

KILLED = "eve set the kill switch at noon, because: angry users"
HELD = "ann holds the lock"


@pytest.mark.parametrize(
    ("at", "to", "day"),
    [(1, 5, 2), (5, 10, 3), (10, 25, 4), (25, 50, 7), (50, 75, 8), (75, 90, 9), (90, 100, 10)],
    ids=lambda value: str(value),
)
def test_the_next_step_is_taken_on_its_day_and_not_before(at, to, day):
    early = planned(seen_at(day - 0.01, at, state_at(at)))
    assert (early.action, kinds(early)) == (WAIT, ["day"])
    assert early.not_before == DAY_1 + (day - 1) * DAY
    assert early.writes(None) is None, "a step that may not be taken yet leaves no trace"

    due = planned(seen_at(day, at, state_at(at)))
    assert (due.action, due.percentage, due.after.step) == (RAISE, to, state_at(to).step)
    assert (due.after.verdict, due.after.watch_until) == (PENDING, due.after.since + 2 * HOUR)


def test_a_release_that_is_not_signed_off_goes_no_further():
    start = Start(blocked="release 2.0.0 is not signed off")
    result = planned(seen_at(3, 1, state_at(1)), start=start)
    assert (result.action, kinds(result)) == (REFUSE, ["blocked"])
    assert planned(seen_at(3, 5, state_at(5)), percentage=1, start=start).action == LOWER


def test_from_nothing_the_first_step_is_day_1():
    result = planned(seen_at(5, None))
    assert (result.action, result.percentage) == (RAISE, 1)
    assert result.after.started == DAY_1 + 4 * DAY


@pytest.mark.parametrize(("changes", "kind"), [
    ({"killed": KILLED}, "kill_switch"),
    ({"held": HELD}, "lock"),
    ({"frozen": "Deployments are frozen"}, "freeze"),
    ({"enabled": False}, "off"),
    ({"value": "3"}, "unknown"),
    ({"value": "ten"}, "unknown"),
    ({"value": "1.5"}, "unknown"),
    ({"value": "-1"}, "unknown"),
    ({"value": "101"}, "unknown"),
    ({"value": ""}, "unknown"),
], ids=lambda value: str(value))  # fmt: skip
@pytest.mark.parametrize("percentage", [None, 5])
@pytest.mark.parametrize("verdict", [PROCEED, PENDING])
def test_what_keeps_everybody_from_going_up(changes, kind, percentage, verdict):
    facts = replace(seen_at(3, 1, state_at(1, verdict)), **changes)
    result = planned(facts, percentage)
    assert result.action == REFUSE
    assert kind in kinds(result)
    assert result.writes(facts.annotation) is None


def test_under_a_kill_switch_the_only_command_is_its_reset():
    """A deployment would be refused by it."""
    facts = replace(seen_at(3, 0, state_at(0)), killed=KILLED, enabled=False)
    told = " ".join(reason.text for reason in planned(facts).reasons)
    assert commands_in(told) == [("kill_switch.yml", RESET_OPTIONS)]


@pytest.mark.parametrize(
    ("verdict", "kind"), [(PENDING, "watch"), (HOLD, "hold"), (ROLLBACK, "breach")]
)
def test_a_step_that_was_not_found_good_is_watched_before_the_next(verdict, kind):
    facts = seen_at(4, 5, state_at(5, verdict))
    result = planned(facts)
    assert (result.action, result.percentage, kinds(result)) == (WATCH, 5, [kind])
    assert result.writes(facts.annotation) is None, "a watch that is only begun says nothing"
    assert planned(facts, 10).action == REFUSE


def test_a_good_verdict_does_not_shorten_the_watch():
    """As when somebody gave the gate less time than the ramp asks for."""
    state = state_at(5, watch_until=DAY_1 + 3 * DAY)
    result = planned(seen_at(3.5, 5, state))
    assert (result.action, kinds(result)) == (WAIT, ["watch"])
    assert result.not_before == DAY_1 + 3 * DAY
    assert planned(seen_at(3.5, 5, state), 10).action == REFUSE


def test_all_reasons_are_told_at_once():
    facts = seen_at(2.01, 5, state_at(5, HOLD, reasons=("no data",)), held=HELD, killed=KILLED)
    result = planned(facts, 25)
    assert set(kinds(result)) == {"kill_switch", "lock", "hold", "watch", "day", "skip"}
    assert result.not_before == DAY_1 + 2 * DAY
    assert "(no data)" in next(reason.text for reason in result.reasons if reason.kind == "hold")


@pytest.mark.parametrize("percentage", [10, 50, 100])
def test_a_step_cannot_be_skipped(percentage):
    result = planned(seen_at(30, 1, state_at(1)), percentage)
    assert (result.action, kinds(result)) == (REFUSE, ["skip"])
    assert "that is 5 %" in result.reasons[0].text


@pytest.mark.parametrize("percentage", [-1, 2, 7, 99, 101, True])
def test_what_is_no_step_is_refused(percentage):
    with pytest.raises(InputError, match=f"{percentage} % is not a step of the ramp"):
        refuse_no_step(SCHEDULE, percentage)


@pytest.mark.parametrize("to", [0, 1, 5])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"killed": KILLED, "held": HELD, "frozen": "frozen", "enabled": False},
        {"value": "17"},
        {"annotation": "{broken"},
        {"annotation": None},
    ],
    ids=["in peace", "against everything", "from an unknown percentage", "broken", "no state"],
)
def test_down_is_always_allowed(to, changes):
    facts = replace(seen_at(2.01, 10, state_at(10, HOLD)), **changes)
    result = planned(facts, to, reason="errors")
    assert (result.action, result.percentage, result.after.step) == (LOWER, to, [0, 1, 5].index(to))
    last = result.after.history[-1]
    assert (last.what, last.before, last.to, last.by, last.reason) == (
        "lowered", int(facts.value), to, "bob@here", "errors",
    )  # fmt: skip
    assert result.after.verdict == PENDING, "it is watched before it goes up again"


@pytest.mark.parametrize(
    ("facts", "percentage", "action"),
    [
        pytest.param(seen_at(20, 100, state_at(100)), None, DONE, id="after the last step"),
        pytest.param(seen_at(6, 0, state_at(10)), None, RAISE, id="after a reset kill switch"),
        pytest.param(seen_at(3, 5, state_at(5)), 5, NONE, id="where it stands"),
        pytest.param(seen_at(3, 5, state_at(5, PENDING)), 5, WATCH, id="where it is watched"),
        pytest.param(seen_at(3, 0, state_at(0)), 0, NONE, id="where nobody is"),
        pytest.param(seen_at(3, "ten", state_at(10)), 0, LOWER, id="zero is surely down"),
        pytest.param(seen_at(3, "ten", state_at(10)), 1, REFUSE, id="a step may be up"),
    ],
)
def test_what_is_done_at_a_percentage(facts, percentage, action):
    assert planned(facts, percentage).action == action


@pytest.mark.parametrize("value", [1, 5, 50])
def test_a_step_that_somebody_else_set_is_told_and_watched(value):
    facts = seen_at(6, value, state_at(10), managers=("kubectl-edit",))
    result = planned(facts)
    assert result.action == WATCH
    assert "The ramp set 10 %, and kubectl-edit set" in result.notes[0]
    assert (result.after.percentage, result.after.since) == (value, facts.now)
    entry = result.after.history[-1]
    assert (entry.what, entry.before, entry.to, entry.by) == ("found", 10, value, "kubectl-edit")
    written = result.writes(facts.annotation)
    assert planned(replace(facts, annotation=written)).writes(written) is None, "told once"


def test_a_release_begins_the_ramp_on_its_own_day_1():
    start = Start(began=DAY_1, watched=DAY_1 + HOUR)
    facts = seen_at(2, 1)
    result = planned(facts, start=start)
    assert (result.action, result.percentage, result.after.started) == (RAISE, 5, DAY_1)
    unwatched = planned(facts, start=replace(start, watched=None))
    assert (unwatched.action, unwatched.after.since) == (WATCH, DAY_1)


def test_a_later_release_begins_anew_and_keeps_the_history():
    old = planned(seen_at(3, 5, state_at(5))).after
    start = Start(began=DAY_1 + 30 * DAY, watched=DAY_1 + 30 * DAY)
    result = planned(seen_at(31.5, 1, old), start=start)
    assert (result.action, kinds(result)) == (WAIT, ["day"])
    assert result.not_before == DAY_1 + 31 * DAY
    assert result.after.history == old.history


@pytest.mark.parametrize(("later", "action"), [(-HOUR, RAISE), (HOUR, WATCH)])
def test_a_breach_that_was_found_since_the_ramp_began_anew_stays(later, action):
    """The guard watches by the state that it found, and does not know that a phase was run again."""
    again = Start(began=DAY_1 + 5 * DAY, watched=DAY_1 + 5 * DAY)
    breached = state_at(1, ROLLBACK, since=DAY_1 + 5 * DAY + later)
    result = planned(seen_at(8, 1, breached), start=again)
    assert (result.action, result.after.started) == (action, DAY_1 + 5 * DAY)


def test_a_watch_from_before_the_ramp_began_anew_does_not_count():
    again = Start(began=DAY_1 + 5 * DAY, watched=DAY_1 + HOUR)
    assert planned(seen_at(8, 1, state_at(1)), start=again).action == WATCH


RELEASE = {"release_reason": "a marketing mail", "released_by": "ann"}


def test_a_person_releases_a_held_gate_and_the_ramp_goes_on():
    result = planned(seen_at(3, 5, state_at(5, HOLD)), **RELEASE)
    assert (result.action, result.percentage) == (RAISE, 10)
    assert [entry.what for entry in result.after.history] == ["released", "raised"]
    assert (result.after.history[0].by, result.after.history[0].reason) == (
        "ann",
        "a marketing mail",
    )


def test_a_release_before_the_next_day_is_kept_for_it():
    facts = seen_at(2.5, 5, state_at(5, HOLD))
    result = planned(facts, **RELEASE)
    assert (result.action, result.after.verdict) == (WAIT, RELEASED)
    written = result.writes(facts.annotation)
    again = planned(replace(facts, annotation=written), **RELEASE)
    assert again.writes(written) is None
    assert planned(replace(facts, annotation=written, now=DAY_1 + 2 * DAY)).action == RAISE


@cases("verdict", {"a definite breach": ROLLBACK, "a watch that is not over": PENDING})
def test_a_person_cannot_release(verdict):
    result = planned(seen_at(3, 5, state_at(5, verdict)), **RELEASE)
    assert (result.action, result.after.verdict) == (WATCH, verdict)
    assert "nothing was released" in result.notes[0]


def test_words_release_one_gate_and_not_the_next():
    """The command is in the shell's history, and is typed again when the next step is held."""
    released = planned(seen_at(3, 5, state_at(5, HOLD)), **RELEASE).after
    held = replace(released, verdict=HOLD)
    result = planned(seen_at(4.5, 10, held), **RELEASE)
    assert (result.action, result.after.verdict) == (WATCH, HOLD)
    assert "released 5 %" in result.notes[0]
    other = planned(seen_at(4.5, 10, held), released_by="ann", release_reason="another mail")
    assert other.action == RAISE


@pytest.mark.parametrize("left", [0, 1], ids=["by the ramp", "by somebody's hand"])
def test_from_zero_after_a_breach_a_person_must_speak(left):
    """There is nothing to watch where nobody is, so no gate can find it good again."""
    facts = seen_at(3, 0, state_at(left, ROLLBACK, reasons=("errors",)))
    result = planned(facts)
    assert (result.action, kinds(result)) == (REFUSE, ["breach"])
    assert "errors" in result.reasons[0].text
    assert planned(facts, **RELEASE).action == RAISE


def test_what_it_left_can_be_read_back_and_stays_small():
    state = state_at(1)
    for _turn in range(30):
        state = planned(seen_at(40, state.percentage, state), 0, reason="x" * 1000).after
        state = planned(seen_at(40, 0, state)).after
    assert RampState.from_annotation(state.to_annotation()) == state
    assert len(state.history) == ENTRIES
    assert len(state.to_annotation()) < 20_000


@pytest.mark.parametrize(
    "text",
    ["", "no JSON", "[]", "null", '"x"', "{}", json.dumps({**state_at(5).to_json(), "since": "x"})],
)
def test_a_state_that_cannot_be_read_is_told_and_begun_anew(text):
    result = planned(replace(seen_at(6, 5), annotation=text))
    assert result.action == WATCH
    assert "cannot be read" in result.notes[0]


@given(
    at=st.sampled_from([0, 1, 5, 10, 25, 50, 75, 90, 100, 7]),
    left=st.sampled_from([0, 1, 5, 10, 25, 50, 75, 90, 100]),
    verdict=st.sampled_from([PENDING, PROCEED, HOLD, ROLLBACK, RELEASED]),
    day=st.floats(1, 12),
    killed=st.sampled_from(["", KILLED]),
    held=st.sampled_from(["", HELD]),
    percentage=st.sampled_from([None, 0, 1, 5, 10, 25, 50, 75, 90, 100]),
    words=st.booleans(),
)
def test_nothing_goes_up_but_one_step_with_everything_in_order(
    at, left, verdict, day, killed, held, percentage, words
):
    facts = seen_at(day, at, state_at(left, verdict), killed=killed, held=held)
    result = planned(facts, percentage, **(RELEASE if words else {}))
    assert result.percentage is not None
    if result.percentage > at:
        assert not killed
        assert not held
        assert result.percentage == SCHEDULE.steps[SCHEDULE.number(at) or 0].percentage
        assert at == 0 or (at == left and verdict != PENDING)
        assert verdict != ROLLBACK or words
        assert result.target is not None
        assert facts.now >= SCHEDULE.begins(result.target, DAY_1)
    if percentage is not None and percentage < at:
        assert (result.action, result.percentage) == (LOWER, percentage)
