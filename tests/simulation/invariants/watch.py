"""The watch of a release or of a step of its ramp: its verdict, against what the metric was and what people said."""

import itertools
import typing as t

from ..plan import KILL_AFTER, KILL_BEFORE, PAUSE_AFTER, PAUSE_BEFORE
from ..platform import BREACH, GOOD
from ..scheduler import Process
from ..scripts.script import WATCH
from ..scripts.watch import METRIC
from ..tasks import Did
from .history import History, Part, Write, record_of

BY_A_CLOCK = 0.97
"""Of the time of a watch by a clock that goes two in a hundred too fast."""
KILLS = frozenset({KILL_BEFORE, KILL_AFTER})
MOST_MISSING = 0.25
"""Of its looks, by clocks that go as they like; the product's default is 0.1."""
LASTS = 4
"""Looks' time in which it looks at least three times, where two decide."""
LOOKED = 3.0
"""Seconds before its verdict in which an undisturbed watch looked last."""
PROCEED, ROLLBACK = "proceed", "rollback"


class WatchInvariants(Part):
    def __init__(self, history: History) -> None:
        super().__init__(history)
        self._begun: dict[tuple[str, int, str], float] = {}
        """When each was begun first, by release, attempt and gate."""
        self._kept: dict[tuple[str, int, str], list[float]] = {}
        """When each look of it was kept."""
        self._ahead: dict[tuple[str, int, str], list[float]] = {}
        """And how many seconds the clock was ahead of whose look it was."""

    def written(self, write: Write) -> None:
        if write.plural != "configmaps" or write.after is None:
            return
        module, params = self._history.doing(write.by)
        if module == "metrics_gate" and params["gate"] != WATCH:
            self._begun.setdefault(self._which(params), self._history.began(write.by))
        if module == "metrics_gate":
            self._kept.setdefault(self._which(params), []).append(write.at)
            self._ahead.setdefault(self._which(params), []).append(self._ahead_of(write.by))
        if "record.json" not in (write.after.get("data") or {}):
            return
        record = record_of(write.after)
        if record["phases"].get(WATCH, {}).get("status") == "running":
            phase = (record["version"], record["attempt"], WATCH)
            self._begun.setdefault(phase, self._world.scheduler.now)

    def claimed(self, _process: Process, did: Did) -> None:
        if did.module != "metrics_gate" or did.failed:
            return
        if any(metric["name"] == METRIC["name"] for metric in did.params["metrics"]):
            self._judged(did)

    def _judged(self, did: Did) -> None:
        verdict, person = did.result["verdict"], did.result["decision"]
        begun, seconds = self._begun[self._which(did.params)], did.params["duration"]
        check, now = self._check, self._world.scheduler.now
        if person:
            by, word = person["by"], {PROCEED: "approve", ROLLBACK: "reject"}.get(verdict, "")
            came = any(process.name == by for process in self._world.processes)
            said = self._history.options_of(by).get("decision") if came else ""
            check("watch_passes", said == word, f"{verdict}, and {by} said {said!r}")
        if verdict == PROCEED:
            took, ahead = now - begun, self._ahead.get(self._which(did.params), [0.0])
            # Who goes on with another's watch tells by its own clock how long that lasted.
            differ = max(ahead) - min(ahead)
            check(
                "watch_passes",
                bool(person) or took >= BY_A_CLOCK * seconds - differ,
                f"the watch passed after {took:.0f} s",
            )
        elif verdict == ROLLBACK and not person:
            check(
                "watch_goes_back",
                any(value > BREACH for value in self._seen(begun, now)),
                "the watch went back, and the metric was no breach",
            )
        befell = {one.kind for one in self._world.befell}
        paused = befell <= {*KILLS, PAUSE_BEFORE, PAUSE_AFTER}
        if verdict == PROCEED and not did.result["held"] and paused:
            missed, looks = self._missed(did)
            check(
                "watch_passes",
                missed <= 1 or missed <= MOST_MISSING * (missed + looks),
                f"the watch passed with {looks} looks, and missed {missed}",
            )
        if befell - KILLS:
            return
        if verdict == PROCEED:
            seen = self._seen(now - LOOKED, now)
            good = any(value <= (BREACH if person else GOOD) for value in seen)
            check(
                "watch_passes",
                good or bool(person and not seen),
                f"the watch passed, and at the end the metric was {sorted({*seen})}",
            )
        if verdict != ROLLBACK:
            lasted = self._lasting(did, lambda value: value is not None and value > BREACH)
            check(
                "watch_goes_back", not lasted, f"the verdict is {verdict} after a breach {lasted}"
            )
        if verdict == PROCEED and not did.params["hold_for"]:
            unseen = self._lasting(did, lambda value: value is None)
            check("watch_passes", not unseen, f"the watch passed, and saw nothing {unseen}")

    def _missed(self, did: Did) -> tuple[int, int]:
        """Looks that were due in the time of this run, up to a hold, and not kept; and those that were."""
        interval, duration = did.params["interval"], did.params["duration"]
        end = did.began + duration + interval
        kept = [at for at in self._kept.get(self._which(did.params), ()) if did.began <= at <= end]
        between = [later - at for at, later in itertools.pairwise(kept)]
        missed = sum(max(int((gap - LOOKED) // interval), 0) for gap in between)
        return missed, len(kept)

    def _ahead_of(self, by: str) -> float:
        now = self._world.scheduler.now
        processes = [one for one in self._world.processes if one.name == by]
        return now * (processes[-1].rate - 1.0) + processes[-1].ahead if processes else 0.0

    def _which(self, params: t.Mapping[str, t.Any]) -> tuple[str, int, str]:
        release = params["release"]
        return release, self._history.record(release)["attempt"], params["gate"]

    def _seen(self, begin: float, end: float) -> list[float]:
        """What a look between these, by the scheduler, could have seen; empty when Prometheus told nobody."""
        world = self._world
        dark, light = world.plan.blind
        times = [begin - world.began + 0.5 * step for step in range(int(2 * (end - begin)) + 1)]
        values = [world.plan.metric_at(at) for at in times if not dark <= at < light]
        return [one for one in values if one is not None]

    def _lasting(self, did: Did, of: t.Callable[[float | None], bool]) -> str:
        """Since when and until when this run's metric was so for long."""
        world, interval = self._world, did.params["interval"]
        dark, light = world.plan.blind
        for since, until, value in world.plan.metric:
            first = max(since, did.began + interval - world.began)
            last = min(until, world.scheduler.now - interval - world.began)
            blind = dark < last and first < light
            if of(value) and last - first >= LASTS * interval and not blind:
                return f"from {first:.0f} to {last:.0f} s"
        return ""
