# SPDX-License-Identifier: GPL-3.0-or-later
"""What the metrics did while somebody watched: the release, an earlier try, a step of the ramp."""

from __future__ import annotations

import typing as t

from ..._formats import quantity, shown
from ..._gate.models import Bounds, SampleStatus
from ..._story.record import Comparison, Metric, Record
from ..._words import counted
from ..models import Cell, MetricsTable, Watched, judged, share
from ..plot import bound_words, plot_of

NOT_WATCHED = "No metric was watched."
PHASE = "monitoring"


def watches(record: Record) -> tuple[MetricsTable, ...]:
    """The release's own first, then the tries of it that failed, then the ramp."""
    found = [watch_of("Metrics", record.section("metrics"))]
    for nth, failure in enumerate(record.phase(PHASE).earlier_failures, start=1):
        title = f"Metrics of try {nth}, which ended {shown(failure.finished)}"
        found.append(watch_of(title, failure.evidence.metrics, fold=True))
    for step in record.facts.ramp_watches:
        found.append(watch_of(f"Metrics at {step.name}: {step.verdict}", step.samples, fold=True))
    return tuple(watch for watch in found if watch.metrics)


def watch_of(title: str, entries: t.Sequence[Metric], *, fold: bool = False) -> MetricsTable:
    metrics = tuple(map(watched, entries))
    bad = [metric.name for metric in metrics if metric.verdict.tone in ("bad", "warn")]
    lead = share(
        len(metrics) - len(bad), len(metrics), "metrics were good", f"not {', '.join(bad)}"
    )
    return MetricsTable(title, lead, metrics, fold)


def watched(one: Metric) -> Watched:
    told = one.name.replace("_", " ")
    return Watched(
        name=told,
        verdict=verdict_of(one),
        words=tuple(words_of(one)),
        plot=plot_of(told, one.unit, one.course, one.bounds),
    )


def verdict_of(one: Metric) -> Cell:
    """As it was recorded; an older record has none, and then the status of the last sample."""
    if one.verdict:
        return judged(one.verdict)
    if one.judged == SampleStatus.NO_DATA.shown:
        return Cell("no data", "warn")
    return judged(one.judged) if one.judged else Cell("no bound recorded", "calm")


def words_of(one: Metric) -> t.Iterator[str]:
    last = quantity(one.newest, one.unit)
    known = {"lowest": one.lowest, "highest": one.highest, "mean": one.mean}
    seen = {k: quantity(value, one.unit) for k, value in known.items() if value is not None}
    if len(seen) == 3 and {*seen.values()} == {last}:
        yield f"{last} throughout."
    else:
        yield (
            ", ".join([f"Last {last}", *(f"{word} {value}" for word, value in seen.items())]) + "."
        )
    if one.count is not None:
        without = f", {counted(int(one.missing), 'sample')} without data" if one.missing else ""
        yield f"{counted(int(one.count), 'sample')}{without}."
    if one.comparison:
        yield from _compared(one.comparison)
    if one.bound is not None and not isinstance(one.bound, dict):
        yield f"Passes when {one.bound} {one.unit}".rstrip() + "."
    elif one.bounds != Bounds():
        yield bound_words(one.bounds, one.unit)
    if one.problem:
        yield f"No data at the end: {one.problem}."


def _compared(one: Comparison) -> t.Iterator[str]:
    """Users with the feature beside those without, and which harm would have been seen."""
    failing = one.at_most is None
    treated, control = (
        f"{(cohort.failed if failing else cohort.total) or 0:,.0f} of {cohort.seen or 0:,.0f}"
        for cohort in (one.treated, one.control)
    )
    title = "Failing users" if failing else "Sum of values, of users"
    yield f"{title}: {treated} treated, {control} of the control."
    if one.could_have_seen:
        yield f"The watch {one.could_have_seen}."
