# SPDX-License-Identifier: GPL-3.0-or-later
"""From a look at the release to its page: what goes on now in sentences, live or as the run left it. Pure."""

from __future__ import annotations

import functools
import typing as t
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo

from .._formats import counted, lasting, listed
from .._gate.models import SampleStatus, Series
from .._gate.report import numbers
from .._redaction import Redactor
from .._release.decode import restored
from .._release.models import ROLLED_BACK, RUNNING
from .._release.record import Phase, Record
from .._report.build import build_report
from .._report.models import LivePage, ReportOptions
from .._report.render import as_html
from .._story.next_step import watch_of
from .._story.plan import Plan
from .._time import UTC, parse_time

Body = t.Mapping[str, t.Any]


@dataclass(frozen=True)
class LiveService:
    """A Deployment: the version of its template, and how many pods of it are there."""

    version: str
    ready: int
    desired: int
    complete: bool


@dataclass(frozen=True)
class Sight:
    """One look. `body`: the record as JSON, empty before there is one. `watches`: by gate what it has seen."""

    body: Body
    services: t.Mapping[str, LiveService] = field(default_factory=dict)
    watches: Body = field(default_factory=dict)
    availability: Body = field(default_factory=dict)
    pins: Body = field(default_factory=dict)
    flags: Body = field(default_factory=dict)

    @functools.cached_property
    def record(self) -> Record:
        return Record.read(self.body)

    def runs(self, *, undo: bool) -> bool:
        """Whether a run is at work on it, for all that the record tells. `undo`: it takes the release back."""
        status = self.record.status
        return bool(status != ROLLED_BACK if undo and status else status == RUNNING)


NAMED = 6
"""As many services are named."""
GOOD = SampleStatus.GOOD.shown


def doing(sight: Sight, plan: Plan, zone: tzinfo, *, undo: bool = False) -> tuple[str, ...]:
    record = sight.record
    if undo:
        return (going_back(record, zone), *rolling(sight.services))
    if not record.exists:
        return ("The release is starting: no phase is open yet.",)
    known = record.ordered(plan.names)
    running = [(name, entry) for name, entry in known.items() if entry.running]
    lines = [_phase(name, phase, plan, record, zone) for name, phase in running[-1:]]
    if not running:
        lines.append(f"Between two phases, by {record.actor or 'somebody'}.")
    lines += rolling(sight.services)
    lines += [
        line
        for name, phase in running[-1:]
        if (state := watch_of(sight.watches, phase, name))
        for line in watching(state, zone)
    ]
    return tuple(lines)


def going_back(record: Record, zone: tzinfo) -> str:
    rollback_asked = record.facts.rollback_asked
    began = parse_time(rollback_asked.at)
    since = f" since {moment(began, zone)}" if began else ""
    who = f", by {rollback_asked.by}" if rollback_asked.by else ""
    why = f": {rollback_asked.reason.rstrip('.')}" if rollback_asked.reason else ""
    return f"The release is being rolled back{since}{who}{why}."


def _phase(name: str, phase: Phase, plan: Plan, record: Record, zone: tzinfo) -> str:
    seconds = plan.phase(name).seconds
    planned = f", planned {lasting(seconds)}" if seconds else ""
    place = plan.place(name)
    began = phase.begun
    since = f" since {moment(began, zone)}" if began else ""
    return f"{place}{since}{planned}, by {record.actor or 'somebody'}."


def rolling(services: t.Mapping[str, LiveService]) -> t.Iterator[str]:
    """Which versions there are, when several, and which service is not complete."""
    versions = Counter(service.version for service in services.values())
    if len(versions) > 1:
        sentences = [f"{version} on {count}" for version, count in versions.most_common()]
        yield f"Of {counted(len(services), 'service')}: {', '.join(sentences)}."
    waiting = {name: service for name, service in services.items() if not service.complete}
    if not waiting:
        return
    named = [
        f"{name} {entry.version} {entry.ready}/{entry.desired}" for name, entry in waiting.items()
    ]
    whole = len(services) - len(waiting)
    yield f"{whole} of {counted(len(services), 'service')} complete. Rolling: {listed(named, NAMED)}."


def watching(state: Body, zone: tzinfo) -> t.Iterator[str]:
    series = _series(state)
    good = [name for name, entry in series.items() if entry.status.shown == GOOD]
    bad = [name.replace("_", " ") for name in series if name not in good]
    rest = f": not {', '.join(bad)}" if bad else ""
    looked = lasting(state.get("elapsed")) or "0 s"
    yield f"Watched for {looked}: {len(good)} of {counted(len(series), 'metric')} good{rest}."
    if state.get("held") is not None:
        since = datetime.fromtimestamp(state["started"] + state["held"], UTC)
        why = "; ".join(map(str, state.get("held_why") or ()))
        yield f"On hold since {moment(since, zone)}, waiting for a decision. {why}".strip()


def with_watch(sight: Sight) -> Body:
    """The record as if its running watch had ended now."""
    record = sight.record
    for name, phase in sight.record.phases.items():
        state = watch_of(sight.watches, phase, name) if phase.running else {}
        if state:
            record = record.with_evidence(name, metrics=[*_entries(state)])
    return record.body


def _entries(state: Body) -> t.Iterator[dict[str, t.Any]]:
    requested = state.get("asked") or {}
    for name, series in _series(state).items():
        yield {
            "name": name,
            **requested.get(name, {}),
            **numbers(series),
            "status": series.status.shown,
            "points": [list(point) for point in series.points],
        }


def _series(state: Body) -> dict[str, Series]:
    try:
        return {name: restored(Series, entry, name) for name, entry in state["series"].items()}
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}


def moment(value: datetime, zone: tzinfo) -> str:
    return f"{value.astimezone(zone):%H:%M:%S %Z}"


DEPTH = 20


def page_of(
    sight: Sight,
    requested: ReportOptions,
    now: datetime,
    redact: Redactor,
    *,
    problems: t.Sequence[str] = (),
) -> str:
    """While the run lives. `problems`: places that could not be written."""
    lines = (*doing(sight, requested.plan, requested.zone, undo=requested.undo), *problems)
    live = LivePage(now, moment(now, requested.zone), tuple(redact(line) for line in lines))
    return _built(replace(sight, body=with_watch(sight)), requested, now, redact, live)


def last_page_of(sight: Sight, requested: ReportOptions, ended: datetime, redact: Redactor) -> str:
    """Of a run that is over: a release that says it runs was interrupted."""
    if sight.runs(undo=requested.undo):
        return _built(replace(sight, body=with_watch(sight)), requested, ended, redact, None)
    return _built(sight, requested, None, redact, None)


def _built(
    sight: Sight,
    requested: ReportOptions,
    now: datetime | None,
    redact: Redactor,
    live: LivePage | None,
) -> str:
    record = redact.within(sight.body, DEPTH)
    wanted = replace(
        requested,
        pins=redact.within(sight.pins, DEPTH),
        availability=redact.within(sight.availability, DEPTH),
        flags=redact.within(sight.flags, DEPTH),
        versions={name: service.version for name, service in sight.services.items()},
        now=now,
        live=live is not None,
    )
    return as_html(replace(build_report(record, wanted), live=live))
