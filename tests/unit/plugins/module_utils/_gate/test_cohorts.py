"""Evidence that treated users fail more often: what it may do by chance, by counting every case there is."""

import itertools
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.easymo.deploy.plugins.module_utils._decode import dumped, restored
from ansible_collections.easymo.deploy.plugins.module_utils._gate import cohorts as rule
from ansible_collections.easymo.deploy.plugins.module_utils._gate.cohorts import (
    COUNTS,
    CohortComparison,
    Cohorts,
    ComparisonEvidence,
    Counts,
    blamed,
    contradicts,
)

PLAIN, HALF = CohortComparison(), CohortComparison(share=0.5)
NAMES = [f"{cohort} {what}" for cohort, what in COUNTS]
Look = tuple[float, float, float, float]


def reading(look: Look, pod: str = "") -> dict[str, float]:
    return {f"{name} {pod}": one for name, one in zip(NAMES, look, strict=True)}


def evidence(*looks: Look, margin: float = 1.0, share: float | None = None) -> ComparisonEvidence:
    """After looks at running counts: treated seen and failed, control seen and failed."""
    found, how = ComparisonEvidence(), CohortComparison(margin=margin, share=share)
    for number, look in enumerate([(0.0, 0.0, 0.0, 0.0), *looks]):
        found, _problem = found.looked(reading(look), how, 10.0 * number)
    return found


def value(*looks: Look, margin: float = 1.0) -> float:
    return evidence(*looks, margin=margin).value(PLAIN)


def chance(number: int, of: int, each: float) -> float:
    return math.comb(of, number) * each**number * (1 - each) ** (of - number)


@pytest.mark.parametrize("margin", [1.0, 1.5, 3.0])
@pytest.mark.parametrize(("treated", "control"), [(4, 4), (1, 9), (6, 2)])
@pytest.mark.parametrize("risk", [0.01, 0.2])
@pytest.mark.parametrize("full", [22.0, 0.3])
def test_on_average_a_look_adds_no_evidence_against_a_release_that_is_as_good_as_the_margin_asks(
    margin, treated, control, risk, full, monkeypatch
):
    """Nor when a look counts for less because it says much."""
    monkeypatch.setattr(rule, "_FULL", full)
    for worse in (0.0, margin / 2, margin):
        mean = math.fsum(
            chance(k, treated, worse * risk)
            * chance(m, control, risk)
            * value((treated, k, control, m), margin=margin)
            for k in range(treated + 1)
            for m in range(control + 1)
        )
        assert mean <= 1 + 1e-12


def test_against_one_that_is_worse_it_grows_on_average():
    mean = math.fsum(
        chance(k, 20, 0.6) * chance(m, 20, 0.2) * value((20, k, 20, m))
        for k in range(21)
        for m in range(21)
    )
    assert mean > 4


@pytest.mark.parametrize("treated", [2, 4, 6])
@pytest.mark.parametrize("failing", [(1, 1, 2, 3), (1, 2, 3, 4, 5), (2, 2, 2, 3, 3, 3, 3)])
def test_whoever_fails_whenever_random_cohorts_reach_no_level_more_often_than_it_promises(
    treated, failing
):
    """The users and when they first fail are given; only who is treated is drawn: every way to draw them is tried."""
    users, reached = 9, []
    for chosen in itertools.combinations(range(users), treated):
        looks, counted = [], [0, 0, 0, 0]
        for look in range(1, 6):
            for user in range(users):
                fails = failing[user] if user < len(failing) else 9
                cohort = 0 if user in chosen else 2
                counted[cohort] += fails >= look
                counted[cohort + 1] += fails == look
            looks.append(tuple(counted))
        reached.append(max(value(*looks[:end]) for end in range(1, 6)))
        last = value(*looks)
    for level in (1.2, 1.5, 2.0, 3.0):
        assert sum(1 for one in reached if one >= level) / len(reached) <= 1 / level
    assert last > 0


def test_the_same_users_in_one_look_or_in_many_count_once():
    """A look that was missed, for an hour or a second, loses nobody and counts nobody twice."""
    rare = [(1000 * n, 2 * n, 1000 * n, n) for n in range(1, 11)]
    assert value(*rare) == pytest.approx(value(rare[-1]), rel=0.05)
    assert value(*rare, rare[-1], rare[-1]) == pytest.approx(value(*rare))


def test_who_fails_less_often_gathers_none_and_swapped_cohorts_are_the_other_way_round():
    assert value((5000, 100, 5000, 50)) > 100
    assert value((5000, 50, 5000, 100)) < 0.1


def test_common_failures_cancel():
    """Ten times as many failures for everybody are no evidence against the release."""
    assert value((500, 100, 9500, 1900), (1000, 250, 19000, 4750)) < 1


def test_up_to_the_margin_it_may_be_worse():
    twice = (5000, 100, 5000, 50)
    assert value(twice) > 100
    assert value(twice, margin=2.0) < 1
    assert value((5000, 300, 5000, 50), margin=2.0) > 100


@pytest.mark.parametrize(
    "nobody",
    [(0, 0, 900, 90), (900, 90, 0, 0), (0, 0, 0, 0)],
    ids=["no treated user", "no user of the control", "no user"],
)
def test_where_nobody_is_compared_there_is_no_evidence(nobody):
    assert value(nobody) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("look", "problem"),
    [
        ((100, 1, 90, 1), "a count fell"),
        ((100, 101, 120, 1), "more treated users failed than were seen"),
        ((100, 1, 120, 121), "more control users failed than were seen"),
        ((100, -1, 120, 1), "below 0"),
        ((math.nan, 1, 120, 1), "below 0"),
    ],
)
def test_what_cannot_be_is_no_evidence_and_told(look, problem):
    before = evidence((50, 0, 50, 0), (100, 1, 100, 1))
    after, told = before.looked(reading(look), PLAIN, 30.0)
    assert problem in told
    assert (after.by_message, after.total) == (before.by_message, before.total)


def followed(*looks: dict[str, float], every: float = 10.0) -> tuple[ComparisonEvidence, list[str]]:
    found, problems = ComparisonEvidence(), []
    for number, look in enumerate(looks):
        found, problem = found.looked(look, PLAIN, every * number)
        problems.append(problem)
    return found, problems


def test_a_sum_without_a_pod_says_nothing_and_with_it_again_counts_nobody_twice():
    looks = [reading(one) for one in ((0, 0, 0, 0), (900, 9, 900, 9), (600, 6, 600, 6))]
    found, problems = followed(*looks, reading((990, 10, 990, 9)))
    assert problems == ["", "", "a count fell", ""]
    assert found.total == Cohorts(Counts(990, 10), Counts(990, 9))


def test_after_five_minutes_a_counter_that_fell_began_again_and_only_what_grows_since_counts():
    looks = [(0, 0, 0, 0), (1000, 50, 1000, 40), (10, 0, 12, 0), (90, 1, 90, 1), (590, 6, 590, 6)]
    found, problems = followed(*map(reading, looks), every=300.0)
    assert problems == ["", "", "a count fell", "a count began again", ""]
    assert (found.resets, found.total) == (1, Cohorts(Counts(1500, 55), Counts(1500, 45)))


def test_a_pod_that_is_gone_comes_new_or_began_again_leaves_the_others_as_they_are():
    stays = [reading((100 * n, n, 100 * n, n), "a") for n in range(5)]
    gone = [reading((500, 5, 500, 5), "b"), {}, {}, reading((510, 6, 500, 5), "b"), {}]
    new = [{}, {}, reading((70, 7, 70, 7), "c"), {}, reading((80, 8, 70, 7), "c")]
    again = [reading((n, 0, n, 0), "d") for n in (50, 60, 0, 4, 9)]
    found, problems = followed(
        *(a | b | c | d for a, b, c, d in zip(stays, gone, new, again, strict=True))
    )
    assert problems == [""] * 5
    assert found.total == Cohorts(Counts(400 + 10 + 10 + 10, 4 + 1 + 1), Counts(410, 4))


def test_pods_that_are_gone_for_an_hour_are_kept_no_longer():
    """A watch of a day with many restarts would fill its ConfigMap."""
    looks = (reading((9, 0, 9, 0), f"pod-{n}") | reading((n, 0, n, 0)) for n in range(100))
    found, _problems = followed(*looks, every=600.0)
    assert len(found.readings) <= 8 * len(NAMES)


def test_who_is_seen_a_moment_after_failing_counts_at_the_next_look():
    late, problem = evidence((2, 0, 50, 0)).looked(reading((2, 3, 50, 0)), PLAIN, 20.0)
    assert problem
    there, problem = late.looked(reading((9, 3, 60, 0)), PLAIN, 30.0)
    assert (problem, there.total.treated) == ("", Counts(9, 3))


def test_what_was_counted_before_the_watch_is_not_of_the_watch():
    found, _problem = ComparisonEvidence().looked(reading((1000, 900, 1000, 1)), PLAIN, 0.0)
    assert found.value(PLAIN) == pytest.approx(1.0)


def both(look: Look) -> tuple[bool, bool, float | None]:
    """Whether the evidence by message and by user is enough, and how much treated users wrote."""
    found = evidence(look, share=0.5)
    bets = found.by_message, found.by_user
    assert found.value(HALF) == min(bets[0].value(HALF), 10 * bets[1].value(HALF))
    return *(one.value(HALF) >= 100 for one in bets), HALF.activity(found.total)  # type: ignore[return-value]


def test_who_writes_more_fails_more_often_as_a_user_and_no_message_of_his_does():
    assert both((20_000, 200, 10_000, 100)) == (False, True, 2.0)
    assert both((5_000, 100, 10_000, 100)) == (True, False, 0.5)
    assert both((20_000, 600, 10_000, 100)) == (True, True, 2.0)


def test_who_begins_to_write_more_within_the_watch_is_no_worse():
    more = [(40_000 + 3_000 * n, 30 * n, 40_000 + 1_000 * n, 10 * n) for n in range(9)]
    assert value(*more) < 1


def test_however_many_write_a_bad_minute_of_one_cohort_is_no_proof_and_a_breakdown_is():
    assert value((10**7, 150_000, 10**7, 100_000)) < 10
    assert value((10**7, 300_000, 10**7, 100_000)) > 100


def test_a_harm_that_begins_after_half_an_hour_is_found():
    well = [(500.0 * n, 5.0 * n, 500.0 * n, 5.0 * n) for n in range(1, 181)]
    ill = [(500.0 * n, 5.0 * n + 10 * (n - 180), 500.0 * n, 5.0 * n) for n in range(181, 241)]
    assert value(*well) < 1
    assert value(*well, *ill) > 100


@given(
    st.lists(
        st.tuples(*[st.integers(0, 10**7)] * 4).filter(
            lambda one: one[1] <= one[0] and one[3] <= one[2]
        ),
        max_size=6,
    ),
    st.floats(1.0, 20.0),
)
def test_it_stays_a_number_and_survives_being_kept(grown, margin):
    running = list(
        itertools.accumulate(grown, lambda a, b: tuple(x + y for x, y in zip(a, b, strict=True)))
    )
    found = evidence(*running, margin=margin)
    assert 0 <= found.value(PLAIN) <= 1e9
    assert restored(ComparisonEvidence, json.loads(dumped(found)), "evidence") == found


def test_half_of_the_stake_goes_on_from_the_watch_before():
    """(1 + before) / 2 is 1 on average, as long as before was: so is what this watch makes of it."""
    look = evidence((500, 10, 500, 5))
    alone, doubted, cleared = (
        look.value(CohortComparison(before=before)) for before in (1.0, 30.0, 0.0)
    )
    assert doubted == pytest.approx(15.5 * alone)
    assert cleared == pytest.approx(alone / 2)


def test_all_comparisons_share_one_budget():
    assert blamed({"a": 99.0}, 0.01) == set()
    assert blamed({"a": 100.0}, 0.01) == {"a"}
    assert blamed({"a": 150.0, "b": 0.1}, 0.01) == set()
    assert blamed({"a": 200.0, "b": 0.1}, 0.01) == {"a"}
    assert blamed({"a": 150.0, "b": 150.0}, 0.01) == {"a", "b"}
    assert blamed({"a": 190.0, "b": 20.0}, 0.01) == {"a"}
    assert blamed({}, 0.01) == set()


@pytest.mark.parametrize(
    ("treated", "control", "expected"),
    [
        (50, 950, False),
        (1, 99, False),
        (95, 5, True),
        (950, 50, True),
        (9, 91, False),
        (0, 3000, True),
        (4, 6, False),
        (0, 0, False),
    ],
)
def test_a_share_far_from_the_configured_5_percent_is_noticed_once_it_is_no_chance(
    treated, control, expected
):
    assert contradicts(Cohorts(Counts(treated), Counts(control)), 0.05) is expected
