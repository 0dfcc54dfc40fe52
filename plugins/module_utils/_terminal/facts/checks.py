# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts of checks, tests, people's answers and databases: a count, and each exception by its name."""

from __future__ import annotations

import re
import typing as t

from ..._formats import counted, listed, size
from ..layout import CAUSE, one_line
from ..models import Fact, Group

Row = t.Mapping[str, t.Any]
FEW = 2
GOOD = ("pass", "good", "ok")
URL = re.compile(r"\b[a-z]+://\S+")


def of(group: Group, key: str) -> list[Row]:
    return [row for item in group.items for row in item.result.get(key) or () if row]


def preflight(group: Group) -> list[Fact]:
    """Sign-offs are told apart from what machines looked at. One check alone, which passed, opened a phase."""
    rows = of(group, "results")
    signed = [row for row in rows if str(row.get("name")).startswith("sign_off_")]
    looked = [row for row in rows if row not in signed]
    if len(rows) == 1 and rows[0].get("status") == "pass":
        return []
    commits = [item.result.get("commit") for item in group.items]
    commit = f"commit {str(commits[0])[:7]}" if commits and commits[0] else ""
    facts = counts(looked, "checks", "check", commit, named=whole_cause(group))
    return facts + (counts(signed, "sign-offs", "sign-off") if signed else [])


def counts(
    rows: t.Sequence[Row], label: str, noun: str, more: str = "", *, named: bool = False
) -> list[Fact]:
    """`named`: why one did not pass is the cause in the last block."""
    passed = [row for row in rows if row.get("status") in GOOD]
    skipped = [row for row in rows if row.get("status") == "skipped"]
    planned = [row for row in rows if row.get("status") == "planned"]
    rest = [row for row in rows if row not in [*passed, *skipped, *planned]]
    if planned:
        return [
            Fact(label, f"would ask {listed([str(r.get('name')) for r in planned], 5)}", "calm")
        ]
    sentences = [
        f"{len(passed)} of {len(rows) - len(skipped)} passed" if rest else f"{len(passed)} passed"
    ]
    facts = []
    if passed or not rest:
        parts = [*sentences, *([more] if more else [])]
        facts.append(Fact(label, " · ".join(parts), "" if rest else "good"))
    if skipped:
        facts.append(Fact(label, f"{len(skipped)} skipped: {reasons(skipped)}", "calm"))
    return [*facts, *(exception(row, noun, named=named) for row in rest)]


def whole_cause(group: Group) -> bool:
    """Whether the last block has room for all that did not pass."""
    sentences = [str(item.result.get("sentence") or "") for item in group.items]
    return all(sentences) and sum(map(len, sentences)) <= CAUSE


def exception(row: Row, noun: str, *, named: bool = False) -> Fact:
    status = str(row.get("status"))
    tone: t.Literal["warn", "bad"] = "bad" if status in ("fail", "failed") else "warn"
    what = "" if tone == "bad" else f"{status}: "
    why = "" if named else f": {one_line(str(row.get('detail')))}"
    return Fact(noun, f"{what}{row.get('name')}{why}", tone)


def reasons(rows: t.Sequence[Row]) -> str:
    """Why, without the addresses, and how often."""
    results: dict[str, int] = {}
    for row in rows:
        why = " ".join(URL.sub("", str(row.get("detail"))).split())
        results[why] = results.get(why, 0) + 1
    return " · ".join(f"{why} ({number})" if number > 1 else why for why, number in results.items())


def health(group: Group) -> list[Fact]:
    if probes := of(group, "probes"):
        return webhook(probes) if "outcome" in probes[0] else called(probes)
    rows = of(group, "results")
    good = [row for row in rows if row.get("status") in GOOD]
    if len(rows) <= FEW and len(good) == len(rows):
        sentences = [f"{row['name']}: {row['detail']}" for row in rows]
        return [Fact("checked", one_line(" · ".join(sentences)))] if sentences else []
    return counts(rows, "checked", "check")


def smoke(group: Group) -> list[Fact]:
    """Results that are collected were told by the tasks that they are of."""
    rows = of(group, "results")
    return counts(rows, "tests", "test", named=whole_cause(group)) if rows else []


def people(group: Group) -> list[Fact]:
    rows = of(group, "results")
    good = [row for row in rows if row.get("status") in GOOD]
    if any(row.get("status") == "planned" for row in rows):
        return counts(rows, "people", "people")
    by = sorted({str((row.get("facts") or {}).get("by") or "") for row in good} - {""})
    facts = []
    if good:
        who = f" ({listed(by)})" if by else ""
        facts.append(Fact("people", f"{counted(len(good), 'answer')} good{who}"))
    return facts + [exception(row, "people") for row in rows if row not in good]


def webhook(rows: list[Row]) -> list[Fact]:
    good = [row for row in rows if row.get("outcome") in GOOD]
    unknown = [row for row in rows if row.get("outcome") == "unknown"]
    more = f"; of {len(unknown)} the answer does not tell" if unknown else ""
    facts = [Fact("webhook", f"{len(good)} of {len(rows)} messages answered as they must be{more}")]
    bad = [
        Fact("webhook", f"{row['name']}: {one_line(str(row.get('evidence')))}", "bad")
        for row in rows
        if row not in good and row not in unknown
    ]
    return bad or facts


def called(rows: list[Row]) -> list[Fact]:
    bad = [row for row in rows if not row.get("passed")]
    if not bad:
        return [Fact("called", f"{counted(len(rows), 'function')} answered")]
    return [Fact("called", f"{row['name']}: {one_line(str(row['detail']))}", "bad") for row in bad]


def gate(group: Group) -> list[Fact]:
    """What a watch holds for, or goes back for, is the cause in the last block."""
    facts = []
    for item in group.items:
        verdict, sentence = item.result.get("verdict"), one_line(str(item.result.get("sentence")))
        if verdict == "proceed":
            facts.append(Fact("watch", sentence))
        elif verdict:
            why = counted(len(item.result.get("reasons") or ()), "reason")
            tone: t.Literal["bad", "warn"] = "bad" if verdict == "rollback" else "warn"
            facts.append(Fact("watch", f"{verdict}, for {why}", tone))
    return facts


def backups(group: Group) -> list[Fact]:
    """A backup is in a result only when it was read back from where it lies."""
    if group.would:
        names = [item.name for item in group.items if item.changed and not item.failed]
        return [Fact("backups", f"would back up {', '.join(names)}", "calm")] if names else []
    made = [item.result["backup"] for item in group.items if item.result.get("backup")]
    sentences = [f"{entry['name']} {size(entry.get('size'))}" for entry in made]
    stored = "" if any(item.changed for item in group.items) else ", taken before"
    return [Fact("backups", f"{' · '.join(sentences)}, read back{stored}")] if sentences else []


def migrations(group: Group) -> list[Fact]:
    settled = [
        (item.name, item.result["resolved"]) for item in group.items if "resolved" in item.result
    ]
    if any("history" in item.result for item in group.items):
        return []
    if rehearsed := [
        item.result["rehearsal"] for item in group.items if "rehearsal" in item.result
    ]:
        return rehearsals(rehearsed)
    if settled:
        text = " · ".join(f"{name} {', '.join(names) or 'nothing'}" for name, names in settled)
        return [
            Fact("would", f"resolve: {text}", "calm") if group.would else Fact("resolved", text)
        ]
    if group.would:
        return pending(group)
    done = [(item.name, len(item.result.get("applied") or ())) for item in group.items]
    if any(number for _name, number in done):
        return [
            Fact("applied", " · ".join(f"{name} {counted(n, 'migration')}" for name, n in done))
        ]
    good = [item.name for item in group.items if not item.failed]
    return [Fact("applied", f"{', '.join(good)}: nothing is pending")] if good else []


def pending(group: Group) -> list[Fact]:
    sentences = [
        f"{item.name} {counted(len(item.result.get('pending') or ()), 'migration')}"
        for item in group.items
        if not item.failed
    ]
    return [Fact("would", f"apply: {' · '.join(sentences)}", "calm")] if sentences else []


def rehearsals(rows: t.Sequence[Row]) -> list[Fact]:
    facts = []
    for row in rows:
        number = counted(len(row["pending"]), "migration")
        if row["status"] == "passed":
            facts.append(Fact("rehearsed", f"{row['name']}: {number} on its restored backup"))
        elif row["status"] == "waived":
            why = f"{row['waiver']} (by {row['waived_by']})"
            facts.append(Fact("rehearsed", f"{row['name']}: waived, {why}", "warn"))
    return facts


def restores(group: Group) -> list[Fact]:
    """A scratch database is no restore."""
    sentences = [
        f"{(item.result.get('backup') or {}).get('name') or item.name} from "
        f"{(item.result.get('backup') or {}).get('finished')}"
        for item in group.items
        if item.result.get("method") != "scratch" and item.result.get("backup")
    ]
    if not sentences:
        return []
    if group.would:
        return [Fact("would", f"restore {' · '.join(sentences)}", "calm")]
    return [Fact("restored", " · ".join(sentences))]
