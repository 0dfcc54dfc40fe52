# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at the release, and write its page again as long as the run lives, and once more when it is over.

What goes on now is told in sentences, live or as the run left it.
"""

from __future__ import annotations

import functools
import gc
import typing as t
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from .._cluster import Clock, Cluster, MonotonicClock
from .._decode import decode, encoded, restored_by_name
from .._errors import DeployError, InputError
from .._gate.models import Series
from .._gate.report import measured
from .._kubernetes import KubernetesCluster
from .._kubernetes_client import Connection
from .._lock.models import UNDO
from .._module import Module
from .._redaction import Redactor
from .._release.models import ROLLED_BACK, RUNNING
from .._release.record import Record, RecordedMetric
from .._report.build import LOOKED_AT, RECORD_DEPTH, asked_of, build_report
from .._report.files import ReportFolder
from .._report.models import LivePage, ReportOptions
from .._report.render import as_html
from .._run_process import Run, detach, wait_for_end
from .._s3 import S3Bucket
from .._secret_forms import secrets_within
from .._status.build import rolling, service_of, whole, why_in
from .._story.next_step import Story, state_of, watch_of
from .._story.plan import Plan
from .._story.view import ReleaseView
from .._time import now

Body = t.Mapping[str, t.Any]


@dataclass(frozen=True)
class Sight:
    """One look. `body`: the record as JSON, empty before there is one. `watches`: the state of each gate's watch.

    `holder`: of the deploy lock, "" while it is free.
    `services`: as those of a status, but of their pods only those of the newest version count.
    """

    body: Body
    services: t.Mapping[str, Body] = field(default_factory=dict)
    watches: Body = field(default_factory=dict)
    availability: Body = field(default_factory=dict)
    holder: str = ""
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


def doing(sight: Sight, plan: Plan, now: datetime, *, undo: bool = False) -> t.Iterator[str]:
    """What goes on, a sentence each: as the status of that moment, and which services roll."""
    record = sight.record
    if not (record.exists or undo):
        yield "The release is starting: no phase is open yet."
        return
    # Who began the release may not be who goes on with it.
    holder = sight.holder or (record.facts.rollback_asked.by if undo else "") or record.actor
    lock = {"held": True, "holder": holder or "somebody", "purpose": UNDO if undo else ""}
    story = Story(record, plan, lock, watches=sight.watches, now=now)
    state = state_of(story)
    yield whole(f"{'on hold: ' if state.watching else ''}{why_in(story, state)}")
    if waiting := rolling(sight.services):
        yield f"{waiting}."


def _metrics(state: Body) -> t.Iterator[dict[str, t.Any]]:
    """As a record has them; none of a watch that cannot be read."""
    requested = state.get("asked") or {}
    try:
        known = restored_by_name(Series, state.get("series"), "series")
    except ValueError:
        return
    for name, series in known.items():
        question = decode(RecordedMetric, {**requested.get(name, {}), "name": name}, name, [])
        yield encoded(measured(question, series))


def page_of(sight: Sight, requested: ReportOptions, now: datetime, redact: Redactor) -> str:
    """Of a run that is over, a release that says it runs was interrupted."""
    live = None
    if requested.live:
        lines = doing(sight, requested.plan, now, undo=requested.undo)
        live = LivePage(now, tuple(map(redact, lines)))
    goes_on = requested.live or sight.runs(undo=requested.undo)
    body = redact.within((sight.watched if goes_on else sight.record).body, RECORD_DEPTH)
    beside = {name: redact.within(getattr(sight, name), RECORD_DEPTH) for name in LOOKED_AT}
    versions = {name: service["version"] for name, service in sight.services.items()}
    wanted = replace(requested, versions=versions, now=now if goes_on else None, **beside)
    return as_html(replace(build_report(body, wanted), live=live))


def observer(release: str, services: t.Container[str]) -> t.Callable[[Cluster], Sight]:
    """Looks at a release, and reads once what was pinned. Raises what the cluster raises."""
    pinned: dict[int, dict[str, t.Any]] = {}

    def observe(cluster: Cluster) -> Sight:
        view = ReleaseView(cluster, release, pinned=pinned)
        if view.record is None:
            return Sight({})
        return Sight(
            body=view.record.body,
            holder=view.lock.holder,
            services={
                name: service_of(entry, only_newest=True)
                for entry in view.deployments
                if (name := entry["name"]) in services
            },
            watches=view.watches,
            availability=view.availability,
            pins=view.pins["deployments"],
            flags=view.flags,
        )

    return observe


FILE = "report.html"
PATIENCE = 10.0
"""Seconds of silence after which S3 is left alone until the next page."""


@dataclass
class Published:
    """A place with what was last written there, and why the last try failed."""

    name: str
    write: t.Callable[[str], None]
    page: str = ""
    problem: str = ""

    def publish(self, page: str) -> None:
        """Trouble is kept and told; the next page tries again."""
        try:
            self.write(page)
        except DeployError as exc:
            self.problem = str(exc)
        else:
            self.page, self.problem = page, ""


def in_file(path: Path) -> Published:
    folder = ReportFolder(path.parent)
    return Published(str(path), lambda page: folder.write({path.name: page}))


def in_bucket(params: t.Mapping[str, t.Any]) -> Published:
    """Its client is made where it is used: it does not outlive a fork."""
    key = f"{params['prefix']}{params['key']}"
    bucket = functools.cache(lambda: S3Bucket.from_params(params, patience=PATIENCE, attempts=1))
    name = f"s3://{params['bucket']}/{key}"
    return Published(name, lambda page: bucket().put_page(key, page.encode()))


def places_of(params: t.Mapping[str, t.Any]) -> list[Published]:
    """Besides the report's own folder. Raises InputError for options that do not belong together."""
    places = [in_file(Path(params["folder"]) / FILE)] if params["folder"] else []
    if params["s3"]:
        if not params["s3"]["key"]:
            raise InputError("'s3.key' is empty: name the object that the page is kept as.")
        places.append(in_bucket(params["s3"]))
    return places


AT_LEAST = 30.0
"""Seconds after which the page is written although nothing changed: a page that is silent for two minutes is dead."""
CALL = 10.0
"""Seconds that a look may take."""

Ended = t.Callable[[float], bool]
"""Waits up to so many seconds and tells whether the run ended."""


@dataclass
class PageWriter:
    """`path` is the report's file, `others` the places that people open."""

    observe: t.Callable[[Cluster], Sight]
    live: ReportOptions
    path: Path
    others: list[Published]
    redact: Redactor
    clock: Clock
    wall: t.Callable[[], datetime]
    every: float = 5.0
    """Seconds between two looks."""
    written: Sight | None = None
    written_at: float = 0.0
    before: Sight | None = None
    page_before: str = ""
    """What the first look saw, and the page that lay there: a phase that is run again after the end is not live."""

    def __post_init__(self) -> None:
        self.mine = in_file(self.path)

    def read(self) -> str:
        name = self.path.name
        return ReportFolder(self.path.parent).read([name]).get(name, "")

    def run(self, cluster: Cluster, ended: Ended) -> None:
        while True:
            self.look(cluster)
            if ended(self.every):
                self.finish(cluster)
                return

    def look(self, cluster: Cluster) -> None:
        """Once. Without sight of the cluster nothing is written: the page would say what is not known."""
        try:
            sight = self.observe(cluster.until(self.clock.now() + CALL))
        except DeployError:
            return
        if self.before is None:
            self.before, self.page_before = sight, self.read()
        if sight.body and not sight.runs(undo=self.live.undo):
            # Once the release has ended, its own task writes the report.
            return
        due = self.clock.now() - self.written_at >= AT_LEAST
        if sight == self.written and not due and not any(other.problem for other in self.others):
            return
        self.written, self.written_at = sight, self.clock.now()
        page = page_of(sight, self.live, self.wall(), self.redact)
        for place in (*self.others, self.mine):
            place.publish(page)

    def finish(self, cluster: Cluster) -> None:
        """As the run left it. The report that the run wrote itself at its end is taken as it is."""
        try:
            sight = self.observe(cluster.until(self.clock.now() + CALL))
        except DeployError:
            if self.written is None:
                return
            sight = self.written
        if not self.mine.page and (self.before is None or sight.body == self.before.body):
            return  # it was never live, and nothing came of it
        page = self.read()
        if page == (self.mine.page or self.page_before):
            page = page_of(sight, replace(self.live, live=False), self.wall(), self.redact)
            self.mine.publish(page)
        for other in self.others:
            other.publish(page)


def write_pages(module: Module, params: t.Mapping[str, t.Any], run: Run | None) -> list[str]:
    """Their places. What cannot be written is a warning: no run fails for its page."""
    first, connection = writer_of(params), Connection.from_params(params)
    if run is None:
        module.warn("Only ansible-playbook's own machine writes the page: use a local connection.")
        return []
    first.look(KubernetesCluster(connection))
    places = [first.mine, *first.others]
    for published in places:
        if published.problem:
            module.warn(
                f"The release's page at {published.name} is not written, and tried again. {published.problem}"
            )

    def stay() -> None:
        # What came with the fork is not to be looked through again and again: that would copy it, page by page.
        gc.freeze()
        # A process of its own has connections of its own.
        cluster = KubernetesCluster(connection)
        writer_of(params).run(cluster, lambda seconds: wait_for_end(run, seconds))

    detach(stay)
    return [published.name for published in places]


def writer_of(params: t.Mapping[str, t.Any]) -> PageWriter:
    redact = Redactor(secrets_within(params))
    undo = params["purpose"] == UNDO
    return PageWriter(
        observe=observer(params["release"], params["services"]),
        live=replace(asked_of(params, redact), undo=undo, live=True),
        path=Path(params["dest"]) / FILE,
        others=places_of(params),
        redact=redact,
        clock=MonotonicClock(),
        wall=now,
        every=params["interval"],
    )
