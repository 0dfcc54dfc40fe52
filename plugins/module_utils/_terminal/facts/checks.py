# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts of checks, tests, people's answers and databases: a count, and each exception by its name."""

from __future__ import annotations

import re
import typing as t
from collections import Counter

from ..._formats import counted, listed, size
from ..._release.record import Rehearsal
from ..layout import CAUSE, one_line
from ..models import Fact, Group

Row = t.Mapping[str, t.Any]
FEW = 2
GOOD = ("pass", "good", "ok")
URL = re.compile(r"\b[a-z]+://\S+")


def preflight(group: Group) -> list[Fact]:
    """Sign-offs are told apart from what machines looked at. One check alone, which passed, opened a phase."""
    rows = group.rows("results")
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
        names = [str(row.get("name")) for row in planned]
        return [Fact(label, f"would ask {listed(names, 5)}", "calm")]
    facts = []
    if passed or not rest:
        of = f" of {len(rows) - len(skipped)}" if rest else ""
        text = " · ".join(filter(None, [f"{len(passed)}{of} passed", more]))
        facts.append(Fact(label, text, "" if rest else "good"))
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
    why = Counter(" ".join(URL.sub("", str(row.get("detail"))).split()) for row in rows)
    return " · ".join(f"{text} ({number})" if number > 1 else text for text, number in why.items())


def health(group: Group) -> list[Fact]:
    if probes := group.rows("probes"):
        return webhook(probes) if "outcome" in probes[0] else called(probes)
    rows = group.rows("results")
    good = [row for row in rows if row.get("status") in GOOD]
    if len(rows) <= FEW and len(good) == len(rows):
        sentences = [f"{row['name']}: {row['detail']}" for row in rows]
        return [Fact("checked", one_line(" · ".join(sentences)))] if sentences else []
    return counts(rows, "checked", "check")


def smoke(group: Group) -> list[Fact]:
    """Results that are collected were told by the tasks that they are of."""
    rows = group.rows("results")
    return counts(rows, "tests", "test", named=whole_cause(group)) if rows else []


def people(group: Group) -> list[Fact]:
    rows = group.rows("results")
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
    unknown = sum(row.get("outcome") == "unknown" for row in rows)
    bad = [row for row in rows if row.get("outcome") not in (*GOOD, "unknown")]
    if bad:
        return [_wrong("webhook", row, "evidence") for row in bad]
    more = f"; of {unknown} the answer does not tell" if unknown else ""
    text = f"{len(rows) - unknown} of {len(rows)} messages answered as they must be{more}"
    return [Fact("webhook", text)]


def called(rows: list[Row]) -> list[Fact]:
    bad = [_wrong("called", row, "detail") for row in rows if not row.get("passed")]
    return bad or [Fact("called", f"{counted(len(rows), 'function')} answered")]


def _wrong(label: str, row: Row, why: str) -> Fact:
    return Fact(label, f"{row['name']}: {one_line(str(row.get(why)))}", "bad")


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
        names = [item.name for item in group.good if item.changed]
        return [Fact("backups", f"would back up {', '.join(names)}", "calm")] if names else []
    made = [item.result["backup"] for item in group.items if item.result.get("backup")]
    sentences = [f"{entry['name']} {size(entry.get('size'))}" for entry in made]
    stored = "" if any(item.changed for item in group.items) else ", taken before"
    return [Fact("backups", f"{' · '.join(sentences)}, read back{stored}")] if sentences else []


def migrations(group: Group) -> list[Fact]:
    if any("history" in item.result for item in group.items):
        return []
    settled = [
        (item.name, item.result["resolved"]) for item in group.items if "resolved" in item.result
    ]
    if settled:
        text = " · ".join(f"{name} {', '.join(names) or 'nothing'}" for name, names in settled)
        return group.would_or("resolve:", "resolved", text)
    key, items = ("pending", group.good) if group.would else ("applied", group.items)
    numbers = {item.name: len(item.result.get(key) or ()) for item in items}
    if not group.would and not any(numbers.values()):
        idle = ", ".join(item.name for item in group.good)
        return [Fact("applied", f"{idle}: nothing is pending")] if idle else []
    texts = [f"{name} {counted(number, 'migration')}" for name, number in numbers.items()]
    return group.would_or("apply:", "applied", " · ".join(texts))


def rehearsals(results: t.Sequence[Rehearsal]) -> list[Fact]:
    """By database, as the record has them."""
    facts = []
    for result in results:
        number = counted(len(result.pending), "migration")
        if result.status == "passed":
            facts.append(Fact("rehearsed", f"{result.name}: {number} on its restored backup"))
        elif result.status == "waived":
            why = f"{result.waiver} (by {result.waived_by})"
            facts.append(Fact("rehearsed", f"{result.name}: waived, {why}", "warn"))
    return facts


def restores(group: Group) -> list[Fact]:
    """The rehearsal's scratch database is no restore."""
    restored = [
        (item.name, item.result["backup"])
        for item in group.items
        if item.result.get("method") != "scratch" and item.result.get("backup")
    ]
    texts = [
        f"{backup.get('name') or name} from {backup.get('finished')}" for name, backup in restored
    ]
    return group.would_or("restore", "restored", " · ".join(texts))
