# SPDX-License-Identifier: GPL-3.0-or-later
"""What people did: decided, signed, were told, and moved the ramp.

And what the metrics did while somebody watched: the release, an earlier try, a step of the ramp.
"""

from __future__ import annotations

import typing as t

from ..._formats import counted, quantity, shown
from ..._gate.models import Bounds, SampleStatus
from ..._gate.report import bounds_of, course_of, judged_as
from ..._release.decode import names, text
from ..._release.record import Comparison, Record, RecordedMetric, SignOff
from ..._time import of_epoch
from ..models import Cell, MetricsTable, Table, Tone, Watched, judged, share, table, tone_of
from ..plot import bound_words, plot_of

STEP_TONES: dict[str, Tone] = {"breached": "bad", "held": "warn"}


def decisions(record: Record) -> Table:
    """At a gate: the name, the reason, and the evidence shown to that person."""
    rows = [
        (act.gate or act.name, judged(act.decision), act.by, shown(act.at), act.reason, evidence(act.evidence))
        for act in record.facts.decisions
    ]  # fmt: skip
    return table("Decisions", ("Gate", "Decision", "By", "At", "Why", "Evidence"), rows)


def evidence(value: t.Any) -> str:
    """A dictionary as "name: value" with its inner values left in short."""
    if isinstance(value, dict):
        return "; ".join(f"{name}: {evidence(inner)}" for name, inner in value.items())
    return ", ".join(names(value)) if isinstance(value, list) else text(value)


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


def sign_offs(record: Record, expected: t.Sequence[str] = ()) -> Table:
    """Who signed what and when, then who has not."""
    signed = record.facts.sign_offs
    absent = [name for name in expected if name not in [act.name for act in signed]]
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
    others = [
        f"{what} {theirs}"
        for what, theirs, ours in (
            ("attempt", act.attempt, record.attempt),
            ("commit", act.git_sha, record.git_sha),
        )
        if theirs and ours and theirs != ours
    ]
    return Cell(f"signed for {' and '.join(others)}", "warn") if others else Cell("signed", "good")


def guard(record: Record) -> Table:
    """Its looks as one watch over the days of the ramp, and what it did."""
    looks, facts = record.facts.guard_looks, record.facts
    columns = ("At", "What", "More")
    if looks is None:
        return table("The guard", columns, ())
    rows = [
        (shown(act.at), Cell(act.what.replace("_", " "), "bad"), f"{act.before} % to {act.to} %: {act.reason}")
        for act in facts.guard_acts
    ]  # fmt: skip
    for gap in looks.silences:
        until = f"until {shown(of_epoch(gap.end))}"
        rows.append((shown(of_epoch(gap.begin)), Cell("did not look", "warn"), until))
    lead = (
        f"The guard looked {looks.looks} times from {shown(looks.begun)} to {shown(looks.last)}. "
        f"The longest time between two looks was {looks.longest} s."
    )
    return table("The guard", columns, rows, lead=lead if rows else f"{lead} It did nothing.")


def announcements(record: Record, *, missed: bool) -> Table:
    """`missed`: whether there should be one."""
    rows = []
    for announcement in record.section("announcements"):
        why = "; ".join(f"{entry.channel}: {entry.msg}" for entry in announcement.undelivered)
        delivered = Cell(why or "delivered", "warn" if why else "good")
        rows.append((announcement.name.replace("_", " "), delivered))
    empty = "No announcement is recorded." if missed else ""
    return table("Announcements", ("What", "Delivered"), rows, empty)


def ramp(record: Record) -> Table:
    """The changes of the percentage that the ramp remembers."""
    facts = record.facts
    rows = [
        (shown(act.at), Cell(act.what, STEP_TONES.get(act.what, "")), f"{act.before} % to {act.to} %",
         act.by, act.reason)
        for act in facts.ramp
    ]  # fmt: skip
    known = bool(rows) and facts.percentage is not None
    lead = f"The feature is at {facts.percentage} %." if known else ""
    return table("The ramp", ("At", "What", "From and to", "By", "Why"), rows, lead=lead)


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
    failing = comparison.at_most is None
    treated, control = (
        f"{(cohort.failed if failing else cohort.total) or 0:,.0f} of {cohort.observed or 0:,.0f}"
        for cohort in (comparison.treated, comparison.control)
    )
    title = "Failing users" if failing else "Sum of values, of users"
    yield f"{title}: {treated} treated, {control} of the control."
    if comparison.could_have_seen:
        yield f"The watch {comparison.could_have_seen}."
