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
    results = [watch_of("Metrics", record.section("metrics"))]
    for nth, failure in enumerate(record.phase(PHASE).earlier_failures, start=1):
        title = f"Metrics of try {nth}, which ended {shown(failure.finished)}"
        results.append(watch_of(title, failure.evidence.metrics, fold=True))
    for step in record.facts.ramp_watches:
        results.append(watch_of(f"Metrics at {step.name}: {step.verdict}", step.samples, fold=True))
    return tuple(watch for watch in results if watch.metrics)


def watch_of(title: str, entries: t.Sequence[Metric], *, fold: bool = False) -> MetricsTable:
    metrics = tuple(map(watched, entries))
    bad = [metric.name for metric in metrics if metric.verdict.tone in ("bad", "warn")]
    lead = share(
        len(metrics) - len(bad), len(metrics), "metrics were good", f"not {', '.join(bad)}"
    )
    return MetricsTable(title, lead, metrics, fold)


def watched(metric: Metric) -> Watched:
    text = metric.name.replace("_", " ")
    return Watched(
        name=text,
        verdict=verdict_of(metric),
        words=tuple(words_of(metric)),
        plot=plot_of(text, metric.unit, metric.course, metric.bounds),
    )


def verdict_of(metric: Metric) -> Cell:
    """As it was recorded; an older record has none, and then the status of the last sample."""
    if metric.verdict:
        return judged(metric.verdict)
    if metric.judged == SampleStatus.NO_DATA.shown:
        return Cell("no data", "warn")
    return judged(metric.judged) if metric.judged else Cell("no bound recorded", "calm")


def words_of(metric: Metric) -> t.Iterator[str]:
    last = quantity(metric.newest, metric.unit)
    known = {"lowest": metric.lowest, "highest": metric.highest, "mean": metric.mean}
    observed = {k: quantity(value, metric.unit) for k, value in known.items() if value is not None}
    if len(observed) == 3 and {*observed.values()} == {last}:
        yield f"{last} throughout."
    else:
        yield (
            ", ".join([f"Last {last}", *(f"{word} {value}" for word, value in observed.items())])
            + "."
        )
    if metric.count is not None:
        without = (
            f", {counted(int(metric.missing), 'sample')} without data" if metric.missing else ""
        )
        yield f"{counted(int(metric.count), 'sample')}{without}."
    if metric.comparison:
        yield from _compared(metric.comparison)
    if metric.bound is not None and not isinstance(metric.bound, dict):
        yield f"Passes when {metric.bound} {metric.unit}".rstrip() + "."
    elif metric.bounds != Bounds():
        yield bound_words(metric.bounds, metric.unit)
    if metric.problem:
        yield f"No data at the end: {metric.problem}."


def _compared(comparison: Comparison) -> t.Iterator[str]:
    """Users with the feature beside those without, and which harm would have been seen."""
    failing = comparison.at_most is None
    treated, control = (
        f"{(cohort.failed if failing else cohort.total) or 0:,.0f} of {cohort.seen or 0:,.0f}"
        for cohort in (comparison.treated, comparison.control)
    )
    title = "Failing users" if failing else "Sum of values, of users"
    yield f"{title}: {treated} treated, {control} of the control."
    if comparison.could_have_seen:
        yield f"The watch {comparison.could_have_seen}."
