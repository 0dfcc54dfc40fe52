"""The feature's flags, its percentage and its kill switch."""

import typing as t

from ansible_collections.easymo.deploy.plugins.module_utils._cluster import (
    KILL_SWITCH_EPOCH_ANNOTATION,
    RAMP_ANNOTATION,
    Object,
)
from ansible_collections.easymo.deploy.plugins.module_utils._time import parse_time
from sandbox.kubernetes.controllers.objects import terminating

from ..kubelet import Life
from ..platform import (
    DAY,
    FLAGS,
    FLAGS_OFF,
    FLAGS_ON,
    NAMESPACE,
    PERCENTAGE,
    SCHEDULE,
    STEPS,
    SWITCH,
)
from ..scheduler import GONE, Process
from ..tasks import Did
from .history import (
    LEASE,
    SPARED,
    TRIED,
    History,
    Part,
    Write,
    annotations_of,
    epoch_of,
    percentage_in,
    switch_of,
)

ENDING = ("feature_flags", "feature_ramp", "kill_switch")
"""They end pods that run with other flags."""


class FlagInvariants(Part):
    def __init__(self, history: History) -> None:
        super().__init__(history)
        self._released = "", 0.0
        """Which release set its flags last, and when."""
        self._starting: dict[str, float] = {}
        """Pods, by uid, that ran nothing when a kill switch succeeded, and when that was."""

    def written(self, write: Write) -> None:
        self._check_started()
        if write.name != FLAGS or write.after is None:
            return
        if write.ours:
            self._check_write(write, write.after)

    def _may_be_a_reset(self, write: Write) -> bool:
        """The task of a request that comes when its sender is no more is not known."""
        actors = self._world.plan.actors
        return write.by == GONE and any(one.script == "reset" for one in actors)

    def _check_write(self, write: Write, after: Object) -> None:
        before = write.before or {"metadata": {}}
        module, params = self._history.doing(write.by)
        self._check_keys(write, before, module, params)
        was, now = switch_of(before), switch_of(after)
        old_data, data = before.get("data") or {}, after.get("data") or {}
        if was is not None:
            resets = (
                (module == "kill_switch" and params["state"] == "reset")
                or (params.get("kill_switch") == "reset_automatic" and bool(was.get("automatic")))
                or self._may_be_a_reset(write)
            )
            self._check(
                "stays_killed",
                now is not None or resets,
                f"{write.by} took the switch away with {module} {params}",
            )
            let_go = {*(was.get("flags") or {})} - {*((now or {}).get("flags") or {})}
            self._check(
                "stays_killed",
                module == "kill_switch"
                or let_go <= {*(params.get("flags") or {})}
                or self._may_be_a_reset(write),
                f"{write.by} let go of {sorted(let_go)} with {module} {params}",
            )
            epoch = int(annotations_of(before).get(KILL_SWITCH_EPOCH_ANNOTATION, "0"))
            if was.get("automatic") and params.get("fence"):
                self._check(
                    "stays_off",
                    now is not None or params["fence"] > epoch,
                    f"{write.by} of epoch {params['fence']} reset what was set at epoch {epoch}",
                )
        for name, off in ((now or {}).get("flags") or {}).items():
            if old_data.get(name) != data.get(name):
                # What another hand has raised meanwhile may be lowered.
                fewer = percentage_in(data) < percentage_in(old_data)
                self._check(
                    "stays_killed",
                    data.get(name) == off or (name == PERCENTAGE and fewer),
                    f"{write.by} set {name} to {data.get(name)}",
                )
        old, new = percentage_in(old_data), percentage_in(data)
        if new > old or (data.get(SWITCH) == "true" and old_data.get(SWITCH) != "true"):
            self._history.check_freeze(write, "turned it on")
        if new > old and module == "feature_ramp":
            self._check_rise(write, new, data)
        if new > old:
            self._check(
                "step_by_step", module != "kill_switch", f"{write.by} raised it by the kill switch"
            )
            self._check(
                "step_by_step",
                old in STEPS and new in STEPS[: STEPS.index(old) + 2],
                f"{write.by} raised it from {old} to {new}",
            )

    def _check_started(self) -> None:
        """What the kill switch left to start runs without the feature, unless somebody wrote the flags since."""
        for uid, since in [*self._starting.items()]:
            life = self._world.kubelet.lives.get(uid)
            if life is not None and "running" not in life.containers[0].state:
                continue
            del self._starting[uid]
            if life is None or any(
                one.at > since for one in self._history.writes("configmaps", FLAGS)
            ):
                continue
            has = {one: life.environment.get(one) for one in FLAGS_OFF}
            self._check(
                "true_claims",
                has == {name: _text(value) for name, value in FLAGS_OFF.items()},
                f"the kill switch succeeded while {life.name} started, which has {has}",
            )

    def pod_ended(self, name: str, by: str) -> None:
        """By us. What somebody else wrote a moment ago need not be known yet."""
        module, params = self._history.doing(by)
        if module not in ENDING or self._history.stood_still(by):
            return
        life = self._life_of(name)
        now, flags = self._world.scheduler.now, self._history.find("configmaps", FLAGS)
        spared = SPARED + TRIED if self._history.is_troubled(by) else SPARED
        writes = self._history.writes("configmaps", FLAGS)
        if life is None or any(one.at > now - spared for one in writes):
            return
        data = (flags or {}).get("data") or {}
        own = [one.after for one in writes if one.by == by and one.after is not None]
        asked = _asked(module, params, (own[-1] if own else flags or {}).get("data") or {})
        wrong = [one for one in asked if life.environment.get(one) != asked[one]]
        self._check(
            "not_in_vain",
            not wrong or any(data.get(one) == asked[one] for one in wrong),
            f"{by} ended {name} for {wrong}, and the ConfigMap has {data}",
        )

    def claimed(self, process: Process, did: Did) -> None:
        self._check_started()
        # A run that stood still tells of what it saw before others wrote, as does any while files come to processes.
        late = None if self._history.stood_still(process.name) else SPARED
        late_or_mounted = late is None or self._world.plan.mounted
        if not (
            late_or_mounted
            and self._history.others_wrote("configmaps", FLAGS, did, process.name, lately=late)
        ):
            for pod, seen, asked in _told(did):
                self._check_pod(pod, seen, asked)
        if did.module not in ("feature_flags", "feature_ramp", "kill_switch") or did.failed:
            return
        if did.params.get("state") == "read":
            return
        if self._history.others_wrote("configmaps", FLAGS, did, process.name):
            return
        if did.module == "feature_flags" and "asked" in did.result:
            self._check_flags(did)
        elif did.module == "feature_ramp":
            self._check_ramp(process, did)
        elif did.params["state"] == "set":
            if did.params["automatic"]:
                self._check_meant(process, did)
            self._check_switch(did)
            self._check_switched_off(did)

    def _check_keys(
        self, write: Write, before: Object, module: str, params: t.Mapping[str, t.Any]
    ) -> None:
        after = t.cast("Object", write.after)
        old, new = before.get("data") or {}, after.get("data") or {}
        if module == "feature_flags":
            asked = {*params["flags"]}
            self._check_not_undone(write, old, new, params)
            if params["kill_switch"] == "reset_automatic":
                self._released = self._history.release_of(write.by), write.at
        elif module == "kill_switch":
            held = (switch_of(before) or {}).get("flags") or {}
            self._check_not_below(write, old)
            asked = {*params["flags"], *held, PERCENTAGE}
        elif module == "feature_ramp":
            asked = {PERCENTAGE}
        else:
            return  # one that was late, and its task is over
        moved = {one for one in {*old, *new} if old.get(one) != new.get(one)}
        self._check(
            "others_stay", moved <= asked, f"{write.by} changed {sorted(moved - asked)} too"
        )
        kept = [one for one in (RAMP_ANNOTATION,) if one in annotations_of(before)]
        lost = [one for one in kept if one not in annotations_of(after)]
        self._check("others_stay", not lost, f"{write.by} lost the annotations {lost}")

    def _check_not_undone(
        self, write: Write, old: Object, new: Object, params: t.Mapping[str, t.Any]
    ) -> None:
        if params["kill_switch"] != "leave_off":
            return
        own = {*FLAGS_ON[self._history.release_of(write.by)], PERCENTAGE}
        undone = {one for one in old if old[one] != new.get(one)} - own
        self._check(
            "not_undone",
            not undone,
            f"{write.by} undid {sorted(undone)}, which its release did not set",
        )

    def _check_not_below(self, write: Write, old: Object) -> None:
        """A way back that takes users out takes them out of its own release."""
        history, (release, at) = self._history, self._released
        if history.script_of(write.by) != "rollback" or old.get(SWITCH) != "true":
            return
        let, own = history.options_of(write.by).get("supersedes"), history.release_of(write.by)
        if release and not let and at < history.came(write.by):
            records = history.writes("configmaps", f"release-{own}")
            history.check(
                "not_undone",
                own == release or any(one.at > at for one in records),
                f"{write.by} took users out of release {release}, which set the flags last",
            )

    def _phase(self, by: str) -> Object:
        """That of the flags, in the record of this run's release."""
        phases = self._history.record(self._history.release_of(by)).get("phases") or {}
        return phases.get("feature_flags") or {}

    def _check_on(self, by: str, data: Object, did: str) -> None:
        status = self._phase(by).get("status")
        self._check(
            "not_before",
            data.get(SWITCH) == "true" and status == "done",
            f"{did} of a feature that is {data.get(SWITCH)}, its phase {status}",
        )

    def _check_rise(self, write: Write, new: int, data: Object) -> None:
        """By the clock of the cluster, where those of all operators agree with it."""
        world, by = self._world, write.by
        first = self._phase(by)
        self._check_on(by, data, f"{by} raised it to {new}")
        if any(one.ahead for one in world.plan.actors) or world.befell:
            return
        day = next((one["day"] for one in SCHEDULE if one["percentage"] == new), 1)
        began = parse_time(first.get("finished") or "")
        if began is not None:
            since = world.now() - began.timestamp()
            self._check(
                "not_before",
                since >= (day - 1) * DAY - 2.0,
                f"{by} raised it to {new} {since:.0f} s after the first step, before day {day}",
            )

    def _check_pod(
        self, name: str, seen: t.Mapping[str, str | None], asked: t.Mapping[str, str]
    ) -> None:
        """One whose container started anew since may read other flags by now."""
        life = self._life_of(name)
        if life is None or life.containers[0].restarts or "running" not in life.containers[0].state:
            return
        has = {one: life.environment.get(one) for one in asked}
        self._check(
            "pod_by_pod",
            has == asked and all(life.environment.get(one) == seen[one] for one in seen),
            f"{name} is said to run with {dict(asked)}, seen as {dict(seen)}, and has {has}",
        )

    def _life_of(self, pod: str) -> Life | None:
        lives = self._world.kubelet.lives.values()
        return next((one for one in lives if one.name == pod), None)

    def _check_ramp(self, process: Process, did: Did) -> None:
        data = (self._history.find("configmaps", FLAGS) or {}).get("data") or {}
        said, action = did.result["percentage"], did.result["action"]
        if said is not None:
            self._check(
                "as_asked",
                percentage_in(data) == said,
                f"the ramp says {said}, and it is {data.get(PERCENTAGE)}",
            )
        asked = did.params["percentage"]
        if did.params["state"] == "moved" and asked is not None and action in ("raise", "lower"):
            self._check(
                "as_asked", said == asked, f"{asked} % was asked for, and the ramp went to {said}"
            )
        if did.params["state"] == "judged":
            self._check_verdict(did)
        elif action == "watch":
            self._check_on(process.name, data, f"{said} % is watched")

    def _check_verdict(self, did: Did) -> None:
        """A verdict is of the step that was watched, and a breach leaves it."""
        said, watched = did.result["percentage"], did.params["percentage"]
        if did.params["verdict"] == "rollback":
            self._check("as_asked", said < watched or not watched, f"{watched} stays {said}")
        else:
            self._check(
                "as_asked", said == watched, f"{watched} % was watched, and {said} % was judged"
            )

    def _check_switch(self, did: Did) -> None:
        switch = switch_of(self._history.find("configmaps", FLAGS) or {"metadata": {}})
        off = {name: str(value).lower() for name, value in FLAGS_OFF.items()}
        held = (switch or {}).get("flags") or {}
        self._check(
            "true_claims",
            switch is not None and off.items() <= held.items(),
            f"the kill switch succeeded, and it is {switch}",
        )
        self._check(
            "true_claims",
            bool((switch or {}).get("automatic")) <= bool(did.params["automatic"]),
            "a person set the kill switch, and it is automatic",
        )

    def _check_flags(self, did: Did) -> None:
        data = (self._history.find("configmaps", FLAGS) or {}).get("data") or {}
        for name, value in did.result["asked"].items():
            if name not in did.result["left_off"]:
                self._check(
                    "true_claims",
                    data.get(name) == value,
                    f"{name} was set to {value}, and is {data.get(name)}",
                )

    def _check_meant(self, process: Process, did: Did) -> None:
        """A switch that is set automatically names every holder of the lock that it could see."""
        if any(one.actor == process.name for one in self._world.befell):
            return
        flags = t.cast("Object", self._history.find("configmaps", FLAGS))
        if not (switch_of(flags) or {}).get("automatic"):
            return
        epochs = [
            epoch_of(one.after)
            for one in self._history.writes("leases", LEASE)
            if one.at < did.began and one.after is not None
        ]
        named = int(annotations_of(flags).get(KILL_SWITCH_EPOCH_ANNOTATION, "0"))
        self._check(
            "stays_off",
            named >= max(epochs, default=0),
            f"{process.name} set the switch for epoch {named} of {epochs}",
        )

    def _check_switched_off(self, did: Did) -> None:
        off = {name: str(value).lower() for name, value in FLAGS_OFF.items()}
        # They ran nothing when they were looked at, and read what was written when they start.
        idle = {
            pod["pod"]
            for consumer in did.result.get("consumers") or ()
            for pod in consumer["pods"]
            if pod["state"] == "idle"
        }
        for consumer in did.params["consumers"]:
            for record in self._world.store.records("pods", NAMESPACE):
                body = record.body
                if body["metadata"]["labels"].get("app") != consumer or terminating(body):
                    continue
                life = self._world.kubelet.lives.get(body["metadata"]["uid"])
                if life is None or "running" not in life.containers[0].state:
                    if life is not None and not life.containers[0].instance:
                        self._starting[body["metadata"]["uid"]] = self._world.scheduler.now
                    continue
                self._check(
                    "pod_by_pod",
                    consumer not in self._world.plan.deaf or life.name in idle,
                    f"the kill switch succeeded, and {life.name} cannot be asked",
                )
                has = {one: life.environment.get(one) for one in off}
                self._check(
                    "true_claims",
                    has == off,
                    f"the kill switch succeeded, and {life.name} has {has}",
                )


def _told(did: Did) -> t.Iterator[tuple[str, t.Mapping[str, str | None], dict[str, str]]]:
    """Each pod that is said to run with flags, as which it was seen, and with which it is said to."""
    if did.module == "feature_flags":
        # Of one that was removed, an application may tell its default.
        asked = {
            name: text for name, text in did.result.get("asked", {}).items() if text is not None
        }
        for consumer in (did.result.get("consumers") or {}).values():
            for pod in consumer.get("pods") or ():
                yield pod["pod"], pod["seen"], asked
    elif did.module == "feature_ramp":
        for consumer in (did.result.get("consumers") or {}).values():
            for pod in consumer.get("pods") or ():
                yield pod["pod"], pod["seen"], {PERCENTAGE: str(did.result["percentage"])}
    elif did.module == "kill_switch":
        asked = _asked(did.module, did.params, {})
        for consumer in did.result.get("consumers") or ():
            for pod in consumer["pods"]:
                if pod["state"] == "reached":
                    yield pod["pod"], pod["seen"], asked


def _asked(
    module: str, params: t.Mapping[str, t.Any], written: t.Mapping[str, str]
) -> t.Mapping[str, str]:
    """With what a task wants pods to run. What goes back wants what it has `written` last."""
    if module == "feature_flags":
        return {name: written[name] for name in params["flags"] if name in written}
    if module == "feature_ramp":
        return {PERCENTAGE: written.get(PERCENTAGE, "0")}
    flags = {PERCENTAGE: params["percentage"]} if params["state"] == "lowered" else FLAGS_OFF
    return {name: _text(value) for name, value in flags.items()}


def _text(value: t.Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
