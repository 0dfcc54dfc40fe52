# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge what a look saw of all comparisons of cohorts: together, for they share one budget of false alarms. Pure."""

from __future__ import annotations

import typing as t

from .cohorts import Cohorts, Comparison, Evidence, blamed, contradicts
from .compared_words import could_have_seen, found, percent, times
from .detectable import detectable
from .models import Metric, Sample, SampleStatus

Compared = t.Mapping[str, Evidence]


def compare(
    metrics: t.Sequence[Metric], before: Compared, seen: t.Mapping[str, Sample]
) -> tuple[Compared, dict[str, Sample]]:
    """What is known of each comparison now, and the samples of this look as they are judged."""
    comparisons = {one.name: one.comparison for one in metrics if one.comparison}
    if not comparisons:
        return before, dict(seen)
    after = {name: before.get(name, Evidence()) for name in comparisons}
    judged = dict(seen)
    looked = []
    for name, comparison in comparisons.items():
        counts = seen[name].counts if name in seen else None
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
    comparisons: t.Mapping[str, Comparison], after: Compared, looked: t.Sequence[str]
) -> frozenset[str]:
    """Of those that were seen at this look: what was found before, and cannot be seen now, goes back on nobody."""
    if not looked:
        return frozenset()
    values = {
        name: 0.0 if _contradiction(after[name].total, one) else after[name].value(one)
        for name, one in comparisons.items()
    }
    found = blamed(values, next(iter(comparisons.values())).alpha)
    if found and not found & set(looked):
        return frozenset([max(looked, key=values.__getitem__)])
    return found & frozenset(looked)


def _judge(name: str, comparison: Comparison, evidence: Evidence, breach: bool) -> Sample:
    value, note, status = evidence.value(comparison), "", SampleStatus.GOOD
    share = evidence.total.share
    if breach:
        status, note = SampleStatus.BREACH, f"{name}: {found(comparison, evidence)}"
    elif comparison.nobody:
        note = f"{name} compares nobody, for {comparison.nobody}"
    elif share is None or not 0.0 < share < 1.0:
        nobody = {None: "no user", 0.0: "no treated user"}.get(share, "no user of the control")
        status, note = SampleStatus.BETWEEN, f"{name} has seen {nobody} yet, so nothing is compared"
    elif comparison.must_detect is not None and comparison.at_most is None:
        could = detectable(evidence.total, comparison)
        if could.ratio is None or could.ratio > comparison.must_detect:
            status = SampleStatus.BETWEEN
            must = f"must be able to see {times(comparison.must_detect)} as many failing users"
            note = f"{name} {must}, and {could_have_seen(could)}"
    return Sample(value, note=note, judged=status.value)


def _contradiction(total: Cohorts, comparison: Comparison) -> str:
    if comparison.share is None or not contradicts(total, comparison.share):
        return ""
    return (
        f"{percent(total.share or 0.0)} of the users seen are treated, and {percent(comparison.share)} should be: see "
        "whether the queries of treated and control are swapped, and count all users"
    )
