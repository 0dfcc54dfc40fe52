# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of a release while a run goes on: the record's phases, and what this run does in them.

Knows neither Ansible nor Slack; `headline` puts it into words. Times are seconds since the epoch, as in the record.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._release.models import NOT_READY
from .._release.record import Phase, Record, RecordedMetric
from .._story.plan import UNPLANNED, Plan
from .._terminal.models import RunFailure
from .._terminal.run import PlaybookState, Stage

SERVICES_PHASE, WATCH_PHASE = "microservices", "monitoring"


@dataclass(frozen=True)
class Release:
    """`on_call` is an id in Slack or only a name, "" for no contact; `units` are those of metrics by name.

    `links` are what a button says, and where it leads.
    """

    title: str
    playbook: str
    environment: str = ""
    on_call: str = ""
    on_call_name: str = ""
    plan: Plan = UNPLANNED
    links: tuple[tuple[str, str], ...] = ()
    units: t.Mapping[str, str] = field(default_factory=dict)


class ReleaseStatus(PlaybookState):
    """State of a release as this run sees it."""

    def __init__(self, release: Release, started: float) -> None:
        super().__init__(release.plan, started)
        self.release = release
        self.record = Record()
        """Of the attempt; one without a number until it was seen."""
        self.readings: tuple[RecordedMetric, ...] = ()
        self.touched = False
        """Whether this run has changed anything: one that was refused has not."""

    @property
    def deploys(self) -> bool:
        """Whether this run takes the release through its phases, and does nothing else."""
        return any(stage.phase for stage in self.stages) or not self.stages

    @property
    def failures(self) -> list[RunFailure]:
        return [failure for stage in self.stages for failure in stage.failures]

    @property
    def held(self) -> bool:
        """Whether what stopped this run is a hold, and no failure."""
        return bool(self.failures) and self.failures[0].held

    @property
    def refused(self) -> bool:
        """Whether the first phase found that the release is not ready. It only looks, so nothing was touched."""
        failed = next((stage for stage in self.stages if stage.failures), None)
        first = bool(failed and failed.number == 1)
        return first and self.failures[0].reason in NOT_READY

    def stage_of(self, phase: str) -> Stage | None:
        return next((stage for stage in self.stages if stage.phase == phase), None)

    @property
    def phases(self) -> dict[str, Phase]:
        """Those of the record that have begun."""
        return {name: phase for name, phase in self.record.phases.items() if phase.begun}

    def failed(self, failure: RunFailure) -> bool:
        """Notes it, and tells whether it says anything that an earlier one did not."""
        news = not any(known.sentence in failure.sentence for known in self.failures)
        if self.stages:
            self.stages[-1].failures.append(failure)
        return news

    def progressed(self, host: str, text: str) -> None:
        """Keeps the newest line of each host."""
        if self.stages:
            self.stages[-1].progress.pop(host, None)
            self.stages[-1].progress[host] = text

    def measured(self, readings: t.Iterable[RecordedMetric]) -> None:
        """The newest of each metric counts: the sign-off looks at the alerts alone."""
        known = {reading.name: reading for reading in self.readings}
        self.readings = tuple((known | {reading.name: reading for reading in readings}).values())

    def record_seen(self, record: Record) -> None:
        if self.record.attempt and self.record.identity != record.identity:
            self.readings = ()
        self.record = record
