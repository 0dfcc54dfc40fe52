# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""What users say of a release that is watched: which answers count, and what they make of the verdict. Pure."""

from __future__ import annotations

import typing as t

from .models import Verdict

Entry = t.Mapping[str, t.Any]

_RANK = [Verdict.PROCEED.value, Verdict.HOLD.value, Verdict.ROLLBACK.value]
_VERDICTS = {"pass": Verdict.PROCEED, "fail": Verdict.ROLLBACK}


def that_count(
    recorded: t.Mapping[str, Entry],
    given: Entry,
    *,
    gate: str,
    since: str,
    by: str = "",
) -> dict[str, t.Any]:
    """The newest answer to each question, by its name. Times as RFC 3339 in UTC.

    Of `recorded` those count that are about this gate and were given since the watch began, at `since`. They go before
    one of `given`, which came with the command, unless that says that it is newer.
    """
    found: dict[str, Entry] = {}
    for name, one in given.items():
        entry = dict(one) if isinstance(one, dict) else {"answer": one}
        found[name] = {**({"by": by} if by else {}), **entry}
    of_gate = [one for one in recorded.values() if one.get("gate") == gate]
    for one in sorted(of_gate, key=lambda one: str(one.get("at", ""))):
        name, at = str(one.get("name", "")), str(one.get("at", ""))
        if at >= since and at >= str(found.get(name, {}).get("at", "")):
            found[name] = {key: one.get(key, "") for key in ("answer", "by", "at", "note")}
    return found


def with_feedback(
    watch: Entry, rows: t.Sequence[Entry], *, gate: str, since: str = ""
) -> dict[str, t.Any]:
    """The result of a watch, with what people answered: the worse of both verdicts, and why.

    Where the metrics hold already, a question that nobody was asked adds nothing.
    """
    watched = str(watch["verdict"])
    unsaid = watched != Verdict.PROCEED.value
    found = [row for row in rows if not (unsaid and row["facts"]["answer"] == "none")]
    bad = [(row, _verdict(row)) for row in found if _verdict(row) is not Verdict.PROCEED]
    bad.sort(key=lambda one: _RANK.index(one[1].value), reverse=True)
    verdict = max([watched, *(one.value for _row, one in bad)], key=_RANK.index)
    span = {key: watch.get(key, "") for key in ("started", "ended")}
    reasons = [
        {
            "metric": row["name"],
            "verdict": one.value,
            "text": f"{row['name']}: {row['detail']}",
            "value": None,
            "bound": None,
            "query": row["facts"]["question"],
            "count": 0,
            **span,
        }
        for row, one in bad
    ]
    return {
        **watch,
        "verdict": verdict,
        "sentence": _sentence(watch, found, reasons, verdict, gate),
        "reasons": sorted(
            [*watch["reasons"], *reasons],
            key=lambda one: _RANK.index(one["verdict"]),
            reverse=True,
        ),
        "feedback": {
            "watched": watched,
            "since": since or span["started"],
            "answers": [_kept(row) for row in found],
        },
    }


def _verdict(row: Entry) -> Verdict:
    return _VERDICTS.get(str(row["status"]), Verdict.HOLD)


def _kept(row: Entry) -> dict[str, t.Any]:
    return {
        "name": row["name"],
        "status": row["status"],
        "detail": row["detail"],
        **row["facts"],
    }


def _sentence(
    watch: Entry, rows: t.Sequence[Entry], reasons: t.Sequence[Entry], verdict: str, gate: str
) -> str:
    if not reasons:
        said = ", ".join(f"{row['name']} {row['facts']['answer']}" for row in rows)
        return f"{watch['sentence']} Users: {said}." if said else str(watch["sentence"])
    why = "; ".join(str(one["text"]) for one in reasons)
    why += "" if why.endswith((".", "!", "?")) else "."
    before = "" if watch["verdict"] == Verdict.PROCEED.value else f" {watch['sentence']}"
    if verdict == Verdict.ROLLBACK.value:
        return f"{why} Roll back, or find the cause and run the same command again.{before}"
    more = f" -e gate={gate}" if gate != "monitoring" else ""
    return (
        f"{why} Answer with playbooks/decide.yml -e feedback={reasons[0]['metric']} -e answer=good -e by=$USER "
        f"-e \"reason='WHAT WAS SEEN'\"{more} (or minor, bad), then run the same command again.{before}"
    )
