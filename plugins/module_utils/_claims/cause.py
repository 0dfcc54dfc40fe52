# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Why a release went back, from its record: the causes in the order of time, each with who and when. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import datetime, tzinfo

from .._messages.record_reader import mapping
from .._time import UTC, parse_time

Body = t.Mapping[str, t.Any]

BREACHED = "breached"
EARLIEST = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Cause:
    """`at` is RFC 3339, "" when the record does not tell. `who` is "" for the release's own rules."""

    what: str
    at: str = ""
    who: str = ""

    def sentence(self, zone: tzinfo = UTC) -> str:
        moment = parse_time(self.at)
        when = f"{moment.astimezone(zone):%H:%M}" if moment else ""
        told = ", ".join(one for one in (self.who, when) if one)
        return f"{self.what.rstrip('.')} ({told})" if told else self.what


def causes_of(record: Body) -> list[Cause]:
    """The newest last. A failed try whose phase was done afterwards is none."""
    facts = mapping(record.get("facts"))
    found = [
        *_failures(record),
        *_kills(facts),
        *_rejects(facts),
        *_breaches(facts),
        *_asked(facts),
    ]
    return sorted(dict.fromkeys(found), key=lambda one: parse_time(one.at) or EARLIEST)


def latest_cause(record: Body) -> Cause:
    causes = causes_of(record)
    return causes[-1] if causes else Cause("no reason was given")


def _failures(record: Body) -> t.Iterator[Cause]:
    for phase in map(mapping, mapping(record.get("phases")).values()):
        if phase.get("status") != "failed":
            continue
        tries = phase.get("earlier_failures")
        for one in [*(tries if isinstance(tries, list) else []), phase]:
            failures = mapping(mapping(mapping(one).get("evidence")).get("failures"))
            for host, failure in failures.items():
                said = str(mapping(failure).get("message") or "it failed")
                where = "" if host == "localhost" else f"{host}: "
                yield Cause(f"{where}{said}", str(mapping(one).get("finished") or ""))


def _kills(facts: Body) -> t.Iterator[Cause]:
    for at, one in mapping(facts.get("kill_switches")).items():
        if mapping(one).get("what", "set") == "set":
            yield Cause(f"kill switch: {mapping(one).get('reason')}", str(at), said_by(one))


def _rejects(facts: Body) -> t.Iterator[Cause]:
    for one in map(mapping, mapping(facts.get("decisions")).values()):
        if one.get("decision") == "reject":
            yield Cause(f"rejected: {one.get('reason')}", str(one.get("at") or ""), said_by(one))


def _breaches(facts: Body) -> t.Iterator[Cause]:
    history = mapping(facts.get("ramp")).get("history")
    for one in map(mapping, history if isinstance(history, list) else []):
        if one.get("what") == BREACHED:
            why = f": {one.get('reason')}" if one.get("reason") else ""
            yield Cause(f"the ramp's metrics were in breach{why}", str(one.get("at") or ""))


def _asked(facts: Body) -> t.Iterator[Cause]:
    asked = mapping(facts.get("rollback_asked"))
    if asked.get("reason"):
        yield Cause(str(asked["reason"]), str(asked.get("at") or ""), said_by(asked))


def said_by(entry: t.Any) -> str:
    return str(mapping(entry).get("by") or "")
