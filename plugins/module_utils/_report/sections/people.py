# SPDX-License-Identifier: GPL-3.0-or-later
"""What people did: answered, signed, and were told.

And what the metrics did while somebody watched: the release, an earlier try, a step of the ramp.
"""

from __future__ import annotations

import typing as t

from ..._formats import quantity, shown
from ..._gate.models import Bounds, SampleStatus
from ..._gate.report import bounds_of, course_of, judged_as
from ..._release.record import Record, RecordedMetric, SignOff
from ..models import Cell, Part, Table, judged, share, table, tone_of
from ..plot import plot_of


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


PHASE = "monitoring"


def watch(record: Record) -> Table:
    """The release's own."""
    return _metrics("Metrics", record.section("metrics"), "No metric was watched.", "metrics")


def other_watches(record: Record) -> t.Iterator[Table]:
    """The tries of it that failed, then the ramp."""
    for nth, failure in enumerate(record.phase(PHASE).earlier_failures, start=1):
        title = f"Metrics of try {nth}, which ended {shown(failure.finished)}"
        yield _metrics(title, failure.evidence.metrics)
    for step in record.facts.ramp_watches:
        yield _metrics(f"Metrics at {step.name}: {step.verdict}", step.samples)


def _metrics(
    title: str, entries: t.Sequence[RecordedMetric], empty: str = "", part: Part = "evidence"
) -> Table:
    rows = [
        (
            metric.name.replace("_", " "),
            verdict_of(metric),
            quantity(metric.newest, metric.unit),
            Cell(
                " to ".join(_known(metric, metric.lowest, metric.highest)),
                plot=plot_of(course_of(metric), bounds_of(metric)),
            ),
            " ".join(_known(metric, metric.mean)),
            samples(metric),
            bound_words(bounds_of(metric), metric.unit),
            " ".join(remarks(metric)),
        )
        for metric in entries
    ]
    bad = [row[0] for row in rows if row[1].tone in ("bad", "warn")]
    lead = share(len(rows) - len(bad), len(rows), "metrics were good", f"not {', '.join(bad)}")
    columns = ("Metric", "Result", "Last", "Range", "Mean", "Samples", "Bounds", "Remarks")
    return table(title, columns, rows, empty, lead, part)


def _known(metric: RecordedMetric, *values: float | None) -> list[str]:
    return [quantity(value, metric.unit) for value in values if value is not None]


def verdict_of(metric: RecordedMetric) -> Cell:
    """As it was recorded; an older record has none, and then the status of the last sample."""
    if metric.verdict:
        return judged(metric.verdict)
    status = judged_as(metric)
    if status == SampleStatus.NO_DATA.shown:
        return Cell("no data", "warn")
    return judged(status) if status else Cell("no bound recorded", "calm")


def samples(metric: RecordedMetric) -> str:
    if metric.count is None:
        return ""
    without = f", {int(metric.missing)} more without data" if metric.missing else ""
    return f"{int(metric.count)}{without}"


def bound_words(bounds: Bounds, unit: str) -> str:
    passes = _sides(unit, (bounds.minimum, "from"), (bounds.maximum, "up to"))
    fails = _sides(unit, (bounds.below, "below"), (bounds.above, "above"))
    texts = [f"passes {' '.join(passes)}" if passes else ""]
    texts += [f"rolls back {' or '.join(fails)}" if fails else ""]
    return "; ".join(filter(None, texts))


def _sides(unit: str, *sides: tuple[float | None, str]) -> list[str]:
    return [f"{side} {quantity(value, unit)}" for value, side in sides if value is not None]


def remarks(metric: RecordedMetric) -> t.Iterator[str]:
    """Users with the feature beside those without, which harm would have been seen, and why there is no data."""
    if comparison := metric.comparison:
        treated, control = (
            f"{cohort.failed or 0:,.0f} of {cohort.observed or 0:,.0f}"
            for cohort in (comparison.treated, comparison.control)
        )
        yield f"Failing users: {treated} treated, {control} of the control."
        if comparison.could_have_seen:
            yield f"The watch {comparison.could_have_seen}."
    if metric.problem:
        yield f"No data at the end: {metric.problem}."
