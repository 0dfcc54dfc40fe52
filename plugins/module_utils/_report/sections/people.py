# SPDX-License-Identifier: GPL-3.0-or-later
"""What people did: answered, signed, and were told.

And what the metrics did while somebody watched: the release, an earlier try, a step of the ramp.
"""

from __future__ import annotations

import typing as t

from ..._formats import counted, quantity, shown
from ..._gate.models import Bounds, SampleStatus
from ..._gate.report import bounds_of, course_of, judged_as
from ..._release.record import Comparison, Record, RecordedMetric, SignOff
from ..models import Cell, MetricsTable, Table, Watched, judged, share, table, tone_of
from ..plot import bound_words, plot_of


def feedback(record: Record) -> Table:
    """What people answered about users, of each watch."""
    watches = [("monitoring", record.evidence("monitoring").feedback)]
    watches += [(watch.name, watch.feedback) for watch in record.facts.ramp_watches]
    rows = []
    for watch, given in watches:
        for check in given.answers:
            answer = Cell(check.answer, tone_of(check.status))
            note = check.note or check.question
            name = check.name.replace("_", " ")
            rows.append((watch, name, answer, check.by, shown(check.at), note))
    return table("What users say", ("Watch", "Asked", "Answer", "By", "At", "Seen"), rows)


def unsigned(record: Record, expected: t.Sequence[str]) -> list[str]:
    signed = [act.name for act in record.facts.sign_offs]
    return [name for name in expected if name not in signed]


def sign_offs(record: Record, expected: t.Sequence[str] = ()) -> Table:
    """Who signed what and when, then who has not."""
    signed, absent = record.facts.sign_offs, unsigned(record, expected)
    rows: list[tuple[Cell | str, ...]] = [
        (act.name, signature(record, act), act.by, shown(act.at), act.what, act.note)
        for act in signed
    ]
    rows += [(name, Cell("missing", "bad"), "", "", "", "") for name in absent]
    lead = share(len(signed), len(signed) + len(absent), "signed", f"not {', '.join(absent)}")
    columns = ("Sign-off", "State", "By", "At", "What was signed", "Note")
    return table("Sign-offs", columns, rows, lead=lead)


def signature(record: Record, act: SignOff) -> Cell:
    """A signature under another attempt or commit says nothing of this one."""
    if not act.by:
        return Cell("signed without a name", "bad")
    signed = ((act.attempt, record.attempt), (act.git_sha, record.git_sha))
    if any(theirs and ours and theirs != ours for theirs, ours in signed):
        return Cell("signed for another attempt or commit", "warn")
    return Cell("signed", "good")


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


def watch_of(
    title: str, entries: t.Sequence[RecordedMetric], *, fold: bool = False
) -> MetricsTable:
    metrics = tuple(map(watched, entries))
    bad = [metric.name for metric in metrics if metric.verdict.tone in ("bad", "warn")]
    good, rest = len(metrics) - len(bad), f"not {', '.join(bad)}"
    lead = share(good, len(metrics), "metrics were good", rest)
    return MetricsTable(title, lead, metrics, fold)


def watched(metric: RecordedMetric) -> Watched:
    text = metric.name.replace("_", " ")
    return Watched(
        name=text,
        verdict=verdict_of(metric),
        words=tuple(words_of(metric)),
        plot=plot_of(text, metric.unit, course_of(metric), bounds_of(metric)),
    )


def verdict_of(metric: RecordedMetric) -> Cell:
    """As it was recorded; an older record has none, and then the status of the last sample."""
    if metric.verdict:
        return judged(metric.verdict)
    status = judged_as(metric)
    if status == SampleStatus.NO_DATA.shown:
        return Cell("no data", "warn")
    return judged(status) if status else Cell("no bound recorded", "calm")


def words_of(metric: RecordedMetric) -> t.Iterator[str]:
    last = quantity(metric.newest, metric.unit)
    known = {"lowest": metric.lowest, "highest": metric.highest, "mean": metric.mean}
    observed = {k: quantity(value, metric.unit) for k, value in known.items() if value is not None}
    if len(observed) == 3 and {*observed.values()} == {last}:
        yield f"{last} throughout."
    else:
        shares = [f"Last {last}", *(f"{word} {value}" for word, value in observed.items())]
        yield f"{', '.join(shares)}."
    if metric.count is not None:
        lost = counted(int(metric.missing or 0), "sample")
        without = f", {lost} without data" if metric.missing else ""
        yield f"{counted(int(metric.count), 'sample')}{without}."
    if metric.comparison:
        yield from _compared(metric.comparison)
    if bounds_of(metric) != Bounds():
        yield bound_words(bounds_of(metric), metric.unit)
    if metric.problem:
        yield f"No data at the end: {metric.problem}."


def _compared(comparison: Comparison) -> t.Iterator[str]:
    """Users with the feature beside those without, and which harm would have been seen."""
    treated, control = (
        f"{cohort.failed or 0:,.0f} of {cohort.observed or 0:,.0f}"
        for cohort in (comparison.treated, comparison.control)
    )
    yield f"Failing users: {treated} treated, {control} of the control."
    if comparison.could_have_seen:
        yield f"The watch {comparison.could_have_seen}."
