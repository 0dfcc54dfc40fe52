# SPDX-License-Identifier: GPL-3.0-or-later
"""From a look at the release to its page: what goes on now in sentences, live or as the run left it. Pure."""

from __future__ import annotations

import functools
import typing as t
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo

from .._formats import counted, lasting, versions_told
from .._gate.models import SampleStatus, Series
from .._gate.report import numbers
from .._redaction import Redactor
from .._release.models import ROLLED_BACK, RUNNING
from .._release.record import Record
from .._report.build import LOOKED_AT, RECORD_DEPTH, build_report
from .._report.models import LivePage, ReportOptions
from .._report.render import as_html
from .._status.lines import rolling
from .._story.next_step import watch_of
from .._story.plan import Plan
from .._time import UTC, parse_time

Body = t.Mapping[str, t.Any]


@dataclass(frozen=True)
class Sight:
    """One look. `body`: the record as JSON, empty before there is one. `watches`: by gate what it has seen.

    `services`: as those of a status, but of their pods only those of the newest version count.
    """

    body: Body
    services: t.Mapping[str, Body] = field(default_factory=dict)
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


GOOD = SampleStatus.GOOD.shown


def doing(sight: Sight, plan: Plan, zone: tzinfo, *, undo: bool = False) -> t.Iterator[str]:
    """What goes on, a sentence each."""
    record = sight.record
    phases = record.ordered(plan.names)
    running = [(name, phase) for name, phase in phases.items() if phase.running and not undo][-1:]
    by = f", by {record.actor or 'somebody'}."
    if undo:
        act = record.facts.rollback_asked
        who = f", by {act.by}" if act.by else ""
        why = f": {act.reason.rstrip('.')}" if act.reason else ""
        yield f"The release is being rolled back{since(parse_time(act.at), zone)}{who}{why}."
    elif not record.exists:
        yield "The release is starting: no phase is open yet."
        return
    elif not running:
        yield f"Between two phases{by}"
    for name, phase in running:
        seconds = plan.phase(name).seconds
        planned = f", planned {lasting(seconds)}" if seconds else ""
        yield f"{plan.place(name)}{since(phase.begun, zone)}{planned}{by}"
    versions = versions_told({name: entry["version"] for name, entry in sight.services.items()})
    if len(versions) > 1:
        yield f"{' · '.join(versions)}."
    if waiting := rolling(sight.services):
        yield f"{waiting}."
    for name, phase in running:
        if state := watch_of(sight.watches, phase, name):
            yield from watching(state, zone)


def watching(state: Body, zone: tzinfo) -> t.Iterator[str]:
    series = _series(state)
    bad = [name.replace("_", " ") for name, entry in series.items() if entry.status.shown != GOOD]
    rest = f": not {', '.join(bad)}" if bad else ""
    looked = lasting(state.get("elapsed")) or "0 s"
    good = len(series) - len(bad)
    yield f"Watched for {looked}: {good} of {counted(len(series), 'metric')} good{rest}."
    if state.get("held") is not None:
        held = datetime.fromtimestamp(state["started"] + state["held"], UTC)
        why = "; ".join(map(str, state.get("held_why") or ()))
        yield f"On hold{since(held, zone)}, waiting for a decision. {why}".strip()


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
        return {name: Series.from_json(entry) for name, entry in state["series"].items()}
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}


def since(value: datetime | None, zone: tzinfo) -> str:
    return f" since {value.astimezone(zone):%H:%M:%S %Z}" if value else ""


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
    live = LivePage(now, tuple(map(redact, lines)))
    return _built(sight, requested, now, redact, live)


def last_page_of(sight: Sight, requested: ReportOptions, ended: datetime, redact: Redactor) -> str:
    """Of a run that is over: a release that says it runs was interrupted."""
    interrupted = sight.runs(undo=requested.undo)
    return _built(sight, requested, ended if interrupted else None, redact, None)


def _built(
    sight: Sight,
    requested: ReportOptions,
    now: datetime | None,
    redact: Redactor,
    live: LivePage | None,
) -> str:
    """`now`: when its run was seen to live, or to have died."""
    body = with_watch(sight) if now else sight.body
    seen = {name: redact.within(getattr(sight, name), RECORD_DEPTH) for name in LOOKED_AT}
    versions = {name: service["version"] for name, service in sight.services.items()}
    wanted = replace(requested, versions=versions, now=now, live=live is not None, **seen)
    return as_html(replace(build_report(redact.within(body, RECORD_DEPTH), wanted), live=live))
