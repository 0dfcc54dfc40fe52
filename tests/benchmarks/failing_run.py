"""Rolls a service to what can only fail, once for each way to fail, and prints when it was called as JSON.

Its argument is the size: small is two ways to fail.

A thread of its own asks the API ten times a second for the sign that dooms, by the words of Kubernetes and not by ours.
"""

import json
import sys
import tempfile
import threading
import time
import typing as t
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.easymo.deploy.plugins.module_utils._cluster import MonotonicClock, Object
from ansible_collections.easymo.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.easymo.deploy.plugins.module_utils._rollout import failures, follow
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.plan import RolloutRequest
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.runner import Rollout, Settings
from tests.benchmarks.measurement import Size
from tests.contract.rollout_cluster import SERVICE, running_cluster
from tests.contract.rollout_place import NEW, Stage, stage

WITHIN = 200.0
ASK_EVERY = 0.1


@dataclass(frozen=True)
class Doom:
    """`rule`: what the rollout must call it. `shown`: whether a container's status shows it."""

    rule: str
    image: str
    shown: t.Callable[[Object], bool]
    fault: str = ""
    quorum: str = "nodes"
    ready_seconds: int = 0
    """How long its pods must be ready to count: those killed for memory are ready before."""


def waits_for(*reasons: str) -> t.Callable[[Object], bool]:
    def shown(status: Object) -> bool:
        return status["state"].get("waiting", {}).get("reason") in reasons

    return shown


def ended_twice(status: Object) -> bool:
    """A restart is of a run that ended; so did one that lies terminated, if only for a moment, or is held back."""
    ended = "terminated" in status["state"] or waits_for("CrashLoopBackOff")(status)
    return int(status["restartCount"]) + ended >= 2


DOOMS = (
    Doom("ImageNotFound", f"{NEW}-absent", waits_for("ErrImagePull", "ImagePullBackOff")),
    Doom("CrashLoop", f"{NEW}-crash", ended_twice, quorum="any"),
    Doom("CrashLoop", f"{NEW}-crash", ended_twice),
    Doom("OutOfMemory", f"{NEW}-oom", ended_twice, quorum="any", ready_seconds=10),
    Doom("OutOfMemory", f"{NEW}-oom", ended_twice, ready_seconds=10),
    Doom(
        "ConfigMissing", NEW, waits_for("CreateContainerConfigError"), "node.bad-config-reference"
    ),
    Doom("QuotaExceeded", NEW, lambda _status: False, "node.quota-exceeded"),
)


def main() -> None:
    with (
        tempfile.TemporaryDirectory(prefix="easymo-failing-") as folder,
        running_cluster(Path(folder)) as world,
    ):
        found = []
        for doom in Size(sys.argv[1]).of(small=DOOMS[:2], full=DOOMS):
            with stage(world, minReadySeconds=doom.ready_seconds) as at:
                if doom.fault:
                    at.break_cluster(doom.fault)
                found.append(measured(at, doom))
    print(json.dumps(found))


def measured(at: Stage, doom: Doom) -> dict[str, t.Any]:
    with watched(at, doom) as seen, followed() as called:
        began = time.monotonic()
        rollout = Rollout(
            at.cluster,
            SERVICE,
            RolloutRequest(state="released", container=SERVICE, image=doom.image),
            None,
            settings=Settings(wait_timeout=WITHIN, undo_on_failure=False, quorum=doom.quorum),
            clock=MonotonicClock(),
            report=lambda _text, _counts: None,
        )
        with suppress(DeployError):
            rollout.carry_out(rollout.plan())
    [(when, reason)] = called
    if reason != doom.rule or not seen:
        raise SystemExit(f"{doom.rule} was called {reason}, its sign seen {len(seen)} times")
    [dwell] = [rule.dwell for rule in failures.RULES if rule.name == doom.rule]
    return {
        "rule": doom.rule,
        "quorum": doom.quorum,
        "dwell": dwell,
        "after": when - began,
        "late": max(0.0, when - seen[0] - (dwell or 0)),
    }


@contextmanager
def watched(at: Stage, doom: Doom) -> t.Iterator[list[float]]:
    """The moment at which the sign was first there."""
    seen: list[float] = []
    over = threading.Event()

    def watch() -> None:
        while not seen:
            # Whoever is quicker than we ask ends before we saw anything: the sign is there still.
            last = over.wait(ASK_EVERY)
            if refused(at) or any(doom.shown(one) for one in statuses(at, doom.image)):
                seen.append(time.monotonic())
            if last:
                return

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def statuses(at: Stage, image: str) -> t.Iterator[Object]:
    for pod in at.cluster.list_objects("Pod"):
        for one in pod["status"].get("containerStatuses") or ():
            if one["name"] == SERVICE and pod["spec"]["containers"][0]["image"] == image:
                yield one


def refused(at: Stage) -> bool:
    return any(
        condition["type"] == "ReplicaFailure"
        for one in at.cluster.list_objects("ReplicaSet")
        for condition in one["status"].get("conditions") or ()
    )


@contextmanager
def followed() -> t.Iterator[list[tuple[float, str]]]:
    """When following ended, and with what reason."""
    ends = follow.Follower.follow
    called: list[tuple[float, str]] = []

    def told(follower: follow.Follower, course: t.Any) -> follow.RolloutStatus:
        arrival = ends(follower, course)
        called.append((time.monotonic(), arrival.verdict.reason))
        return arrival

    follow.Follower.follow = told  # type: ignore[method-assign]
    try:
        yield called
    finally:
        follow.Follower.follow = ends  # type: ignore[method-assign]


if __name__ == "__main__":
    main()
