# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""What people did: decided, signed, were told, and moved the ramp."""

from __future__ import annotations

import typing as t
from datetime import datetime

from ..._time import UTC, format_time
from ..models import Cell, Table, Tone
from ..reader import Reader, dictionaries, inner, listed, text
from ..times import shown
from .words import judged, share

SIGNED_LINE = "sign_off_"
"""How the checklist names a line that a sign-off proves."""
TOLD: dict[str, Tone] = {"breached": "bad", "held": "warn"}
_TONES: dict[str, Tone] = {"pass": "good", "fail": "bad"}


def decisions(reader: Reader) -> Table | None:
    """At a gate, by whom, why, and what they had before them; left out when nothing was to decide."""
    rows = [
        (
            Cell(text(one.get("gate")) or name),
            judged(one.get("decision")),
            Cell(text(one.get("by"))),
            Cell(shown(one.get("at"))),
            Cell(text(one.get("reason"))),
            Cell(evidence(one.get("evidence"))),
        )
        for name, one in reader.named("decisions", reader.mapping("facts").get("decisions"))
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


def feedback(reader: Reader) -> Table | None:
    """What people answered about users, of each watch; left out when nobody was asked."""
    steps = inner(reader.mapping("facts"), "ramp_watches")
    watches = [("monitoring", reader.evidence("monitoring"))]
    watches += [(name, one) for name, one in steps.items() if isinstance(one, dict)]
    rows = [
        (
            Cell(watch),
            Cell(name.replace("_", " ")),
            Cell(text(one.get("answer")), _TONES.get(text(one.get("status")), "warn")),
            Cell(text(one.get("by"))),
            Cell(shown(one.get("at")) if one.get("at") else ""),
            Cell(text(one.get("note")) or text(one.get("question"))),
        )
        for watch, kept in watches
        for name, one in reader.named("answers", inner(kept, "feedback").get("answers"))
    ]
    columns = ("Watch", "Asked", "Answer", "By", "At", "Seen")
    return Table("What users say", columns, tuple(rows), "") if rows else None


def sign_offs(reader: Reader, expected: t.Sequence[str] = ()) -> Table | None:
    """Who signed what and when, then who has not; left out when none is expected and none was given.

    A good one that the checklist shows already is counted, and not shown again.
    """
    found = dict(reader.named("sign_offs", reader.mapping("facts").get("sign_offs")))
    rows = [signed(reader, name, one) for name, one in found.items()]
    rows += [
        (Cell(name), Cell("missing", "bad"), Cell(""), Cell(""), Cell(""), Cell(""))
        for name in expected
        if name not in found
    ]
    wanted = [name for name in expected if name not in found]
    lead = share(len(rows) - len(wanted), len(rows), "signed", f"not {', '.join(wanted)}")
    listed_already = in_checklist(reader)
    shown_here = tuple(
        row for row in rows if row[1].tone != "good" or row[0].text not in listed_already
    )
    if len(shown_here) < len(rows):
        lead += " Who signed what stands in the checklist."
    columns = ("Sign-off", "State", "By", "At", "What was signed", "Note")
    return Table("Sign-offs", columns, shown_here, "", lead) if rows else None


def in_checklist(reader: Reader) -> set[str]:
    """Names of the sign-offs that a line of the checklist was proven by."""
    return {
        text(one.get("name")).removeprefix(SIGNED_LINE)
        for one in dictionaries(reader.evidence("preflight").get("preflight"))
        if one.get("kind") == "sign_offs" and one.get("status") == "pass"
    }


def guard(reader: Reader) -> Table | None:
    """Its looks as one watch over the days of the ramp, and what it did; left out when it never looked."""
    seen = inner(reader.mapping("facts"), "guard")
    looks = inner(seen, "looks")
    if not looks:
        return None
    rows = [
        (
            shown(one.get("at")),
            Cell(text(one.get("what")).replace("_", " "), "bad"),
            f"{text(one.get('before'))} % to {text(one.get('to'))} %: {text(one.get('why'))}",
        )
        for one in dictionaries(seen.get("acts"))
    ]
    rows += [
        (
            moment(one.get("begin")),
            Cell("nobody looked", "warn"),
            f"until {moment(one.get('end'))}",
        )
        for one in dictionaries(looks.get("silences"))
    ]
    days = f"from {shown(looks.get('begun'))} to {shown(looks.get('last'))}"
    lead = (
        f"The guard looked {text(looks.get('looks'))} times {days}. "
        f"The longest time between two looks was {text(looks.get('longest'))} s."
    )
    told = tuple((Cell(at), what, Cell(more)) for at, what, more in rows)
    return Table("The guard", ("At", "What", "More"), told, "It did nothing.", lead)


def moment(seconds: t.Any) -> str:
    """Seconds since 1970 as they are shown."""
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        return ""
    try:
        return shown(format_time(datetime.fromtimestamp(seconds, UTC)))
    except (OverflowError, OSError, ValueError):
        return ""


def signed(reader: Reader, name: str, one: t.Mapping[str, t.Any]) -> tuple[Cell, ...]:
    """A signature under another attempt or commit says nothing of this one."""
    others = [
        f"{what} {text(one[key])}"
        for key, what in (("attempt", "attempt"), ("git_sha", "commit"))
        if one.get(key) and reader.record.get(key) and text(one[key]) != text(reader.record[key])
    ]
    state = Cell(f"signed for {' and '.join(others)}", "warn") if others else Cell("signed", "good")
    return (
        Cell(name),
        state if text(one.get("by")) else Cell("signed by nobody", "bad"),
        Cell(text(one.get("by"))),
        Cell(shown(one.get("at"))),
        Cell(text(one.get("what"))),
        Cell(text(one.get("note"))),
    )


def announcements(reader: Reader) -> Table:
    rows = []
    for name, one in reader.entries("announcements"):
        missed = [entry for entry in listed(one, "undelivered") if isinstance(entry, dict)]
        why = "; ".join(
            f"{text(entry.get('channel'))}: {text(entry.get('msg'))}" for entry in missed
        )
        rows.append(
            (Cell(name.replace("_", " ")), Cell(why or "delivered", "warn" if why else "good"))
        )
    empty = "No announcement is recorded."
    return Table("Announcements", ("What", "Delivered"), tuple(rows), empty)


def ramp(reader: Reader) -> Table | None:
    """The changes of the percentage that the ramp remembers; left out when it never moved."""
    rows = [
        (
            Cell(shown(one.get("at"))),
            Cell(text(one.get("what")), TOLD.get(text(one.get("what")), "")),
            Cell(f"{text(one.get('from'))} % to {text(one.get('to'))} %"),
            Cell(text(one.get("by"))),
            Cell(text(one.get("reason"))),
        )
        for one in listed(inner(reader.mapping("facts"), "ramp"), "history")
        if isinstance(one, dict)
    ]
    at = inner(reader.mapping("facts"), "ramp").get("percentage")
    lead = f"The feature is at {text(at)} %." if at is not None else ""
    return (
        Table("The ramp", ("At", "What", "From and to", "By", "Why"), tuple(rows), "", lead)
        if rows
        else None
    )
