# SPDX-License-Identifier: GPL-3.0-or-later
"""What people did: decided, signed, were told, and moved the ramp."""

from __future__ import annotations

import typing as t
from datetime import datetime

from ..._formats import shown
from ..._story.decode import text
from ..._story.record import Act, Record
from ..._time import UTC, format_time
from ..models import Cell, Table, Tone, judged, share, table

SIGNED_LINE = "sign_off_"
"""How the checklist names a line that a sign-off proves."""
STEP_TONES: dict[str, Tone] = {"breached": "bad", "held": "warn"}
_TONES: dict[str, Tone] = {"pass": "good", "fail": "bad"}


def decisions(record: Record) -> Table | None:
    """At a gate, by whom, why, and what they had before them; left out when nothing was to decide."""
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
    """What people answered about users, of each watch; left out when nobody was asked."""
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


def signature(record: Record, act: Act) -> Cell:
    """A signature under another attempt or commit says nothing of this one."""
    if not act.by:
        return Cell("signed by nobody", "bad")
    ours = {"attempt": str(record.attempt or ""), "commit": record.git_sha}
    theirs = {"attempt": act.attempt, "commit": act.git_sha}
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
        (moment(gap.begin), Cell("nobody looked", "warn"), f"until {moment(gap.end)}")
        for gap in looks.silences
    ]
    lead = (
        f"The guard looked {looks.looks} times from {shown(looks.begun)} to {shown(looks.last)}. "
        f"The longest time between two looks was {looks.longest} s."
    )
    return table("The guard", ("At", "What", "More"), rows, "It did nothing.", lead)


def moment(seconds: float | None) -> str:
    """Seconds since 1970 as they are shown."""
    try:
        return "" if seconds is None else shown(format_time(datetime.fromtimestamp(seconds, UTC)))
    except (OverflowError, OSError, ValueError):
        return ""


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
