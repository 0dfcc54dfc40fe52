"""The guard of a ramp: what it did, as it wrote it beside the flags, against what fired."""

import typing as t

import orjson

from ansible_collections.easymo.deploy.plugins.module_utils._cluster import (
    GUARD_ANNOTATION,
    KILL_SWITCH_ANNOTATION,
    Object,
)

from ..plan import CLOCK_JUMPS, KILL_AFTER, KILL_BEFORE, Alert
from ..platform import BREACH, FLAGS, QUIET, SETTLE, STEPS, SWITCH, VERSION
from ..scheduler import Process
from ..tasks import Did
from .history import RECORD, History, Part, Write, annotations_of, percentage_of

BY_A_CLOCK = 6.0
"""Seconds by which SETTLE is shorter for a clock that goes two in a hundred too fast, in whole seconds."""

SETTLED = SETTLE + 10.0
"""Seconds after an act in which the next look has certainly no reason to wait."""
CONFIRMED = 200.0
"""Seconds in which the next look certainly confirms the one before."""
SEEN = 180.0
"""Seconds in which a cause that is gone is certainly seen so, and once more after QUIET."""


class GuardInvariants(Part):
    def __init__(self, history: History) -> None:
        super().__init__(history)
        self._acted: dict[tuple[str, int], str] = {}
        """The act that answered each cause: an alert, and the number of the time that it fired."""
        self._beyond: dict[str, tuple[t.Any, int, float]] = {}
        """By guard a step, its looks at it through which the metric was beyond its bound, and the last one's end."""
        self._last: Write | None = None
        """Its last act."""
        self._lowered: Write | None = None
        """What changed the flags last, when that holds no lock."""

    def written(self, write: Write) -> None:
        if write.name != FLAGS or write.before is None or write.after is None:
            return
        module, _params = self._history.doing(write.by)
        if write.before["data"] != write.after["data"]:
            self._lowered = write if module in ("feature_guard", "kill_switch") else None
        if module != "feature_guard":
            return
        known = {one["id"] for one in _acts(write.before)}
        for act in _acts(write.after):
            if act["id"] not in known:
                self._acted_now(write, act)

    def claimed(self, process: Process, did: Did) -> None:
        """A look that nothing disturbed leaves no cause without its answer."""
        if did.params.get("state") == "read":
            return
        if did.module == "feature_guard" and not did.failed:
            self._check_told(process, did)
        world, history = self._world, self._history
        guards = [one for one in world.plan.actors if one.script == "guard"]
        if did.module != "feature_guard" or did.failed or world.plan.blind[1]:
            return
        if any(one.kind not in (KILL_AFTER, KILL_BEFORE) for one in world.befell):
            return
        if len({(one.ahead, one.rate) for one in guards}) > 1 or self._rests(process, did):
            return
        if self._last is not None and self._world.scheduler.now - self._last.at < SETTLED:
            return
        began, ended = (one - world.began for one in (did.began, world.scheduler.now))
        self._check_metric(process, began, ended)
        for alert in world.plan.alerts:
            since = alert.fires_since(began)
            if (
                since is not None
                and since == alert.fires_since(ended)
                and _fires_anew(alert, began)
            ):
                key = (alert.name, _number(alert, began))
                history.check(
                    "one_act", key in self._acted, f"{process.name} left {alert.name} unanswered"
                )

    def _check_metric(self, process: Process, began: float, ended: float) -> None:
        """What a second look confirms is answered by then, or by a third, where another guard kept its own memory."""
        history, flags = self._history, self._history.last_write("configmaps", FLAGS)
        spans = [one for one in self._world.plan.metric if one[0] <= began and ended < one[1]]
        if not spans or (spans[0][2] or 0.0) <= BREACH or flags is None or flags.after is None:
            self._beyond.pop(process.name, None)
            return
        set_at = history.record(VERSION)["phases"]["feature_flags"]["finished"]
        step = flags.at, set_at, spans[0]
        known, looks, last = self._beyond.get(process.name, (None, 0, 0.0))
        looks = looks + 1 if known == step and ended - last < CONFIRMED else 1
        self._beyond[process.name] = step, looks, ended
        if looks > 2:
            answered = any("metric errors" in act["causes"] for act in _acts(flags.after))
            history.check(
                "one_act", answered, f"{process.name} left a breach of the metric unanswered"
            )

    def _check_told(self, process: Process, did: Did) -> None:
        lowered = self._lowered
        told = [one["text"] for one in did.result["causes"] if one["key"] == "pods"]
        if told and lowered is not None and self._same_clock(lowered.by, process.name):
            ago = did.began - lowered.at
            waits = did.params["wait_timeout"] - BY_A_CLOCK
            self._check(
                "guard_waits",
                ago >= waits or ago < 0,
                f"{process.name} told of {told} {ago:.0f} s after {lowered.by} lowered it",
            )

    def _rests(self, process: Process, did: Did) -> bool:
        """Whether nobody is in, or somebody changes just then who is."""
        flags = self._history.find("configmaps", FLAGS)
        if flags is None or KILL_SWITCH_ANNOTATION in annotations_of(flags):
            return True
        changing = any(
            self._history.others_wrote("configmaps", one, did, process.name)
            for one in (FLAGS, RECORD)
        )
        on = flags["data"].get(SWITCH) == "true" and percentage_of(flags) in STEPS[1:-1]
        return changing or not on or self._history.record(VERSION).get("status") != "done"

    def _acted_now(self, write: Write, act: Object) -> None:
        old, new = percentage_of(write.before), percentage_of(write.after)
        lowered = act["what"] == "step_down" and old in STEPS and new == STEPS[STEPS.index(old) - 1]
        self._check(
            "guard_lowers",
            lowered or (act["what"] == "kill_switch" and new == 0),
            f"{write.by}: {act['what']} from {old} to {new}",
        )
        last, self._last = self._last, write
        if last is not None and act["what"] == "step_down" and self._same_clock(last.by, write.by):
            self._check(
                "guard_lowers",
                write.at - last.at >= SETTLE - BY_A_CLOCK,
                f"{write.by} acted {write.at - last.at:.0f} s after {last.by}",
            )
        for key in act["causes"]:
            kind, _space, name = key.partition(" ")
            found = [one for one in self._world.plan.alerts if one.name == name]
            if kind == "alert" and found:
                self._answered(write.by, act, found[0])

    def _same_clock(self, *names: str) -> bool:
        world = self._world
        clocks = {(one.ahead, one.rate) for one in world.plan.actors if one.name in names}
        jumped = any(one.kind == CLOCK_JUMPS for one in world.befell)
        return len(clocks) == 1 and not jumped and not any(map(self._history.is_troubled, names))

    def _answered(self, by: str, act: Object, alert: Alert) -> None:
        at = self._world.passed
        number = _number(alert, at)
        self._check("one_act", number >= 0, f"{by} acted for {alert.name}, which had not fired")
        before = self._acted.setdefault((alert.name, number), act["id"])
        self._check(
            "one_act", before == act["id"], f"{by} acted again for {alert.name}: {before} did"
        )


def _number(alert: Alert, at: float) -> int:
    """Which time it is that it fires; times that are less than QUIET apart are one, and -1 is none."""
    number, last = -1, float("-inf")
    for begin, end in alert.spans:
        if begin > at:
            break
        if begin - last >= QUIET:
            number += 1
        last = end
    return number


def _fires_anew(alert: Alert, at: float) -> bool:
    """Whether it is certain that guards saw the end of the time before."""
    spans = [(begin, end) for begin, end in alert.spans if begin <= at]
    ends = [float("-inf"), *(end for _begin, end in spans)]
    return spans[-1][0] - ends[-2] >= QUIET + SEEN


def _acts(body: Object) -> list[Object]:
    text = annotations_of(body).get(GUARD_ANNOTATION)
    return t.cast("list[Object]", orjson.loads(text)) if text else []
