# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge what a look saw of all comparisons of cohorts: together, for they share one budget of false alarms. Pure.

What a comparison could have seen: the smallest harm that it would have found nine times of ten. Pure.

Of `n` failing users a breach needs `k(n)` treated ones, which follows from the rule. With a harm `r` there would be
`m (1 + r o)` failing users, `m` those of the control that were seen and `o` the odds of being treated, and of them a
share theta(r) would be treated. The smallest `r` is the one at which `k(n)` is the tenth percentile of that binomial,
by the arcsine of its square root, whose spread hardly depends on the share. Deterministic, in milliseconds.
"""

from __future__ import annotations

import math
import typing as t

from . import cohorts
from .cohorts import (
    RATIOS,
    CohortComparison,
    Cohorts,
    ComparisonEvidence,
    Counts,
    blamed,
    contradicts,
    grown_by,
    log_mean,
)
from .models import Metric, Sample, SampleStatus

CHANCE = 0.9
_NORMAL = 1.2816
"""The ninetieth percentile of the normal distribution."""
_LARGEST = 1000.0
"""A harm beyond this is as good as none that could be seen."""
_LONGEST = 400 * 86400.0


class Detectable(t.NamedTuple):
    """`ratio`: so many times as often as the control; None when no harm could be seen, or the control has no failures.

    `failing`: so many of the treated users would have had to fail; None when more than were seen. `difference`: of
    values instead, by so much higher on average.
    """

    ratio: float | None = None
    failing: float | None = None
    difference: float | None = None


def detectable(total: Cohorts, comparison: CohortComparison) -> Detectable:
    """By a watch that saw these users, whatever it found."""
    share = total.share
    if share is None or not 0.0 < share < 1.0:
        return Detectable()
    if comparison.at_most is not None:
        users = cohorts.harmonic(total.treated.observed, total.control.observed)
        difference = cohorts.smallest(
            users,
            at_most=comparison.at_most,
            allowed=comparison.allowed,
            needed=_needed(comparison),
        )
        return Detectable(difference=difference)
    failed = total.control.failed
    if failed <= 0:
        few = _plausible(_least(0.0, share, comparison))
        return Detectable(failing=few if few <= total.treated.observed else None)
    ratio = smallest(failed, share, comparison)
    failing = ratio * failed * share / (1.0 - share)
    if ratio >= _LARGEST or failing > total.treated.observed:
        return Detectable()
    return Detectable(ratio, failing)


def smallest(failed: float, share: float, comparison: CohortComparison) -> float:
    """The smallest harm that is found when so many users of the control fail."""
    odds = share / (1.0 - share)

    def detects(ratio: float) -> bool:
        treated = ratio * odds * failed
        number = treated + failed
        least = number * _least_share(number, share, comparison)
        reached = math.asin(math.sqrt(min(1.0, treated / number)))
        requested = math.asin(math.sqrt(min(1.0, max(0.0, least - 0.5) / number)))
        return reached - requested >= _NORMAL / (2.0 * math.sqrt(number))

    return _first(detects, comparison.margin, _LARGEST)


def seconds_needed(
    total: Cohorts, seconds: float, share: float, comparison: CohortComparison, must_detect: float
) -> float | None:
    """How long a watch at another share takes at this traffic until it can see that harm; None when it never can.

    Of a healthy release: all users fail as often as those of the control did.
    """
    observed = total.treated.observed + total.control.observed
    if seconds <= 0 or not 0.0 < share < 1.0 or must_detect <= comparison.margin:
        return None
    if total.control.failed <= 0:
        return None
    rate = total.control.failed / total.control.observed * observed / seconds * (1.0 - share)

    def suffices(length: float) -> bool:
        return smallest(rate * length, share, comparison) <= must_detect

    needed = _first(suffices, 1.0, _LONGEST)
    return needed if needed < _LONGEST else None


def _least_share(number: float, share: float, comparison: CohortComparison) -> float:
    """The share of so many failing users that must be treated for a breach; more than 1 when all are too few."""

    def breach(of: float) -> bool:
        return _log(of * number, (1.0 - of) * number, share, comparison) >= _needed(comparison)

    return _first(breach, 0.0, 1.0) if breach(1.0) else 2.0


def _least(control: float, share: float, comparison: CohortComparison) -> float:
    """So many treated users must fail for a breach."""
    return _first(
        lambda treated: _log(treated, control, share, comparison) >= _needed(comparison), 0.0, 1e6
    )


def _plausible(least: float) -> float:
    """How many failing users are to be expected for so many to be seen nine times of ten."""
    return (math.sqrt(max(0.0, least - 0.125)) + _NORMAL / 2.0) ** 2 - 0.375


def _log(treated: float, control: float, share: float, comparison: CohortComparison) -> float:
    return log_mean(grown_by((0.0,) * len(RATIOS), treated, control, share, comparison.margin))


def _needed(comparison: CohortComparison) -> float:
    return math.log(comparison.needed / comparison.start)


def _first(holds: t.Callable[[float], bool], low: float, high: float) -> float:
    """Where it begins to hold between the two; the upper end when it never does."""
    if not holds(high):
        return high
    while high - low > 1e-4 * high + 1e-9:
        middle = (low + high) / 2.0
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def evidence_words(comparison: CohortComparison, evidence: ComparisonEvidence) -> str:
    """What the users say who were seen: how often each cohort failed, and how strong the evidence is."""
    total = evidence.total
    if comparison.at_most is not None:
        return _values(comparison, evidence)
    often = (
        f"{times(total.ratio)} as often as the control"
        if total.ratio
        else "and no user of the control"
    )
    margin = f"more than {times(comparison.margin)} as often is " if comparison.margin > 1.0 else ""
    return (
        f"treated users failed {often} ({total.treated.failed:,.0f} of {total.treated.observed:,.0f}, control "
        f"{total.control.failed:,.0f} of {total.control.observed:,.0f}): {margin}evidence "
        f"{evidence.value(comparison):.3g} of {comparison.needed:g}"
    )


def _values(comparison: CohortComparison, evidence: ComparisonEvidence) -> str:
    total = evidence.total
    allowed = f"higher by more than {comparison.allowed:g} is " if comparison.allowed else ""
    return (
        f"treated users have {mean(total.treated):.4g} on average, the control {mean(total.control):.4g} "
        f"({total.treated.observed:,.0f} and {total.control.observed:,.0f} users): {allowed}evidence "
        f"{evidence.value(comparison):.3g} of {comparison.needed:g}"
    )


def mean(of: Counts) -> float:
    return of.failed / of.observed if of.observed else 0.0


def could_see(comparison: CohortComparison, evidence: ComparisonEvidence) -> str:
    if comparison.missing_arm:
        return f"compared no users, for {comparison.missing_arm}"
    return could_have_seen(detectable(evidence.total, comparison))


def could_have_seen(could: Detectable) -> str:
    """The smallest harm that the watch would have found nine times of ten."""
    if could.ratio is not None:
        return f"could have seen {times(could.ratio)} as many failing users, nine times of ten"
    if could.difference is not None:
        return f"could have seen a mean higher by {could.difference:.3g}, nine times of ten"
    if could.failing is not None:
        return (
            f"could have seen {could.failing:.0f} failing treated users, nine times of ten; no user of the control "
            "failed, so how many times as many that is, is not known"
        )
    return "could have seen no harm of any size: too few users"


def described(
    comparison: CohortComparison, evidence: ComparisonEvidence, seconds: float
) -> dict[str, t.Any]:
    """As result and record have it, of a watch of so many seconds."""
    total, could = evidence.total, detectable(evidence.total, comparison)
    what = "failed" if comparison.at_most is None else "total"
    return {
        "treated": {"seen": total.treated.observed, what: total.treated.failed},
        "control": {"seen": total.control.observed, what: total.control.failed},
        "share": total.share,
        "ratio": total.ratio,
        "at_most": comparison.at_most,
        "worse_than": comparison.margin,
        "worse_by": comparison.allowed,
        "evidence": evidence.value(comparison),
        "needed": comparison.needed,
        "before": comparison.before,
        "resets": evidence.resets,
        "seconds": round(seconds, 1),
        "detectable": could._asdict(),
        "could_have_seen": could_see(comparison, evidence),
    }


def times(number: float) -> str:
    return f"{number:.3g} times"


def percent(share: float) -> str:
    return f"{100.0 * share:.3g} %"


Compared = t.Mapping[str, ComparisonEvidence]


def compare(
    metrics: t.Sequence[Metric], before: Compared, observed: t.Mapping[str, Sample]
) -> tuple[Compared, dict[str, Sample]]:
    """What is known of each comparison now, and the samples of this look as they are judged."""
    comparisons = {metric.name: metric.comparison for metric in metrics if metric.comparison}
    if not comparisons:
        return before, dict(observed)
    after = {name: before.get(name, ComparisonEvidence()) for name in comparisons}
    judged = dict(observed)
    looked = []
    for name, comparison in comparisons.items():
        counts = observed[name].counts if name in observed else None
        if counts is None:
            continue
        after[name], problem = after[name].looked(counts, comparison)
        problem = problem or _contradiction(after[name].total, comparison)
        if problem:
            judged[name] = Sample(None, problem)
        else:
            looked.append(name)
    to_blame = _to_blame(comparisons, after, looked)
    for name in looked:
        judged[name] = _judge(name, comparisons[name], after[name], name in to_blame)
    return after, judged


def _to_blame(
    comparisons: t.Mapping[str, CohortComparison], after: Compared, looked: t.Sequence[str]
) -> frozenset[str]:
    """Of the comparisons of this look. A harm that was found before and does not show now blames none."""
    if not looked:
        return frozenset()
    values = {
        name: 0.0
        if _contradiction(after[name].total, comparison)
        else after[name].value(comparison)
        for name, comparison in comparisons.items()
    }
    result = blamed(values, next(iter(comparisons.values())).alpha)
    if result and not result & set(looked):
        return frozenset([max(looked, key=values.__getitem__)])
    return result & frozenset(looked)


def _judge(
    name: str, comparison: CohortComparison, evidence: ComparisonEvidence, breach: bool
) -> Sample:
    value, note, status = evidence.value(comparison), "", SampleStatus.GOOD
    share = evidence.total.share
    if breach:
        status, note = SampleStatus.BREACH, f"{name}: {evidence_words(comparison, evidence)}"
    elif comparison.missing_arm:
        note = f"{name} compares no users, for {comparison.missing_arm}"
    elif share is None or not 0.0 < share < 1.0:
        absent = {None: "no user", 0.0: "no treated user"}.get(share, "no user of the control")
        status, note = SampleStatus.BETWEEN, f"{name} has seen {absent} yet, so nothing is compared"
    elif comparison.must_detect is not None and comparison.at_most is None:
        could = detectable(evidence.total, comparison)
        if could.ratio is None or could.ratio > comparison.must_detect:
            status = SampleStatus.BETWEEN
            must = f"must be able to see {times(comparison.must_detect)} as many failing users"
            note = f"{name} {must}, and {could_have_seen(could)}"
    return Sample(value, note=note, judged=status.value)


def _contradiction(total: Cohorts, comparison: CohortComparison) -> str:
    if comparison.share is None or not contradicts(total, comparison.share):
        return ""
    return (
        f"{percent(total.share or 0.0)} of the users seen are treated, and {percent(comparison.share)} should be: see "
        "whether the queries of treated and control are swapped, and count all users"
    )
