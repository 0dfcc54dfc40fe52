# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring the pods of all consumers to the flags that were written, and prove it in each pod."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from ._cluster import MonotonicClock
from ._errors import ConflictError, DeployError, VerificationError
from ._flags.apply import Written
from ._flags.pods import ENVIRONMENT, REACHED, STALE, Asker, PodState, to_probe
from ._flags.proof import SETTLE, Replaceable, ReplacedPods, follow, replace_stale_pods
from ._kubernetes import cluster_for
from ._lock.models import LeaseLostError
from ._module import Module, Result, emit_progress, refuse_below, with_options
from ._rollout.observer import observe_deployment
from ._time import now as wall_clock
from ._waves.wave import options_of, roll_one

NOT_OF_A_RESTART = ("name", "state", "wait_timeout")
"""Options that mean something else of a module that writes flags."""
SHOWN = ("changed", "result", "replicas", "duration", "diff")


@dataclass(frozen=True)
class WrittenFlags:
    """The flags of one write. `checksum`: of the whole ConfigMap; `changed`: whether the write changed anything.

    `undo`: whether a restart that fails is undone. `fence`: the epoch that restarts ask for, 0 for none.
    """

    flags: t.Mapping[str, str | None]
    checksum: str
    changed: bool
    undo: bool = True
    fence: int = 0


class FlagsDelivery:
    """Of one module with the options of the fragment C(_flags.consumers)."""

    def __init__(self, module: Module) -> None:
        params = module.params
        self._module = module
        self._names = [*dict.fromkeys(params["consumers"])]
        self._restarts = params["delivery"] == ENVIRONMENT
        self._patience = int(params["wait_timeout"])
        if self._names:
            refuse_below(params, wait_timeout=1)
            self._probe = to_probe(params["delivery"], params["probe"])

    @property
    def names(self) -> str:
        return ", ".join(self._names)

    def bring(self, written: WrittenFlags) -> dict[str, Result]:
        """What became of each consumer. Raises for all that failed, once every one was tried."""
        done = (
            self._each(lambda name: {"restart": self._restart(name, written, written.checksum)})
            if self._restarts
            else {}
        )
        # What check mode would write is in no pod.
        if self._module.check_mode and written.changed:
            return done
        proofs = self._each(lambda name: self._prove(name, written, self._patience))
        return {name: {**done.get(name, {}), **proof} for name, proof in proofs.items()}

    def prove(self, flags: t.Mapping[str, str | None]) -> dict[str, Result]:
        """What the pods of each consumer run, after those with mounted flags had their time to follow."""
        patience = 0 if self._restarts else self._patience
        standing = WrittenFlags(flags, "", changed=False)
        return self._each(lambda name: self._prove(name, standing, patience))

    def bring_back(self, written: WrittenFlags) -> str:
        """The same after `bring` failed: why pods may still lack them, or "". Raises when the lock is lost."""
        written = replace(written, changed=True, undo=False)
        problems: list[str] = []
        for name in self._names:
            try:
                if self._restarts:
                    self._restart_to_undo(name, written)
                self._prove(name, written, self._patience)
            except DeployError as exc:
                if lost_lock(exc):
                    raise
                problems.append(str(exc))
        return " ".join(dict.fromkeys(problems))

    def _restart_to_undo(self, name: str, written: WrittenFlags) -> None:
        """An undo restores a template and not the ConfigMap: its pods may have read what was given up."""
        if self._restart(name, written, written.checksum)["changed"]:
            return
        try:
            self._prove(name, written, patience=0)
        except DeployError:
            self._restart(name, written, "")

    def _each(self, act: t.Callable[[str], Result]) -> dict[str, Result]:
        done: dict[str, Result] = {}
        failures: list[DeployError] = []
        for name in self._names:
            try:
                done[name] = act(name)
            except DeployError as exc:
                failures.append(exc)
        if failures:
            # That pods run other flags is more than that others could not be asked.
            cause = max(failures, key=lambda failure: isinstance(failure, VerificationError))
            raise retold(cause, " ".join(dict.fromkeys(map(str, failures))))
        return done

    def _restart(self, name: str, written: WrittenFlags, checksum: str) -> Result:
        params = self._module.params
        common = {option: params[option] for option in params if option not in NOT_OF_A_RESTART}
        own = {"checksum": checksum, "undo_on_failure": written.undo, "fence": written.fence}
        options = {**options_of(common, {"name": name, **own}), "state": "restarted"}
        result = roll_one(with_options(self._module, options))
        return {key: result[key] for key in SHOWN if key in result}

    def _prove(self, name: str, written: WrittenFlags, patience: int) -> Result:
        """Ask every pod. Within `patience` seconds running ones follow their volumes, and others are replaced.

        A pod may have started with flags that its kubelet knew before.
        """
        module, clock = self._module, MonotonicClock()
        cluster = cluster_for(module)
        expected = {key: value for key, value in written.flags.items() if value is not None}
        deployment = observe_deployment(cluster, name)
        asker = Asker(cluster, deployment, expected, clock, wall_clock, clock.now(), self._probe)
        config_map = module.params["name"] if written.checksum else ""
        standing = Written(cluster, config_map, expected, clock)

        def report(text: str) -> None:
            emit_progress(module, "FlagsProgress", f"{name}: {text}", {"deployment": name})

        began, before = clock.now(), [pod for pod in asker.ask() if not pod.deleting]
        until: dict[str, t.Any] = {"deadline": began + patience, "report": report}
        proof = ReplacedPods(tuple(before))
        behind = any(pod.state == STALE for pod in before)
        if patience and behind and module.check_mode:
            after = [replace(pod, values=expected) if pod.state == STALE else pod for pod in before]
            return {"changed": True, **to_result(proof), **to_diff(module, before, after)}
        reached = all(pod.state == REACHED for pod in before)
        settle = SETTLE if written.changed and not module.check_mode else 0.0
        if patience and self._restarts and not (reached or module.check_mode):
            # By others in their places, as far as that helps: an environment that is wrong stays so.
            replaceable = Replaceable(frozenset(), began, standing.helps)
            proof = replace_stale_pods(asker, replaceable, **until)
            starting = follow(
                asker,
                waits_for=lambda pod: pod.state not in (REACHED, STALE),
                ending=False,
                **until,
            )
            proof = replace(proof, pods=starting.pods)
        elif patience and not self._restarts and (settle or not reached):
            proof = follow(
                asker,
                waits_for=lambda pod: pod.state != REACHED and standing.helps(pod),
                settle=settle,
                ending=False,
                **until,
            )
        if proof.problem:
            module.warn(proof.problem)
        check(name, proof, 0 if self._restarts else patience, standing)
        if self._probe.weakness:
            module.warn(self._probe.weakness)
        return {
            "changed": bool(proof.replaced or (patience and behind)),
            **to_result(proof),
            **to_diff(module, before, proof.pods),
        }


def has_moved(done: t.Mapping[str, Result]) -> bool:
    """Whether a consumer was restarted, or a pod of it was replaced or followed."""
    parts = [part for result in done.values() for part in (result, result.get("restart") or {})]
    return any(part.get("changed") for part in parts)


def take_diffs(done: t.Mapping[str, Result]) -> list[t.Any]:
    """Taken out of the results: a task has its diffs in one place."""
    parts = [part for result in done.values() for part in (result.get("restart") or {}, result)]
    return [part.pop("diff") for part in parts if "diff" in part]


def lost_lock(failure: DeployError) -> bool:
    """Whether another run has the deploy lock."""
    return failure.reason == LeaseLostError.reason or failure.details.get("result") == "lease_lost"


def retold(cause: DeployError, message: str, **details: t.Any) -> DeployError:
    """The same failure in more words. A lock that was lost stays known as lost."""
    ended = {name: cause.details[name] for name in ("result",) if name in cause.details}
    failure = DeployError(message, **ended, **details)
    failure.reason = cause.reason
    return failure


def check(name: str, proof: ReplacedPods, followed: int, written: Written) -> None:
    """Raise unless every pod runs the flags. `followed`: seconds that pods had to follow their volumes."""
    details, pods = to_result(proof), proof.pods
    if not pods:
        raise VerificationError(
            f"Deployment {name!r} has no pods, so nothing runs with these flags.", **details
        )
    if all(pod.state == REACHED for pod in pods):
        return
    stale = [pod for pod in pods if pod.state == STALE]
    silent = [pod for pod in pods if pod.state not in (REACHED, STALE)]
    pods_run = " ".join(
        f"{len(some)} of {len(pods)} pods of {name!r} {what}: "
        f"{', '.join(f'in pod {pod.pod} {pod.detail}' for pod in some)}."
        for some, what in ((stale, "run with other flags"), (silent, "do not tell their flags"))
        if some
    )
    changed = written.changed()
    if changed:
        raise ConflictError(
            f"{pods_run} Somebody else has changed {', '.join(changed)} in the ConfigMap since it was written: find "
            "out who does the opposite, and run the same command again if you still want this.",
            **details,
        )
    cure = "Restart them if the ConfigMap is right."
    if not stale:
        cure = "Run the same command again when they can be asked."
    elif proof.replaced:
        cure = (
            f"In place of {', '.join(proof.replaced)} others were started since: do they read this ConfigMap, or has "
            "somebody changed it?"
        )
    elif followed:
        cure = (
            f"They had {followed} s to follow the mounted ConfigMap: does each mount it as a folder, and read it "
            "again?"
        )
    raise VerificationError(f"{pods_run} {cure}", **details)


def to_result(proof: ReplacedPods) -> dict[str, t.Any]:
    """The pods, which were ended, and the seconds until the last with the flags was observed."""
    after = max((pod.at for pod in proof.pods if pod.state == REACHED), default=None)
    return {
        "pods": [
            {
                "pod": pod.pod,
                "seen": dict(pod.values),
                "problems": [] if pod.state == REACHED else [pod.detail],
                "at": round(pod.at, 2),
            }
            for pod in proof.pods
        ],
        "replaced": [*proof.replaced],
        "reached_after": None if after is None else round(after, 2),
    }


def to_diff(
    module: Module, before: t.Sequence[PodState], after: t.Sequence[PodState]
) -> dict[str, t.Any]:
    """What each pod runs."""
    if not module._diff:
        return {}
    first, last = ({pod.pod: dict(pod.values) for pod in pods} for pods in (before, after))
    return {"diff": {"before": first, "after": last}}
