"""Comparisons of cohorts within a watch: breach, doubt, silence, a kill, and what is said of it all."""

import json
import typing as t
from dataclasses import replace

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._decode import (
    decode,
    dumped,
    encoded,
    restored,
)
from ansible_collections.easymo.deploy.plugins.module_utils._errors import InputError
from ansible_collections.easymo.deploy.plugins.module_utils._gate.cohorts import (
    COUNTS,
    CohortComparison,
    Cohorts,
)
from ansible_collections.easymo.deploy.plugins.module_utils._gate.models import (
    Bounds,
    Metric,
    Sample,
    SampleStatus,
    Verdict,
    failed_sample,
)
from ansible_collections.easymo.deploy.plugins.module_utils._gate.options import (
    refuse_bad_comparisons,
    with_comparisons,
)
from ansible_collections.easymo.deploy.plugins.module_utils._gate.report import describe_watch
from ansible_collections.easymo.deploy.plugins.module_utils._gate.sources import look
from ansible_collections.easymo.deploy.plugins.module_utils._gate.state import (
    Schedule,
    WatchState,
    begin,
)
from ansible_collections.easymo.deploy.plugins.module_utils._gate.watch import (
    WatchPlan,
    WatchResult,
    WatchStep,
    next_step,
    run_watch,
)
from ansible_collections.easymo.deploy.plugins.module_utils._release.record import Comparison

Look: t.TypeAlias = "tuple[float, float, float, float] | str | None"
NOTHING: Look = (0, 0, 0, 0)


def metric(name: str = "users", **given: t.Any) -> Metric:
    comparison = CohortComparison(**given)
    return Metric(
        name,
        "prometheus",
        "q",
        "evidence",
        Bounds(above=comparison.needed),
        breaches=1,
        comparison=comparison,
    )


def counted(look: tuple[float, float, float, float]) -> dict[str, float]:
    return {f"{cohort} {what} ": one for (cohort, what), one in zip(COUNTS, look, strict=True)}


def sample(look: Look) -> Sample:
    if isinstance(look, tuple):
        return Sample(None, counts=counted(look))
    return failed_sample(look or "Prometheus did not answer")


def watch(
    *looks: Look, metrics: t.Sequence[Metric] = (), state: WatchState | None = None
) -> WatchStep:
    """Each look is of the only metric, or of all of them alike."""
    metrics = metrics or [metric()]
    begun = round(state.elapsed / 10.0) + 1 if state else 0
    state = state or begin(metrics, 1_700_000_000.0)
    plan = WatchPlan(tuple(metrics), Schedule(duration=10.0 * (begun + len(looks) - 1)))
    for number, counts in enumerate(looks, begun):
        seen = {one.name: sample(counts) for one in metrics}
        step = next_step(plan, state.looked(metrics, seen, number * 10.0), None)
        state = step.state
        if step.decision:
            break
    return step


def verdict(step: WatchStep) -> Verdict | None:
    return step.decision and step.decision.verdict


def reasons(step: WatchStep) -> str:
    assert step.decision
    return "; ".join(one.text for one in step.decision.reasons)


def told(step: WatchStep, *metrics: Metric) -> dict[str, t.Any]:
    assert step.decision
    return describe_watch(metrics or (metric(),), WatchResult(step.decision, step.state))


HEALTHY: Look = (5000, 50, 5000, 50)
WORSE: Look = (5000, 120, 5000, 50)


def test_a_release_whose_users_fail_more_often_goes_back_at_once():
    step = watch(NOTHING, WORSE, WORSE)
    assert (verdict(step), step.state.elapsed) == (Verdict.ROLLBACK, 10.0)
    assert "treated users failed 2.4 times as often as the control (120 of 5,000" in reasons(step)
    assert "of 100" in reasons(step)


def test_what_hits_everybody_at_once_brings_nobody_down():
    """One user of twenty has the feature, and both cohorts fail as often as where treated ones alone would go back."""
    at_five = metric(must_detect=5.0, share=0.05)
    alone, everybody = (500, 50, 9500, 400), (500, 50, 9500, 950)
    assert verdict(watch(NOTHING, alone, metrics=[at_five])) is Verdict.ROLLBACK
    assert verdict(watch(NOTHING, everybody, metrics=[at_five])) is Verdict.PROCEED


def test_a_proceed_says_what_it_could_have_seen():
    result = told(watch(NOTHING, HEALTHY))
    assert result["verdict"] == "proceed"
    assert (
        "could have seen 2.24 times as many failing users, nine times of ten" in result["sentence"]
    )
    assert result["sensitivity"] in result["sentence"]
    compared = result["samples"][0]["comparison"]
    assert compared["treated"] == {"seen": 5000, "failed": 50}
    assert compared["detectable"]["ratio"] == pytest.approx(2.24, abs=0.01)
    assert encoded(decode(Comparison, compared, "comparison", [])) == compared
    json.dumps(result)


@pytest.mark.parametrize(
    ("look", "expected", "words"),
    [
        ((20_000, 200, 10_000, 100), Verdict.PROCEED, "treated users wrote 2 times as much"),
        (
            (5_000, 100, 10_000, 100),
            Verdict.HOLD,
            "(100 of 5,000, control 100 of 10,000) and wrote 0.5 times as much: evidence 128 of 100 by message and "
            "0.0228 by user, so that what they wrote may explain it",
        ),
        ((10_000, 300, 10_000, 100), Verdict.ROLLBACK, "and wrote 1 times as much: evidence"),
    ],
)
def test_what_users_wrote_is_told_and_holds_where_it_explains_the_difference(look, expected, words):
    half = metric(share=0.5)
    step = watch(NOTHING, look, metrics=[half])
    assert verdict(step) is expected
    assert words in told(step, half)["sentence"]


def test_few_users_proceed_with_the_words_that_nothing_could_be_seen():
    assert "could have seen no harm of any size" in told(watch(NOTHING, (1, 0, 30, 1)))["sentence"]


def test_who_must_see_more_holds_until_it_can():
    strict = metric(must_detect=2.0)
    step = watch(NOTHING, HEALTHY, metrics=[strict])
    assert verdict(step) is Verdict.HOLD
    assert (
        "must be able to see 2 times as many failing users, and could have seen 2.24 times"
        in reasons(step)
    )
    longer = watch(NOTHING, HEALTHY, (14_000, 140, 14_000, 140), metrics=[strict])
    assert verdict(longer) is Verdict.PROCEED


@pytest.mark.parametrize(
    ("look", "words"),
    [
        ((0, 0, 900, 9), "no treated user yet"),
        ((900, 9, 0, 0), "no user of the control yet"),
        (NOTHING, "no user yet"),
        (None, "no data"),
        ((10, 11, 900, 9), "more treated users failed than were seen"),
    ],
)
def test_silence_and_nonsense_hold_and_never_go_back(look, words):
    step = watch(NOTHING, look)
    assert verdict(step) is Verdict.HOLD
    assert words in reasons(step)


@pytest.mark.parametrize(
    ("share", "look", "words"),
    [
        (1.0, (9000, 90, 0, 0), "users compared no users, for all users have the feature"),
        (0.0, (0, 0, 9000, 90), "users compared no users, for no user has the feature"),
    ],
)
def test_where_everybody_has_the_feature_or_nobody_has_there_is_nothing_to_wait_for(
    share, look, words
):
    step = watch(NOTHING, look, metrics=[metric(share=share, must_detect=2.0)])
    result = told(step, metric(share=share, must_detect=2.0))
    assert result["verdict"] == "proceed"
    assert words in result["sentence"]
    assert words.removeprefix("users ") in result["samples"][0]["comparison"]["could_have_seen"]
    # Silence stays silence.
    silent = watch(NOTHING, None, metrics=[metric(share=share)])
    assert verdict(silent) is Verdict.HOLD


def test_swapped_queries_are_noticed_by_the_share_and_hold():
    swapped = watch(NOTHING, (9500, 95, 500, 10), metrics=[metric(share=0.05)])
    assert verdict(swapped) is Verdict.HOLD
    assert "95 % of the users seen are treated, and 5 % should be" in reasons(swapped)
    worse = (9500, 950, 500, 5)
    assert watch(NOTHING, worse).decision is not None
    assert watch(NOTHING, worse, metrics=[metric(share=0.05)]).state.series["users"].breaches == 0


def test_prometheus_gone_in_the_middle_loses_no_user():
    step = watch(NOTHING, (100, 1, 100, 1), None, None, WORSE, HEALTHY)
    assert verdict(step) is Verdict.ROLLBACK
    assert step.state.evidence["users"].total == Cohorts.of(WORSE)


def test_a_kill_in_between_leaves_the_same_evidence():
    looks: list[Look] = [(500 * n, 6 * n, 500 * n, 5 * n) for n in range(1, 9)]
    whole = watch(NOTHING, *looks).state
    half = watch(NOTHING, *looks[:4]).state
    kept = restored(WatchState, json.loads(dumped(replace(half, ended=""))), "state")
    assert watch(*looks[4:], state=kept).state.evidence == whole.evidence


class Kept:
    """A memory with a watch that another run left."""

    def __init__(self, state: WatchState) -> None:
        self.state = state

    def recall(self, plan: WatchPlan) -> WatchState | None:
        return self.state

    def decision_on(self, state: WatchState) -> None:
        return None

    def keep(self, state: WatchState) -> None:
        return


def test_a_watch_that_goes_on_keeps_the_evidence_that_it_began_with():
    """What was found meanwhile may be of the very users whom it has counted already."""
    began, later = metric(before=9.0), metric(before=95.0)
    state = watch(NOTHING, (500, 6, 500, 6), (900, 9, 900, 9), metrics=[began]).state
    kept = restored(WatchState, json.loads(dumped(replace(state, ended=""))), "state")
    counted = Answers(ts=900, tf=9, cs=900, cf=9)
    found = run_watch(
        [replace(later, cohorts={"treated": TREATED, "control": CONTROL})],
        {"users": counted},
        Schedule(duration=20.0),
        memory=Kept(kept),
        clock=lambda: 20.0,
        sleep=lambda _seconds: None,
    )
    assert found.state.series["users"].value == kept.evidence["users"].value(began.comparison)


def test_several_share_one_budget_and_only_the_guilty_is_blamed():
    pair = [metric("a", of=2), metric("b", of=2)]
    state = begin(pair, 1_700_000_000.0)
    for at, (one, other) in enumerate([(NOTHING, NOTHING), (WORSE, HEALTHY)]):
        state = state.looked(pair, {"a": sample(one), "b": sample(other)}, 10.0 * at)
    assert {name: one.status for name, one in state.series.items()} == {
        "a": SampleStatus.BREACH,
        "b": SampleStatus.GOOD,
    }


def test_who_cannot_be_believed_is_evidence_against_nobody():
    pair = [metric("swapped", of=2, share=0.05), metric("well", of=2, share=0.05)]
    state = begin(pair, 1_700_000_000.0)
    looks = [(NOTHING, NOTHING), ((9500, 950, 500, 5), (500, 5, 9500, 95))]
    for at, (one, other) in enumerate(looks):
        state = state.looked(pair, {"swapped": sample(one), "well": sample(other)}, 10.0 * at)
    assert {name: one.status for name, one in state.series.items()} == {
        "swapped": SampleStatus.NO_DATA,
        "well": SampleStatus.GOOD,
    }


def test_metrics_that_compare_nothing_are_left_alone():
    plain = Metric("m", "prometheus", "q", "", Bounds(maximum=1, above=5))
    step = begin([plain], 0.0).looked([plain], {"m": Sample(0.5)}, 0.0)
    assert (step.evidence, step.series["m"].last) == ({}, Sample(0.5))


class Answers:
    def __init__(self, **answers: float | str) -> None:
        self.answers, self.asked = answers, []

    def sample(self, query: str) -> Sample:
        self.asked.append(query)
        found = self.answers[query.split(maxsplit=1)[0]]
        return failed_sample(found) if isinstance(found, str) else Sample(found)


TREATED = {"seen": "ts since {since}", "failed": "tf since {since}"}
CONTROL = {"seen": "cs", "failed": "cf"}


def counting(treated: dict[str, str], **given: t.Any) -> Metric:
    return replace(metric(**given), cohorts={"treated": treated, "control": CONTROL})


def test_failing_users_are_asked_for_before_those_seen_and_since_the_watch_began():
    source = Answers(ts=10, tf=2, cs=90, cf=3)
    seen = look(source, counting(TREATED), 1_700_000_000.0)
    assert seen.counts == counted((10, 2, 90, 3))
    assert source.asked == [
        "tf since 2023-11-14T22:13:20Z",
        "cf",
        "ts since 2023-11-14T22:13:20Z",
        "cs",
    ]


def test_a_query_that_draws_users_itself_is_told_the_share_who_are_treated():
    drawing = {"seen": "ts < {treated_share}", "failed": "tf < {treated_share}"}
    source = Answers(ts=10, tf=2, cs=90, cf=3)
    assert look(source, counting(drawing, share=0.05)).counts
    assert source.asked == ["tf < 0.05", "cf", "ts < 0.05", "cs"]
    untold = look(source, counting(drawing))
    assert "asks for {treated_share}, which is not known" in untold.problem


def test_one_of_the_four_that_is_missing_makes_all_of_them_missing():
    seen = look(Answers(ts=10, tf=2, cs="HTTP 503", cf=3), counting(TREATED))
    assert (seen.counts, seen.error) == (None, True)
    assert seen.problem == "the control users seen cannot be told: HTTP 503"


def options(**given: t.Any) -> tuple[dict[str, t.Any], list[Metric]]:
    entry = {
        "name": "users",
        "kind": "prometheus",
        "treated": TREATED,
        "control": CONTROL,
        "worse_than": 1.0,
        "pass": None,
        "rollback": None,
    }
    of_gate = {"alpha": 0.01, "must_detect": None, "treated_share": None, "evidence_before": {}}
    entry.update({name: given.pop(name) for name in [*given] if name in entry})
    params = {**of_gate, **given, "metrics": [entry]}
    return params, [Metric("users", entry["kind"], "", "", Bounds())]


@pytest.mark.parametrize(("given", "words"), [
    ({"alpha": 0.0}, "'alpha' is 0; it is between 0 and 1"),
    ({"treated_share": 1.5}, "'treated_share' is 1.5; it is from 0 to 1"),
    ({"worse_than": 0.5}, "'worse_than' is 0.5; it is at least 1"),
    ({"worse_than": 2.0, "must_detect": 2.0}, "allows 2: it is more than that"),
    ({"kind": "alerts"}, "counts no users"),
    ({"rollback": {"above": 3}}, "leave out 'pass' and 'rollback'"),
])  # fmt: skip
def test_options_that_mean_nothing_are_refused(given, words):
    params, metrics = options(**given)
    with pytest.raises(InputError) as caught:
        refuse_bad_comparisons(params, metrics)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("before", "counts"), [({}, 1.0), ({"users": 30.0}, 30.0), ({"users": 230.0}, 1.0)]
)
def test_evidence_that_was_enough_is_spent(before, counts):
    params, metrics = options(evidence_before=before)
    refuse_bad_comparisons(params, metrics)
    comparison = with_comparisons(metrics, params)[0].comparison
    assert comparison
    assert comparison.before == counts


@pytest.mark.parametrize("before", [-1.0, "many", True, float("nan")])
def test_evidence_before_is_a_number(before):
    params, metrics = options(evidence_before={"users": before})
    with pytest.raises(InputError):
        with_comparisons(metrics, params)
