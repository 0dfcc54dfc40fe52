# SPDX-License-Identifier: GPL-3.0-or-later
"""What a live page is ordered with, and what one look at the cluster gives it."""

from __future__ import annotations

import functools
import typing as t
from dataclasses import dataclass, field

from .._release.models import ROLLED_BACK, RUNNING
from .._story.record import Record

Body = t.Mapping[str, t.Any]


@dataclass(frozen=True)
class Service:
    """A Deployment: the version of its template, and how many pods of it are there."""

    version: str
    ready: int
    desired: int
    complete: bool


@dataclass(frozen=True)
class Sight:
    """One look. `body`: the record as JSON, empty before there is one. `watches`: by gate what it has seen."""

    body: Body
    services: t.Mapping[str, Service] = field(default_factory=dict)
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
