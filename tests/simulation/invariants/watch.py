# SPDX-License-Identifier: GPL-3.0-or-later
"""The watch of a release: its verdict, against what the metric was and what people said."""

from __future__ import annotations

import typing as t

from ..plan import KILL_AFTER, KILL_BEFORE
from ..platform import BREACH, GATE, GOOD
from ..scripts.script import WATCH
from .history import History, Write, record_of
from .sentences import WATCH_GOES_BACK, WATCH_PASSES

if t.TYPE_CHECKING:
    from ..scheduler import Process
    from ..tasks import Did

BY_A_CLOCK = 0.97
"""Of the time of a watch by a clock that goes two in a hundred too fast."""
LOOKED = 3.0
"""Seconds before its verdict in which an undisturbed watch looked last."""
LASTS = 4 * GATE["interval"]
"""Seconds in which it looks at least three times, where two looks decide."""
PROCEED, ROLLBACK = "proceed", "rollback"


class WatchInvariants:
    def __init__(self, history: History) -> None:
        self._history = history
        self._begun: dict[tuple[str, int], float] = {}
        """When the phase was first opened, by release and attempt."""
        self._said: set[tuple[str, str]] = set()
        """Who decided what."""

    def written(self, write: Write) -> None:
        if write.plural != "configmaps" or write.after is None:
            return
        if "record.json" not in (write.after.get("data") or {}):
            return
        record = record_of(write.after)
        if record["phases"].get(WATCH, {}).get("status") == "running":
            attempt = (record["version"], record["attempt"])
            self._begun.setdefault(attempt, self._history.world.scheduler.now)

    def claimed(self, process: Process, did: Did) -> None:
        if did.failed:
            return
        if did.module == "release_decision":
            self._said.add((process.name, did.params["decision"]))
        elif did.module == "metrics_gate":
            self._judged(did)

    def _judged(self, did: Did) -> None:
        verdict, person = did.result["verdict"], did.result["decision"]
        begun = self._begun[self._attempt(did.params["release"])]
        check, now = self._history.check, self._history.world.scheduler.now
        if person:
            said = (person["by"], {PROCEED: "approve", ROLLBACK: "reject"}.get(verdict, ""))
            check(WATCH_PASSES, said in self._said, f"{verdict}, and nobody said {said}")
        if verdict == PROCEED:
            took = now - begun
            check(
                WATCH_PASSES,
                bool(person) or took >= BY_A_CLOCK * GATE["duration"],
                f"the watch passed after {took:.0f} s",
            )
        elif verdict == ROLLBACK and not person:
            check(
                WATCH_GOES_BACK,
                any(value > BREACH for value in self._seen(begun, now)),
                "the watch went back, and the metric was no breach",
            )
        befell = self._history.world.befell
        if any(one.kind not in (KILL_BEFORE, KILL_AFTER) for one in befell):
            return
        if verdict == PROCEED:
            seen = self._seen(now - LOOKED, now)
            good = any(value <= (BREACH if person else GOOD) for value in seen)
            check(
                WATCH_PASSES,
                good or bool(person and not seen),
                f"the watch passed, and at the end the metric was {sorted({*seen})}",
            )
        if verdict != ROLLBACK:
            lasted = self._lasting_breach(did.began, now)
            check(WATCH_GOES_BACK, not lasted, f"the verdict is {verdict} after a breach {lasted}")

    def _attempt(self, release: str) -> tuple[str, int]:
        return release, self._history.record(release)["attempt"]

    def _seen(self, begin: float, end: float) -> list[float]:
        """What a look between these, by the scheduler, could have seen; empty when Prometheus told nobody."""
        world = self._history.world
        dark, light = world.plan.blind
        times = [begin - world.began + 0.5 * step for step in range(int(2 * (end - begin)) + 1)]
        return [world.plan.metric_at(at) for at in times if not dark <= at < light]

    def _lasting_breach(self, begin: float, end: float) -> str:
        world = self._history.world
        dark, light = world.plan.blind
        for since, until, value in world.plan.metric or ():
            first = max(since, begin + GATE["interval"] - world.began)
            last = min(until, end - GATE["interval"] - world.began)
            blind = dark < last and first < light
            if value > BREACH and last - first >= LASTS and not blind:
                return f"from {first:.0f} to {last:.0f} s"
        return ""
