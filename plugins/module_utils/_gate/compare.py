# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge what a look saw of all comparisons of cohorts: together, for they share one budget of false alarms. Pure.

What a comparison could have seen: the smallest harm that it would have found nine times of ten. Pure.

Of `n` failing users a breach needs `k(n)` treated ones, which follows from the rule. With a harm `r` there would be
`m (1 + r o)` failing users, `m` those of the control that were seen and `o` the odds of being treated, and of them a
share theta(r) would be treated. The smallest `r` is the one at which `k(n)` is the tenth percentile of that binomial,
by the arcsine of its square root, whose spread hardly depends on the share. Of both bets the one counts that needs
more. Deterministic, in milliseconds.
"""

from __future__ import annotations

import math
import typing as t

from .._release.record import Cohort, Comparison
from . import cohorts
from .cohorts import Bet, CohortComparison, Cohorts, ComparisonEvidence
from .models import Metric, Sample, SampleStatus

_NORMAL = 1.2816
"""The ninetieth percentile of the normal distribution."""
_LARGEST = 1000.0
"""A harm beyond this is as good as none that could be seen."""


def detectable(total: Cohorts, comparison: CohortComparison, counted: float = 1.0) -> float | None:
    """So many times as often as the control, by a watch that saw these users, whatever it found.

    `counted`: as much of what failed, on average. None when no harm could be seen, or the control has no failures.
    """
    share, failed = total.share, total.control.failed
    if share is None or not 0.0 < share < 1.0 or failed <= 0:
        return None
    odds = share / (1.0 - share)

    def detects(ratio: float) -> bool:
        treated, number = ratio * odds * failed * counted, (ratio * odds + 1.0) * failed * counted
        shares = {share, comparison.drawn or share}
        least = number * max(_least_share(number, entry, comparison) for entry in shares)
        reached = math.asin(math.sqrt(min(1.0, treated / number)))
        requested = math.asin(math.sqrt(min(1.0, max(0.0, least - 0.5) / number)))
        return reached - requested >= _NORMAL / (2.0 * math.sqrt(number))

    ratio = _first(detects, comparison.margin, _LARGEST)
    return ratio if ratio < _LARGEST and ratio * odds * failed <= total.treated.observed else None


def _least_share(number: float, share: float, comparison: CohortComparison) -> float:
    """The share of so many failing users that must be treated for a breach; more than 1 when all are too few."""
    needed = math.log(comparison.needed / comparison.start)

    def breach(of: float) -> bool:
        won = cohorts.gains(of * number, (1.0 - of) * number, share, comparison.margin)
        return cohorts.log_sum([a + b for a, b in zip(Bet().logs, won, strict=True)]) >= needed

    return _first(breach, 0.0, 1.0) if breach(1.0) else 2.0


def _first(holds: t.Callable[[float], bool], low: float, high: float) -> float:
    """Where it begins to hold between the two; the upper end when it never does."""
    if not holds(high):
        return high
    while high - low > 1e-4 * high + 1e-9:
        middle = (low + high) / 2.0
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def evidence_words(comparison: CohortComparison, evidence: ComparisonEvidence, value: float) -> str:
    """What the users say who were seen: how often each cohort failed, how much it wrote, how strong the evidence is."""
    total, more = evidence.total, wrote(comparison, evidence)
    often = (
        f"{times(total.ratio)} as often as the control"
        if total.ratio
        else "and no user of the control"
    )
    return (
        f"treated users failed {often} ({total.treated.failed:,.0f} of {total.treated.observed:,.0f}, control "
        f"{total.control.failed:,.0f} of {total.control.observed:,.0f}){f' and {more}' if more else ''}: "
        f"evidence {value:.3g} of {comparison.needed:g}"
    )


def wrote(comparison: CohortComparison, evidence: ComparisonEvidence) -> str:
    """How active treated users were, where that is known."""
    activity = comparison.activity(evidence.total)
    return "" if activity is None else f"wrote {times(activity)} as much"


def could_see(comparison: CohortComparison, evidence: ComparisonEvidence) -> str:
    if comparison.missing_arm:
        return f"compared no users, for {comparison.missing_arm}"
    more = wrote(comparison, evidence)
    return could_have_seen(_detectable(comparison, evidence)) + (
        f"; treated users {more}" if more else ""
    )


def _detectable(comparison: CohortComparison, evidence: ComparisonEvidence) -> float | None:
    failed = evidence.total.treated.failed + evidence.total.control.failed
    counted = evidence.by_message.counted / failed if failed else 1.0
    return detectable(evidence.total, comparison, counted)


def could_have_seen(ratio: float | None) -> str:
    """The smallest harm that the watch would have found nine times of ten."""
    if ratio is None:
        return "could have seen no harm of any size: too few users, or none of the control failed"
    return f"could have seen {times(ratio)} as many failing users, nine times of ten"


def compared(
    comparison: CohortComparison, evidence: ComparisonEvidence, seconds: float
) -> Comparison:
    """As result and record have it, of a watch of so many seconds."""
    total = evidence.total
    return Comparison(
        treated=Cohort(*total.treated),
        control=Cohort(*total.control),
        share=total.share,
        ratio=total.ratio,
        activity=comparison.activity(total),
        margin=comparison.margin,
        evidence=evidence.value(comparison),
        needed=comparison.needed,
        before=comparison.before,
        resets=evidence.resets,
        seconds=round(seconds, 1),
        detectable=_detectable(comparison, evidence),
        could_have_seen=could_see(comparison, evidence),
    )


def times(number: float) -> str:
    return f"{number:.3g} times"


def percent(share: float) -> str:
    return f"{100.0 * share:.3g} %"


Compared = t.Mapping[str, ComparisonEvidence]


def compare(
    metrics: t.Sequence[Metric], before: Compared, observed: t.Mapping[str, Sample], at: float
) -> tuple[Compared, dict[str, Sample]]:
    """What is known of each comparison at that second, and the samples of this look as they are judged."""
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
        after[name], problem = after[name].looked(counts, comparison, at)
        problem = problem or _contradiction(after[name].total, comparison)
        if problem:
            judged[name] = Sample(None, problem)
        else:
            looked.append(name)
    to_blame = _to_blame(comparisons, after, looked, ComparisonEvidence.value)
    doubtful = _to_blame(comparisons, after, looked, lambda of, how: of.by_message.value(how))
    for name in looked:
        judged[name] = _judge(
            name, comparisons[name], after[name], name in to_blame, name in doubtful
        )
    return after, judged


def _to_blame(
    comparisons: t.Mapping[str, CohortComparison],
    after: Compared,
    looked: t.Sequence[str],
    value: t.Callable[[ComparisonEvidence, CohortComparison], float],
) -> frozenset[str]:
    """Of the comparisons of this look. A harm that was found before and does not show now blames none."""
    if not looked:
        return frozenset()
    values = {
        name: 0.0
        if _contradiction(after[name].total, comparison)
        else value(after[name], comparison)
        for name, comparison in comparisons.items()
    }
    result = cohorts.blamed(values, next(iter(comparisons.values())).alpha)
    if result and not result & set(looked):
        return frozenset([max(looked, key=values.__getitem__)])
    return result & frozenset(looked)


def _judge(
    name: str, comparison: CohortComparison, evidence: ComparisonEvidence, breach: bool, doubt: bool
) -> Sample:
    value, note, status = evidence.value(comparison), "", SampleStatus.GOOD
    share = evidence.total.share
    if breach:
        status, note = SampleStatus.BREACH, f"{name}: {evidence_words(comparison, evidence, value)}"
    elif comparison.missing_arm:
        note = f"{name} compares no users, for {comparison.missing_arm}"
    elif share is None or not 0.0 < share < 1.0:
        absent = {None: "no user", 0.0: "no treated user"}.get(share, "no user of the control")
        status, note = SampleStatus.BETWEEN, f"{name} has seen {absent} yet, so nothing is compared"
    elif doubt:
        words = evidence_words(comparison, evidence, evidence.by_message.value(comparison))
        by_user = f"{evidence.by_user.value(comparison):.3g} by user"
        note = f"{name}: {words} by message and {by_user}, so that what they wrote may explain it"
        status = SampleStatus.BETWEEN
    elif comparison.must_detect is not None:
        ratio = _detectable(comparison, evidence)
        if ratio is None or ratio > comparison.must_detect:
            status = SampleStatus.BETWEEN
            must = f"must be able to see {times(comparison.must_detect)} as many failing users"
            note = f"{name} {must}, and {could_have_seen(ratio)}"
    return Sample(value, note=note, judged=status.value)


def _contradiction(total: Cohorts, comparison: CohortComparison) -> str:
    if comparison.share is None or not cohorts.contradicts(total, comparison.share):
        return ""
    return (
        f"{percent(total.share or 0.0)} of the users seen are treated, and {percent(comparison.share)} should be: see "
        "whether the queries of treated and control are swapped, and count all users"
    )
