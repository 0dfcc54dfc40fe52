# SPDX-License-Identifier: GPL-3.0-or-later
"""From a look at the release to its page: what goes on now in sentences, live or as the run left it. Pure."""

from __future__ import annotations

import functools
import typing as t
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo

from .._formats import counted, lasting
from .._gate.models import SampleStatus, Series
from .._gate.report import numbers
from .._redaction import Redactor
from .._release.decode import restored
from .._release.models import ROLLED_BACK, RUNNING
from .._release.record import Record, RecordedMetric
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

    @functools.cached_property
    def watched(self) -> Record:
        """The record as if its running watch had ended now."""
        record = self.record
        for name, phase in self.record.phases.items():
            if phase.running and (state := watch_of(self.watches, phase, name)):
                record = record.with_evidence(name, metrics=[*_metrics(state)])
        return record

    def runs(self, *, undo: bool) -> bool:
        """Whether a run is at work on it, for all that the record tells. `undo`: it takes the release back."""
        status = self.record.status
        return bool(status != ROLLED_BACK if undo and status else status == RUNNING)


GOOD = SampleStatus.GOOD.shown


def doing(sight: Sight, plan: Plan, zone: tzinfo, *, undo: bool = False) -> t.Iterator[str]:
    """What goes on, a sentence each."""
    record = sight.watched
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
        if state := watch_of(sight.watches, phase, name):
            yield from watching(state, phase.evidence.metrics, zone)
    if waiting := rolling(sight.services):
        yield f"{waiting}."


def watching(state: Body, metrics: t.Sequence[RecordedMetric], zone: tzinfo) -> t.Iterator[str]:
    bad = [metric.name.replace("_", " ") for metric in metrics if metric.status != GOOD]
    rest = f": not {', '.join(bad)}" if bad else ""
    looked = lasting(state.get("elapsed")) or "0 s"
    good = f"{len(metrics) - len(bad)} of {counted(len(metrics), 'metric')}"
    yield f"Watched for {looked}: {good} good{rest}."
    if state.get("held") is not None:
        held = datetime.fromtimestamp(state["started"] + state["held"], UTC)
        why = "; ".join(map(str, state.get("held_why") or ()))
        yield f"On hold{since(held, zone)}, waiting for a decision. {why}".strip()


def _metrics(state: Body) -> t.Iterator[dict[str, t.Any]]:
    """As a record has them; none of a watch that cannot be read."""
    requested = state.get("asked") or {}
    try:
        known = {name: restored(Series, entry, name) for name, entry in state["series"].items()}
    except (KeyError, TypeError, ValueError, AttributeError):
        return
    for name, series in known.items():
        yield {
            "name": name,
            **requested.get(name, {}),
            **numbers(series),
            "status": series.status.shown,
            "points": [list(point) for point in series.points],
        }


def since(value: datetime | None, zone: tzinfo) -> str:
    return f" since {value.astimezone(zone):%H:%M:%S %Z}" if value else ""


def page_of(sight: Sight, requested: ReportOptions, now: datetime, redact: Redactor) -> str:
    """Of a run that is over, a release that says it runs was interrupted."""
    live = None
    if requested.live:
        lines = doing(sight, requested.plan, requested.zone, undo=requested.undo)
        live = LivePage(now, tuple(map(redact, lines)))
    goes_on = requested.live or sight.runs(undo=requested.undo)
    body = redact.within((sight.watched if goes_on else sight.record).body, RECORD_DEPTH)
    beside = {name: redact.within(getattr(sight, name), RECORD_DEPTH) for name in LOOKED_AT}
    versions = {name: service["version"] for name, service in sight.services.items()}
    wanted = replace(requested, versions=versions, now=now if goes_on else None, **beside)
    return as_html(replace(build_report(body, wanted), live=live))
