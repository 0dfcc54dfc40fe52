# SPDX-License-Identifier: GPL-3.0-or-later
"""What people did: decided, signed, were told, and moved the ramp.

And what the metrics did while somebody watched: the release, an earlier try, a step of the ramp.
"""

from __future__ import annotations

import typing as t

from ..._formats import counted, quantity, shown
from ..._gate.models import Bounds, SampleStatus
from ..._gate.report import bounds_of, course_of, judged_as
from ..._release.decode import text
from ..._release.record import Comparison, Record, RecordedMetric, SignOff
from ..._time import of_epoch
from ..models import Cell, MetricsTable, Table, Tone, Watched, judged, share, table
from ..plot import bound_words, plot_of

SIGNED_LINE = "sign_off_"
"""How the checklist names a line that a sign-off proves."""
STEP_TONES: dict[str, Tone] = {"breached": "bad", "held": "warn"}
_TONES: dict[str, Tone] = {"pass": "good", "fail": "bad"}


def decisions(record: Record) -> Table | None:
    """At a gate: the name, the reason, and the evidence shown to that person; left out when nothing was to decide."""
    rows = [
        (act.gate or act.name, judged(act.decision), act.by, shown(act.at), act.reason, evidence(act.evidence))
        for act in record.facts.decisions
    ]  # fmt: skip
    columns = ("Gate", "Decision", "By", "At", "Why", "Evidence")
    return table("Decisions", columns, rows) if rows else None


def evidence(value: t.Any) -> str:
    """A dictionary as "name: value" with its inner values left in short."""
    if isinstance(value, dict):
        return "; ".join(f"{name}: {evidence(inner)}" for name, inner in value.items())
    if isinstance(value, list):
        return ", ".join(
            text(entry.get("text") or entry.get("name")) if isinstance(entry, dict) else text(entry)
            for entry in value
        )
    return text(value)


def feedback(record: Record) -> Table | None:
    """What people answered about users, of each watch; left out when no person was asked."""
    watches = [("monitoring", record.evidence("monitoring").feedback)]
    watches += [(watch.name, watch.feedback) for watch in record.facts.ramp_watches]
    rows = []
    for watch, given in watches:
        for check in given.answers:
            answer = Cell(check.answer, _TONES.get(check.status, "warn"))
            note = check.note or check.question
            name = check.name.replace("_", " ")
            rows.append((watch, name, answer, check.by, shown(check.at), note))
    columns = ("Watch", "Asked", "Answer", "By", "At", "Seen")
    return table("What users say", columns, rows) if rows else None


def sign_offs(record: Record, expected: t.Sequence[str] = ()) -> Table | None:
    """Who signed what and when, then who has not; left out when none is expected and none was given.

    A good one that the checklist shows already is counted, and not shown again.
    """
    given = record.facts.sign_offs
    absent = [name for name in expected if name not in [act.name for act in given]]
    signed = [(act.name, signature(record, act), act) for act in given]
    in_checklist = {
        check.name.removeprefix(SIGNED_LINE)
        for check in record.evidence("preflight").preflight
        if check.kind == "sign_offs" and check.status == "pass"
    }
    rows: list[tuple[Cell | str, ...]] = [
        (name, state, act.by, shown(act.at), act.what, act.note)
        for name, state, act in signed
        if state.tone != "good" or name not in in_checklist
    ]
    hidden = len(signed) > len(rows)
    rows += [(name, Cell("missing", "bad"), "", "", "", "") for name in absent]
    lead = share(len(signed), len(signed) + len(absent), "signed", f"not {', '.join(absent)}")
    lead += " Who signed what stands in the checklist." if hidden else ""
    columns = ("Sign-off", "State", "By", "At", "What was signed", "Note")
    return table("Sign-offs", columns, rows, lead=lead) if signed or absent else None


def signature(record: Record, act: SignOff) -> Cell:
    """A signature under another attempt or commit says nothing of this one."""
    if not act.by:
        return Cell("signed without a name", "bad")
    ours = {"attempt": str(record.attempt or ""), "commit": record.git_sha}
    theirs = {"attempt": str(act.attempt or ""), "commit": act.git_sha}
    others = [
        f"{what} {value}"
        for what, value in theirs.items()
        if value and ours[what] not in ("", value)
    ]
    return Cell(f"signed for {' and '.join(others)}", "warn") if others else Cell("signed", "good")


def guard(record: Record) -> Table | None:
    """Its looks as one watch over the days of the ramp, and what it did; left out when it never looked."""
    looks, facts = record.facts.guard_looks, record.facts
    if looks is None:
        return None
    rows = [
        (shown(act.at), Cell(act.what.replace("_", " "), "bad"), f"{act.before} % to {act.to} %: {act.reason}")
        for act in facts.guard_acts
    ]  # fmt: skip
    rows += [
        (
            shown(of_epoch(gap.begin)),
            Cell("did not look", "warn"),
            f"until {shown(of_epoch(gap.end))}",
        )
        for gap in looks.silences
    ]
    lead = (
        f"The guard looked {looks.looks} times from {shown(looks.begun)} to {shown(looks.last)}. "
        f"The longest time between two looks was {looks.longest} s."
    )
    return table("The guard", ("At", "What", "More"), rows, "It did nothing.", lead)


def announcements(record: Record) -> Table:
    rows = []
    for announcement in record.section("announcements"):
        why = "; ".join(f"{missed.channel}: {missed.msg}" for missed in announcement.undelivered)
        delivered = Cell(why or "delivered", "warn" if why else "good")
        rows.append((announcement.name.replace("_", " "), delivered))
    empty = "No announcement is recorded."
    return table("Announcements", ("What", "Delivered"), rows, empty)


def ramp(record: Record) -> Table | None:
    """The changes of the percentage that the ramp remembers; left out when it never moved."""
    facts = record.facts
    rows = [
        (shown(act.at), Cell(act.what, STEP_TONES.get(act.what, "")), f"{act.before} % to {act.to} %",
         act.by, act.reason)
        for act in facts.ramp
    ]  # fmt: skip
    lead = "" if facts.percentage is None else f"The feature is at {facts.percentage} %."
    columns = ("At", "What", "From and to", "By", "Why")
    return table("The ramp", columns, rows, lead=lead) if rows else None


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
    lead = share(
        len(metrics) - len(bad), len(metrics), "metrics were good", f"not {', '.join(bad)}"
    )
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
    elif bounds_of(metric) != Bounds():
        yield bound_words(bounds_of(metric), metric.unit)
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
