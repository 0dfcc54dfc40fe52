# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the page again whenever something changed, as long as the run lives, and once more when it is over."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from datetime import datetime

from .._cluster import Clock, Cluster
from .._errors import DeployError
from .._messages.redactor import Redactor
from .._report.models import Asked
from .models import Sight
from .page import last_page_of, page_of
from .places import FilePlace, Published
from .see import Observer

EVERY = 5.0
"""Seconds between two looks."""
AT_LEAST = 30.0
"""Seconds after which the page is written although nothing changed: a page that is silent for two minutes is dead."""
CALL = 10.0
"""Seconds that a look may take."""

Ended = t.Callable[[float], bool]
"""Waits up to so many seconds and tells whether the run ended."""


@dataclass
class PageWriter:
    """`own` is the report's file, `others` the places that people open. `asked` is called for the last page."""

    observer: Observer
    services: t.Sequence[str]
    asked: t.Callable[[Sight], Asked]
    live: Asked
    own: FilePlace
    others: list[Published]
    redact: Redactor
    clock: Clock
    wall: t.Callable[[], datetime]
    every: float = EVERY
    seen: Sight | None = None
    said: float = 0.0
    before: Sight | None = None
    found: str = ""
    """What the first look saw, and the page that lay there: a phase that is run again after the end is not live."""
    mine: Published = field(init=False)

    def __post_init__(self) -> None:
        self.mine = Published(self.own)

    def run(self, cluster: Cluster, ended: Ended) -> None:
        while True:
            self.look(cluster)
            if ended(self.every):
                self.finish(cluster)
                return

    def look(self, cluster: Cluster) -> None:
        """Once. Without sight of the cluster nothing is written: the page would say what is not known."""
        try:
            sight = self.observer.look(cluster.until(self.clock.now() + CALL), self.services)
        except DeployError:
            return
        if self.before is None:
            self.before, self.found = sight, self.own.read()
        if sight.body and not sight.runs(undo=self.live.undo):
            # Once the release has ended, its own task writes the report.
            return
        due = self.clock.now() - self.said >= AT_LEAST
        if sight == self.seen and not due and not any(one.problem for one in self.others):
            return
        self.seen, self.said = sight, self.clock.now()
        self._publish(sight)

    def finish(self, cluster: Cluster) -> None:
        """As the run left it. The report that the run wrote itself at its end is taken as it is."""
        try:
            sight = self.observer.look(cluster.until(self.clock.now() + CALL), self.services)
        except DeployError:
            if self.seen is None:
                return
            sight = self.seen
        if not self.mine.page and (self.before is None or sight.body == self.before.body):
            return  # it was never live, and nothing came of it
        page = self.own.read()
        if page == (self.mine.page or self.found):
            page = last_page_of(sight, self.asked(sight), self.wall(), self.redact)
            self.mine.publish(page)
        for one in self.others:
            one.publish(page)

    def _publish(self, sight: Sight) -> None:
        now = self.wall()
        page = page_of(sight, self.live, now, self.redact)
        for one in self.others:
            one.publish(page)
        troubles = [
            f"The page at {one.place.name} is not written: {one.problem}"
            for one in self.others
            if one.problem
        ]
        if troubles:
            page = page_of(sight, self.live, now, self.redact, problems=troubles)
        self.mine.publish(page)
