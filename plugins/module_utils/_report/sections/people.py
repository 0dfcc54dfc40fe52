# SPDX-License-Identifier: GPL-3.0-or-later
"""What people did: decided, signed, were told, and moved the ramp."""

from __future__ import annotations

import typing as t
from datetime import datetime

from ..._story.decode import text
from ..._story.record import Act, Record
from ..._time import UTC, format_time
from ..models import Cell, Table, Tone
from ..times import shown
from .words import judged, share

SIGNED_LINE = "sign_off_"
"""How the checklist names a line that a sign-off proves."""
TOLD: dict[str, Tone] = {"breached": "bad", "held": "warn"}
_TONES: dict[str, Tone] = {"pass": "good", "fail": "bad"}


def decisions(record: Record) -> Table | None:
    """At a gate, by whom, why, and what they had before them; left out when nothing was to decide."""
    rows = [
        (
            Cell(one.gate or one.name),
            judged(one.decision),
            Cell(one.by),
            Cell(shown(one.at)),
            Cell(one.reason),
            Cell(evidence(one.evidence)),
        )
        for one in record.facts.decisions
    ]
    columns = ("Gate", "Decision", "By", "At", "Why", "Evidence")
    return Table("Decisions", columns, tuple(rows), "") if rows else None


def evidence(found: t.Any) -> str:
    """A dictionary as "name: value" with its inner values left in short."""
    if isinstance(found, dict):
        return "; ".join(f"{name}: {evidence(one)}" for name, one in found.items())
    if isinstance(found, list):
        return ", ".join(
            text(one.get("text") or one.get("name")) if isinstance(one, dict) else text(one)
            for one in found
        )
    return text(found)


def feedback(record: Record) -> Table | None:
    """What people answered about users, of each watch; left out when nobody was asked."""
    watches = [("monitoring", record.evidence("monitoring").feedback)]
    watches += [(one.name, one.feedback) for one in record.facts.ramp_watches]
    rows = [
        (
            Cell(watch),
            Cell(one.name.replace("_", " ")),
            Cell(one.answer, _TONES.get(one.status, "warn")),
            Cell(one.by),
            Cell(shown(one.at)),
            Cell(one.note or one.question),
        )
        for watch, kept in watches
        for one in kept.answers
    ]
    columns = ("Watch", "Asked", "Answer", "By", "At", "Seen")
    return Table("What users say", columns, tuple(rows), "") if rows else None


def sign_offs(record: Record, expected: t.Sequence[str] = ()) -> Table | None:
    """Who signed what and when, then who has not; left out when none is expected and none was given.

    A good one that the checklist shows already is counted, and not shown again.
    """
    known = [one.name for one in record.facts.sign_offs]
    wanted = [name for name in expected if name not in known]
    rows = [signed(record, one) for one in record.facts.sign_offs]
    rows += [
        (Cell(name), Cell("missing", "bad"), Cell(""), Cell(""), Cell(""), Cell(""))
        for name in wanted
    ]
    lead = share(len(rows) - len(wanted), len(rows), "signed", f"not {', '.join(wanted)}")
    listed_already = in_checklist(record)
    shown_here = tuple(
        row for row in rows if row[1].tone != "good" or row[0].text not in listed_already
    )
    if len(shown_here) < len(rows):
        lead += " Who signed what stands in the checklist."
    columns = ("Sign-off", "State", "By", "At", "What was signed", "Note")
    return Table("Sign-offs", columns, shown_here, "", lead) if rows else None


def in_checklist(record: Record) -> set[str]:
    """Names of the sign-offs that a line of the checklist was proven by."""
    return {
        one.name.removeprefix(SIGNED_LINE)
        for one in record.evidence("preflight").preflight
        if one.kind == "sign_offs" and one.status == "pass"
    }


def guard(record: Record) -> Table | None:
    """Its looks as one watch over the days of the ramp, and what it did; left out when it never looked."""
    looks = record.facts.guard_looks
    if looks is None:
        return None
    rows = [
        (
            shown(one.at),
            Cell(one.what.replace("_", " "), "bad"),
            f"{one.before} % to {one.to} %: {one.reason}",
        )
        for one in record.facts.guard_acts
    ]
    rows += [
        (moment(one.begin), Cell("nobody looked", "warn"), f"until {moment(one.end)}")
        for one in looks.silences
    ]
    lead = (
        f"The guard looked {looks.looks} times from {shown(looks.begun)} to {shown(looks.last)}. "
        f"The longest time between two looks was {looks.longest} s."
    )
    told = tuple((Cell(at), what, Cell(more)) for at, what, more in rows)
    return Table("The guard", ("At", "What", "More"), told, "It did nothing.", lead)


def moment(seconds: float | None) -> str:
    """Seconds since 1970 as they are shown."""
    try:
        return "" if seconds is None else shown(format_time(datetime.fromtimestamp(seconds, UTC)))
    except (OverflowError, OSError, ValueError):
        return ""


def signed(record: Record, one: Act) -> tuple[Cell, ...]:
    """A signature under another attempt or commit says nothing of this one."""
    ours = {"attempt": str(record.attempt or ""), "commit": record.git_sha}
    theirs = {"attempt": one.attempt, "commit": one.git_sha}
    others = [
        f"{what} {said}" for what, said in theirs.items() if said and ours[what] not in ("", said)
    ]
    state = Cell(f"signed for {' and '.join(others)}", "warn") if others else Cell("signed", "good")
    return (
        Cell(one.name),
        state if one.by else Cell("signed by nobody", "bad"),
        Cell(one.by),
        Cell(shown(one.at)),
        Cell(one.what),
        Cell(one.note),
    )


def announcements(record: Record) -> Table:
    rows = []
    for one in record.section("announcements"):
        why = "; ".join(f"{missed.channel}: {missed.msg}" for missed in one.undelivered)
        told = Cell(why or "delivered", "warn" if why else "good")
        rows.append((Cell(one.name.replace("_", " ")), told))
    empty = "No announcement is recorded."
    return Table("Announcements", ("What", "Delivered"), tuple(rows), empty)


def ramp(record: Record) -> Table | None:
    """The changes of the percentage that the ramp remembers; left out when it never moved."""
    facts = record.facts
    rows = [
        (
            Cell(shown(one.at)),
            Cell(one.what, TOLD.get(one.what, "")),
            Cell(f"{one.before} % to {one.to} %"),
            Cell(one.by),
            Cell(one.reason),
        )
        for one in facts.ramp
    ]
    lead = "" if facts.percentage is None else f"The feature is at {facts.percentage} %."
    columns = ("At", "What", "From and to", "By", "Why")
    return Table("The ramp", columns, tuple(rows), "", lead) if rows else None
