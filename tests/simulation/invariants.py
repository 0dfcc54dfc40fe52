# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds after every step, whatever happens. Each is a sentence of docs/guarantees.md.

They look at the server's objects alone, never at what the product believes, except where a task claims success.
"""

from __future__ import annotations

import base64
import gzip
import json
import typing as t
from dataclasses import dataclass

from ansible_collections.easymo.deploy.plugins.module_utils._cluster import (
    FENCE_ANNOTATION,
    KILL_SWITCH_ANNOTATION,
    ROLLOUT_ID_ANNOTATION,
    Object,
)
from sandbox.kubernetes.controllers.objects import pod_ready, terminating
from sandbox.kubernetes.errors import ApiError
from sandbox.kubernetes.routing import parse_path

from . import plan
from .platform import FLAGS, FLAGS_OFF, NAMESPACE, NEW, PERCENTAGE, SCHEDULE, VERSION

if t.TYPE_CHECKING:
    from .scheduler import Process
    from .tasks import Did
    from .world import Request, World

ONE_HOLDER = "one_holder"
EPOCHS_RISE = "epochs_rise"
FENCED = "fenced"
LOOKED_FIRST = "looked_first"
LOCK_IS_KEPT = "lock_is_kept"
LOST_IS_LOST = "lost_is_lost"
BEGINS_NOTHING = "begins_nothing"
STAYS_KILLED = "stays_killed"
STEP_BY_STEP = "step_by_step"
PINNED_FIRST = "pinned_first"
PINS_ARE_OLD = "pins_are_old"
BACK_AT_PINS = "back_at_pins"
PHASES_LAST = "phases_last"
CAPACITY = "capacity"
TRUE_CLAIMS = "true_claims"
ALWAYS_WORKS = "always_works"
NO_SURPRISE = "no_surprise"
LIVENESS = "liveness"

SENTENCES = {
    ONE_HOLDER: "An epoch of the deploy lock belongs to one run for ever.",
    EPOCHS_RISE: "The epoch of the lock and the fence on a Deployment only rise: no earlier holder overwrites a later.",
    FENCED: "What a run that holds the lock writes on a Deployment carries its epoch.",
    LOOKED_FIRST: "No rollout writes over a template that somebody else wrote since it looked.",
    LOCK_IS_KEPT: "Nobody takes or frees the lock of a run that lives and can renew it, but by force or to undo.",
    LOST_IS_LOST: "A run that nothing stops writes no Deployment six seconds after it lost the lock.",
    BEGINS_NOTHING: "A run that lost the lock begins no task that writes, but to switch the feature off.",
    STAYS_KILLED: "A kill switch that is set stays set until somebody resets it, and what it holds off stays off.",
    STEP_BY_STEP: "The percentage rises by one step of its schedule at a time.",
    PINNED_FIRST: "No service is released before what ran is pinned.",
    PINS_ARE_OLD: "A pin is what ran before the release, however often the release was begun.",
    BACK_AT_PINS: "What a rollback says has returned is at its pin, to the byte.",
    PHASES_LAST: "The record never loses a finished phase, and attempts only rise.",
    CAPACITY: "We end a ready pod only while no other of its Deployment is missing.",
    TRUE_CLAIMS: "What a task says it did is so: image, flags, the environment of every pod, lock, phase.",
    ALWAYS_WORKS: "In a healthy cluster the kill switch works whoever else acts, and so does a rollback.",
    NO_SURPRISE: "No task ends by an error that nobody thought of.",
    LIVENESS: "Everything comes to an end.",
}
"""By the name under which a broken one is reported. docs/guarantees.md has the same."""

ADMITTED = 6.0
"""Seconds for which a look at the lock counts, and one call."""
STOPS = {plan.PAUSE_BEFORE, plan.PAUSE_AFTER, plan.LATE, plan.SLOW}
STEPS = [0, *(one["percentage"] for one in SCHEDULE)]
RECORD, PINS = f"release-{VERSION}", f"release-{VERSION}-pins"
UNSTOPPABLE: t.Mapping[str, tuple[str, ...]] = {
    "kill_switch": (),
    "reset": (),
    # Another rollback goes first, a person takes its lock, a kill switch restarts what it is returning, or a deployment
    # that still runs resets the switch of its first step, which comes before the lock.
    "rollback": (
        *("nothing is pinned", "Nothing is pinned", "Another run is deploying"),
        *("lost the deploy lock", "was changed by somebody else", "so new pods have the flags"),
    ),
}
"""Scripts that nobody else may keep from their end, and the reasons that are none."""
ROLLOUTS = ("rollout", "rollout_wave", "release_rollback")
SETTLED = ("done", "failed", "rolled_back", "partly_rolled_back", "waived")


@dataclass(frozen=True)
class Write:
    at: float
    by: str
    before: Object | None
    after: Object | None


class Invariants:
    def __init__(self, world: World) -> None:
        self._world = world
        self.violations: list[str] = []
        self.after_loss: dict[str, float] = {}
        """The latest write of a run whose lock was another's by then, by what had befallen it."""
        self._seen: dict[tuple[str, str], Object] = {}
        self._writes: dict[tuple[str, str], list[Write]] = {}
        self._holders: dict[int, tuple[str, str]] = {}
        self._read: dict[tuple[str, str], float] = {}
        """When a run last saw a Deployment."""
        self._began: dict[str, float] = {}
        """When each run began its present task."""
        self._overtaken: dict[tuple[str, str], tuple[str, t.Any]] = {}
        """The task in which a run's write of a Deployment was refused, for another had written its template."""

    def begin(self) -> None:
        for plural in ("configmaps", "deployments"):
            for record in self._world.store.records(plural, NAMESPACE):
                self._seen[plural, record.body["metadata"]["name"]] = record.body

    def violate(self, sentence: str, what: str) -> None:
        self.violations.append(f"{sentence}: {what}")
        self._world.say(f"VIOLATED: {sentence}: {what}")

    def begun(self, by: str, module: str, params: t.Mapping[str, t.Any]) -> None:
        self._world.doing[by] = module, params
        self._began[by] = self._world.scheduler.now

    # Writes

    def after(self, request: Request) -> None:
        self._note_read(request)
        if request.method == "GET" or request.query.get("dryRun") or request.status >= 400:
            return
        target = parse_path(request.path)
        if target is None or not target.resource.stored:
            return
        plural, by = target.resource.plural, request.process.name if request.process else ""
        ours = not by.startswith("kubectl")
        if plural == "pods" and request.method == "DELETE" and ours:
            self._pod_ended(target.name)
            return
        for name in [target.name] if target.name else self._names(plural):
            self._written(plural, name, by, ours=ours)

    def _note_read(self, request: Request) -> None:
        target = parse_path(request.path)
        if target is None or target.resource.plural != "deployments" or request.process is None:
            return
        by, now = request.process.name, self._world.scheduler.now
        names = [target.name] if target.name else [*self._world.plan.services]
        for name in names:
            if request.method == "PATCH" and request.status >= 400:
                if self._changed_since(name, by, self._read.get((by, name), 0.0)):
                    self._overtaken[by, name] = self._world.doing.get(by, ("", {}))
            elif request.method == "GET" and request.status < 400:
                self._read[by, name] = now

    def _changed_since(self, name: str, by: str, since: float) -> bool:
        """Whether somebody else wrote its template."""
        return any(
            one.at > since and one.by != by and _template(one.before) != _template(one.after)
            for one in self._writes.get(("deployments", name), [])
        )

    def _names(self, plural: str) -> list[str]:
        """Of what was created: its name stands in its body only."""
        records = self._world.store.records(plural, NAMESPACE)
        names = [one.body["metadata"]["name"] for one in records]
        return [one for one in names if (plural, one) not in self._seen]

    def _written(self, plural: str, name: str, by: str, *, ours: bool) -> None:
        before, after = self._seen.get((plural, name)), self._find(plural, name)
        if after is None:
            self._seen.pop((plural, name), None)
        else:
            self._seen[plural, name] = after
        write = Write(self._world.scheduler.now, by, before, after)
        self._writes.setdefault((plural, name), []).append(write)
        if plural != "leases" and self._lost_before(by):
            module = self._world.doing[by][0]
            if module != "kill_switch":
                self.violate(
                    BEGINS_NOTHING, f"{by} lost the lock, and {module} wrote {plural}/{name}"
                )
        if after is None:
            return
        if plural == "leases":
            self._lease_written(write)
        elif plural == "deployments":
            self._deployment_written(name, write, ours=ours)
        elif name == FLAGS and ours:
            self._flags_written(write)
        elif name == RECORD:
            self._record_written(write)
        elif name == PINS:
            self._pins_written(write)

    def _lease_written(self, write: Write) -> None:
        after, before = t.cast("Object", write.after), write.before
        fence, holder = _epoch(after), _holder(after)
        if before is not None and fence < _epoch(before):
            self.violate(EPOCHS_RISE, f"the lock fell from {_epoch(before)} to {fence}")
        if before is not None and _holder(before)[0] and _holder(before) != holder:
            self._lock_left(write, _holder(before)[1])
        if holder[0]:
            known = self._holders.setdefault(fence, holder)
            if known != holder:
                self.violate(ONE_HOLDER, f"epoch {fence} was {known}'s and is {holder}'s")

    def _lost_before(self, by: str) -> bool:
        """Whether the lock that a run holds, as far as it knows, was another's when its task began."""
        epoch, began = self._world.epochs.get(by, 0), self._began.get(by, 0.0)
        return bool(epoch) and any(
            one.at < began
            and one.after is not None
            and (
                _epoch(one.after) > epoch
                or (_epoch(one.after) == epoch and not _holder(one.after)[0])
            )
            for one in self._writes.get(("leases", "easymo-deploy"), [])
        )

    def _lock_left(self, write: Write, run: str) -> None:
        """It was another's, or is free now."""
        processes = {str(one.pid): one for one in self._world.processes}
        held = processes.get(run.partition(" ")[0])
        if held is None or not held.alive or write.by.partition(".")[0] == held.name:
            return
        keepers = [one for one in processes.values() if one.name == f"{held.name}.keeper"]
        troubled = {one.actor for one in self._world.befell}
        if not any(one.alive for one in keepers) or troubled & {held.name, f"{held.name}.keeper"}:
            return
        _module, params = self._world.doing.get(write.by, ("", {}))
        if not params.get("force") and params.get("purpose") != "undo":
            self.violate(LOCK_IS_KEPT, f"{write.by} took it from {held.name}, which lives")

    def _deployment_written(self, name: str, write: Write, *, ours: bool) -> None:
        after, before = t.cast("Object", write.after), write.before
        if before is None:
            return
        fences = [int(_notes(one).get(FENCE_ANNOTATION, "0")) for one in (before, after)]
        if fences[1] < fences[0]:
            self.violate(EPOCHS_RISE, f"the fence on {name} fell from {fences[0]} to {fences[1]}")
        if not ours:
            return
        released = _notes(after).get(ROLLOUT_ID_ANNOTATION)
        if released != _notes(before).get(ROLLOUT_ID_ANNOTATION) and _is_new(after):
            pinned = self._pins()
            if name not in pinned.get("deployments", {}):
                self.violate(PINNED_FIRST, f"{name} was released and is not pinned")
        doing = self._world.doing.get(write.by, ("", {}))
        fence = doing[1].get("fence") or 0
        if fence and fences[1] != fence:
            self.violate(
                FENCED, f"{write.by} wrote {name} under epoch {fence}, and it has {fences[1]}"
            )
        if _template(before) != _template(after) and doing[0] in ROLLOUTS:
            unseen = self._changed_since(name, write.by, self._read.get((write.by, name), 0.0))
            if unseen or self._overtaken.get((write.by, name), ("", None))[1] is doing[1]:
                self.violate(LOOKED_FIRST, f"{write.by} wrote over what another wrote on {name}")
        self._note_loss(write)

    def _note_loss(self, write: Write) -> None:
        """How long after another took the lock over a write of the former holder still came."""
        _module, params = self._world.doing.get(write.by, ("", {}))
        fence = params.get("fence") or 0
        if not fence:
            return
        for lease in reversed(self._writes.get(("leases", "easymo-deploy"), [])):
            if lease.after is None or _epoch(lease.after) <= fence:
                break
            if lease.before is None or _epoch(lease.before) != fence:
                continue
            kinds = {one.kind for one in self._world.befell if one.actor == write.by}
            why = "stopped" if kinds & STOPS else "unreachable" if kinds else "untroubled"
            late = write.at - lease.at
            self.after_loss[why] = max(self.after_loss.get(why, 0.0), late)
            if why == "untroubled" and late > ADMITTED:
                self.violate(LOST_IS_LOST, f"{write.by} wrote {late:.1f} s after it lost the lock")

    def _flags_written(self, write: Write) -> None:
        after, before = t.cast("Object", write.after), write.before or {"metadata": {}}
        did, was = self._world.doing.get(write.by), _switch(before)
        now, data = _switch(after), after.get("data") or {}
        if was is not None and now is None:
            resets = did is not None and (
                (did[0] == "kill_switch" and did[1]["state"] == "reset")
                or (did[1].get("kill_switch") == "reset_automatic" and was.get("automatic"))
            )
            if not resets:
                self.violate(STAYS_KILLED, f"{write.by} took the switch away with {did}")
        if now is not None:
            for name, off in (now.get("flags") or {}).items():
                changed = (before.get("data") or {}).get(name) != data.get(name)
                if changed and data.get(name) != off:
                    self.violate(STAYS_KILLED, f"{write.by} set {name} to {data.get(name)}")
        old, new = (_number((one.get("data") or {}).get(PERCENTAGE)) for one in (before, after))
        if new > old and not (old in STEPS and new in STEPS[: STEPS.index(old) + 2]):
            self.violate(STEP_BY_STEP, f"{write.by} raised it from {old} to {new}")

    def _record_written(self, write: Write) -> None:
        if write.before is None:
            return
        before, after = _record(write.before), _record(t.cast("Object", write.after))
        if after["attempt"] < before["attempt"]:
            self.violate(PHASES_LAST, f"attempt {before['attempt']} became {after['attempt']}")
        if after["attempt"] != before["attempt"]:
            return
        for name, phase in before["phases"].items():
            found = after["phases"].get(name, {}).get("status")
            if phase["status"] == "done" and found not in SETTLED:
                self.violate(PHASES_LAST, f"{write.by}: phase {name} was done and is {found}")

    def _pins_written(self, write: Write) -> None:
        for name, pin in _unpacked(t.cast("Object", write.after)).get("deployments", {}).items():
            images = [one["image"] for one in pin["template"]["spec"]["containers"]]
            if any(f":{NEW}" in image for image in images):
                self.violate(PINS_ARE_OLD, f"the pin of {name} is {images}")

    def _pod_ended(self, name: str) -> None:
        """Called after the deletion, so the pod is marked already, or gone."""
        app = name.rpartition("-")[0].rpartition("-")[0]
        deployment = self._find("deployments", app)
        if deployment is None:
            return
        pods = [
            one.body
            for one in self._world.store.records("pods", NAMESPACE)
            if one.body["metadata"].get("labels", {}).get("app") == app
        ]
        ended = next((one for one in pods if one["metadata"]["name"] == name), None)
        if ended is None or not pod_ready(ended):
            return
        ready = sum(pod_ready(one) and not terminating(one) for one in pods)
        wanted = deployment["spec"]["replicas"]
        if ready < wanted - 1:
            self.violate(CAPACITY, f"{name} was ended while {ready + 1} of {wanted} were ready")

    # Claims

    def claimed(self, process: Process, did: Did) -> None:
        if not process.alive:
            return
        for result in (did.result, *(did.result.get("services") or {}).values()):
            if isinstance(result, dict) and "a defect of this collection" in str(result.get("msg")):
                self.violate(NO_SURPRISE, str(result["msg"]))
        check = {
            "rollout": self._rollout_claimed,
            "rollout_wave": self._wave_claimed,
            "feature_flags": self._flags_claimed,
            "kill_switch": self._kill_claimed,
            "release_rollback": self._rollback_claimed,
            "deploy_lock": self._lock_claimed,
            "release": self._phase_claimed,
        }.get(did.module)
        if check is not None:
            check(process, did)

    def _others_wrote(self, plural: str, name: str, did: Did, by: str) -> bool:
        writes = self._writes.get((plural, name), [])
        return any(one.at >= did.began and one.by != by for one in writes)

    def _rollout_claimed(self, process: Process, did: Did) -> None:
        if not did.failed:
            self._check_rolled(process, did, did.params["name"], did.params.get("image") or "")

    def _wave_claimed(self, process: Process, did: Did) -> None:
        for service in did.params["services"]:
            result = (did.result.get("services") or {}).get(service["name"])
            if result is not None and not result.get("failed"):
                self._check_rolled(process, did, service["name"], service["image"])

    def _check_rolled(self, process: Process, did: Did, name: str, image: str) -> None:
        deployment = self._find("deployments", name)
        if deployment is None or self._others_wrote("deployments", name, did, process.name):
            return
        images = [one["image"] for one in deployment["spec"]["template"]["spec"]["containers"]]
        if image and images != [image]:
            self.violate(TRUE_CLAIMS, f"{did.module} of {name} succeeded, and it runs {images}")
        status, wanted = deployment.get("status") or {}, deployment["spec"]["replicas"]
        counts = [status.get(one) or 0 for one in ("updatedReplicas", "availableReplicas")]
        # A pod may fall ill the moment after it was looked at; one that never came up may not.
        if image and counts[0] < wanted:
            self.violate(TRUE_CLAIMS, f"{did.module} of {name} succeeded at {counts} of {wanted}")

    def _flags_claimed(self, process: Process, did: Did) -> None:
        if did.failed or self._others_wrote("configmaps", FLAGS, did, process.name):
            return
        data = (self._find("configmaps", FLAGS) or {}).get("data") or {}
        left_off = did.result["left_off"]
        for name, value in did.result["asked"].items():
            if name not in left_off and data.get(name) != value:
                self.violate(TRUE_CLAIMS, f"{name} was set to {value}, and is {data.get(name)}")

    def _kill_claimed(self, process: Process, did: Did) -> None:
        if did.failed or did.params["state"] != "set":
            return
        if self._others_wrote("configmaps", FLAGS, did, process.name):
            return
        off = {name: str(value).lower() for name, value in FLAGS_OFF.items()}
        for consumer in did.params["consumers"]:
            for record in self._world.store.records("pods", NAMESPACE):
                body = record.body
                if body["metadata"]["labels"].get("app") != consumer or terminating(body):
                    continue
                life = self._world.kubelet.lives.get(body["metadata"]["uid"])
                if life is None or "running" not in life.containers[0].state:
                    continue
                wrong = {
                    one: life.environment.get(one)
                    for one in off
                    if life.environment.get(one) != off[one]
                }
                if wrong:
                    self.violate(
                        TRUE_CLAIMS, f"the kill switch succeeded, and {life.name} has {wrong}"
                    )

    def _rollback_claimed(self, process: Process, did: Did) -> None:
        pins = self._pins().get("deployments", {})
        for name, one in (did.result.get("services") or {}).items():
            if one["message"] or self._others_wrote("deployments", name, did, process.name):
                continue
            deployment = self._find("deployments", name)
            if deployment is not None and deployment["spec"]["template"] != pins[name]["template"]:
                self.violate(BACK_AT_PINS, f"{name} differs: {deployment['spec']['template']}")

    def _lock_claimed(self, process: Process, did: Did) -> None:
        if did.failed or did.params["state"] != "held":
            return
        lease = self._find("leases", "easymo-deploy")
        epoch = 0 if lease is None else _epoch(lease)
        asked, given = did.params["fence"], did.result["fence"]
        if asked and given != asked:
            self.violate(TRUE_CLAIMS, f"{process.name} lost epoch {asked} and goes on with {given}")
        if epoch < did.result["fence"]:
            self.violate(TRUE_CLAIMS, f"epoch {did.result['fence']} was claimed, and it is {epoch}")

    def _phase_claimed(self, process: Process, did: Did) -> None:
        wanted, phase = did.params["phase_status"], did.params["phase"]
        if did.failed or wanted != "done":
            return
        found = (self._record().get("phases") or {}).get(phase, {}).get("status")
        if found != "done" and not self._others_wrote("configmaps", RECORD, did, process.name):
            self.violate(TRUE_CLAIMS, f"phase {phase} was closed, and is {found}")

    # The end

    def stopped(self, script: str, why: str) -> None:
        """A run that failed, of a world in which nothing went wrong before."""
        if "check easymo.com/kill-switch" in why and self._somebody_resets():
            return  # two people who want the opposite at the same moment are told so
        if script in UNSTOPPABLE and not any(one in why for one in UNSTOPPABLE[script]):
            self.violate(ALWAYS_WORKS, f"{script} failed: {why}")

    def _somebody_resets(self) -> bool:
        return any(one.script == "reset" for one in self._world.plan.actors)

    def at_the_end(self) -> None:
        return

    # Looks

    def _find(self, plural: str, name: str) -> Object | None:
        try:
            return self._world.store.record(plural, NAMESPACE, name).body
        except ApiError:
            return None

    def _pins(self) -> Object:
        body = self._find("configmaps", PINS)
        return {} if body is None else _unpacked(body)

    def _record(self) -> Object:
        body = self._find("configmaps", RECORD)
        return {} if body is None else _record(body)


def _template(body: Object | None) -> Object | None:
    return None if body is None else t.cast("Object", body["spec"]["template"])


def _notes(body: Object) -> dict[str, str]:
    return t.cast("dict[str, str]", body["metadata"].get("annotations") or {})


def _epoch(lease: Object) -> int:
    return int(lease["spec"].get("leaseTransitions") or 0)


def _holder(lease: Object) -> tuple[str, str]:
    return lease["spec"].get("holderIdentity") or "", _notes(lease).get("easymo.com/lock-run", "")


def _is_new(deployment: Object) -> bool:
    containers = deployment["spec"]["template"]["spec"]["containers"]
    return any(f":{NEW}" in one["image"] for one in containers)


def _switch(body: Object) -> Object | None:
    text = _notes(body).get(KILL_SWITCH_ANNOTATION)
    return None if text is None else t.cast("Object", json.loads(text))


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() else 0


def _record(body: Object) -> Object:
    return t.cast("Object", json.loads(body["data"]["record.json"]))


def _unpacked(body: Object) -> Object:
    return t.cast("Object", json.loads(gzip.decompress(base64.b64decode(body["data"]["pins"]))))
