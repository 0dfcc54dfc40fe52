"""The deploy lock, and what a run writes that has lost it."""

import typing as t

from ansible_collections.easymo.deploy.plugins.module_utils._cluster import Object

from .. import plan
from ..plan import KEEPER, MILD
from ..platform import FLAGS
from ..scheduler import GONE, Process
from ..tasks import Did
from .history import (
    LEASE,
    LOCKS,
    PINS,
    RECORD,
    RECORDS,
    SCALES,
    SPARED,
    History,
    Part,
    Write,
    annotations_of,
    epoch_of,
    fence_of,
    holder_of,
    percentage_of,
)

DURATION = 120.0
GIVEN_BACK = 15.0
"""Seconds after a run's end in which its keeper notices and gives the lock back."""


class LockInvariants(Part):
    def __init__(self, history: History) -> None:
        super().__init__(history)
        self._holders: dict[int, tuple[str, str]] = {}
        self._taken_at: dict[str, float] = {}
        self._lost: set[str] = set()
        """What ended with its machine."""
        self._world.ends.append(self._ended)

    def written(self, write: Write) -> None:
        if write.plural == "leases":
            if write.after is not None:
                self._lease_written(write)
            elif not any(self._history.find("configmaps", one) for one in RECORDS):
                # Nothing was written under its epochs, so that they may be given again.
                self._holders.clear()
            return
        module, params = self._history.doing(write.by)
        if write.plural == "configmaps" and write.ours and write.before and write.after:
            self._config_map_written(write, params.get("fence") or 0)
        if self._world.epochs.get(write.by) and not self._asks_nobody(write, module, params):
            scales = module == "rollout" and params["state"] in SCALES
            lost = self._history.went_on_without_asking if scales else self._history.lost_before
            self._check(
                "begins_nothing",
                not lost(write.by),
                f"{write.by} lost the lock, and {module} wrote {write.plural}/{write.name}",
            )
        if write.ours and write.before and write.after:
            self._check_loss(write)

    def _config_map_written(self, write: Write, epoch: int) -> None:
        before, after = (
            fence_of(t.cast("Object", write.before)),
            fence_of(t.cast("Object", write.after)),
        )
        self._check(
            "epochs_rise",
            after >= before,
            f"the epoch on {write.name} fell from {before} to {after}",
        )
        # A ramp goes down without the lock, what is restored is noted whoever has it, and attachments carry no epoch.
        attached = write.name.startswith(f"{RECORD}-") and write.name not in PINS
        free = self._history.doing(write.by)[0] in ("feature_ramp", "pg_restore")
        if epoch and not free and not attached:
            self._check(
                "fenced",
                after == epoch,
                f"{write.by} wrote {write.name} under {epoch}, and it has {after}",
            )
            self._check(
                "later_stays",
                before <= epoch,
                f"{write.by} wrote {write.name} under {epoch}, and it had {before}",
            )

    def claimed(self, process: Process, did: Did) -> None:
        if did.module not in LOCKS or did.failed or did.params.get("state", "held") != "held":
            return
        lease = self._history.find("leases", LEASE)
        epoch = 0 if lease is None else epoch_of(lease)
        asked, given = did.params["fence"], did.result["fence"]
        self._check(
            "true_claims",
            not asked or given == asked,
            f"{process.name} lost epoch {asked} and goes on with {given}",
        )
        self._check("true_claims", epoch >= given, f"epoch {given} was claimed, and it is {epoch}")
        holder = self._holders.get(given)
        if (
            holder is not None
            and not did.params.get("manual")
            and did.params["purpose"] == "deploy"
        ):
            self._check(
                "true_claims",
                holder[1].partition(" ")[0] == str(process.pid),
                f"{process.name} was told that it holds epoch {given}, which is {holder}'s",
            )

    def _lease_written(self, write: Write) -> None:
        after, before = t.cast("t.Any", write.after), write.before
        epoch, holder = epoch_of(after), holder_of(after)
        if before is not None:
            self._check(
                "epochs_rise",
                epoch >= epoch_of(before),
                f"the lock fell from {epoch_of(before)} to {epoch}",
            )
            if holder_of(before)[0] and holder_of(before) != holder:
                self._left(write, before)
            if holder[0] and holder_of(before) == holder and holder[1]:
                owner = self._process_of(holder[1])
                self._check(
                    "own_lock",
                    owner is not None
                    and (
                        write.by in (f"{owner.name}{KEEPER}", GONE)
                        or (write.by == owner.name and owner.alive)
                    ),
                    f"{write.by} renewed the lock of {holder}",
                )
        if holder[0]:
            self._check_freeze(write, before, after)
            if before is None or holder_of(before) != holder:
                self._taken_at[write.by] = write.at
            known = self._holders.setdefault(epoch, holder)
            self._check(
                "one_holder", known == holder, f"epoch {epoch} was {known}'s and is {holder}'s"
            )

    def _left(self, write: Write, before: t.Any) -> None:
        """It was another's, or is free now."""
        world, run = self._world, holder_of(before)[1]
        _module, params = self._history.doing(write.by)
        purpose = annotations_of(before).get("easymo.com/lock-purpose")
        forced = bool({**params, **params.get("lock", {})}.get("force"))
        allowed = forced or (params.get("purpose") == "undo" and purpose != "undo")
        if annotations_of(before).get("easymo.com/lock-manual"):
            signed = annotations_of(before).get("easymo.com/lock-actor", "")
            self._check(
                "lock_is_kept",
                forced or signed.startswith(f"{write.by}@"),
                f"{write.by} took down the sign of {signed}",
            )
            return
        processes = world.processes
        held = self._process_of(run)
        if held is None or not held.alive or write.by.partition(".")[0] == held.name:
            return
        keeper = f"{held.name}{KEEPER}"
        keepers = [one for one in processes if one.name == keeper]
        troubles = [one for one in world.befell if one.actor in (held.name, keeper)]
        grave = [one for one in troubles if one.kind not in MILD]
        if any(one.actor != keeper or one.kind != plan.SLOW for one in grave) or len(troubles) > 2:
            return
        if not keepers and world.scheduler.now - self._taken_at.get(held.name, 0.0) < DURATION:
            return  # it has not begun yet
        self._check("lock_is_kept", allowed, f"{write.by} took it from {held.name}, which lives")

    def _check_freeze(self, write: Write, before: t.Any, after: t.Any) -> None:
        notes = annotations_of(after)
        taken = before is None or holder_of(before) != holder_of(after)
        deploys = (
            "easymo.com/lock-manual" not in notes
            and notes.get("easymo.com/lock-purpose") == "deploy"
        )
        if taken and deploys:
            self._history.check_freeze(write, "took the lock")

    def _ended(self, process: Process, lost: bool) -> None:
        """A run that is cut off while it takes the lock has no keeper yet."""
        if lost:
            self._lost.add(process.name)
        if lost or not self._world.epochs.get(process.name):
            return
        if self._history.doing(process.name)[0] in LOCKS:
            return
        scheduler = self._world.scheduler
        scheduler.at(scheduler.now + GIVEN_BACK, lambda: self._check_given_back(process))

    def _check_given_back(self, process: Process) -> None:
        lease = self._history.find("leases", LEASE)
        kept = lease is not None and self._process_of(holder_of(lease)[1]) is process
        keeper = f"{process.name}{KEEPER}"
        troubles = [one.kind for one in self._world.befell if one.actor == keeper]
        if keeper not in self._lost and len(troubles) < 2 and {*troubles} <= {*MILD, plan.SLOW}:
            self._check(
                "lock_comes_back", not kept, f"{process.name} ended, and the lock is still its"
            )

    def check_keepers(self) -> None:
        """When everybody is long gone."""
        for one in self._world.processes:
            if one.name.endswith(KEEPER):
                self._check("lock_comes_back", not one.alive, f"{one.name} is still there")

    def check_free(self, taken: bool) -> None:
        lease = self._history.find("leases", LEASE)
        by_hand = lease is not None and annotations_of(lease).get("easymo.com/lock-manual")
        if not by_hand and self._history.find("configmaps", "deploy-freeze") is None:
            self._check("lock_comes_back", taken, "who came last did not get the lock")

    def _process_of(self, run: str) -> Process | None:
        pid = run.partition(" ")[0]
        return next((one for one in self._world.processes if str(one.pid) == pid), None)

    def _check_loss(self, write: Write) -> None:
        """How long after another took the lock a write of the former holder comes that nothing befell."""
        module, params = self._history.doing(write.by)
        fence = params.get("fence") or 0
        troubled = any(one.actor == write.by for one in self._world.befell)
        if not fence or troubled or self._asks_nobody(write, module, params):
            return
        for lease in reversed(self._history.writes("leases", LEASE)):
            if lease.after is not None and _held_at(lease.after, fence):
                break
            if lease.before is None or not _held_at(lease.before, fence):
                continue
            late = write.at - lease.at
            self._check(
                "lost_is_lost",
                late <= SPARED,
                f"{write.by} wrote {late:.1f} s after it lost the lock",
            )

    def _asks_nobody(self, write: Write, module: str, params: t.Mapping[str, t.Any]) -> bool:
        """The kill switch, watches, a verdict that lets no user in, pods, records; starts."""
        if write.plural == "pods":
            return True
        if module == "feature_ramp" and write.plural == "deployments":
            return self._history.lets_out(write.by)
        if module == "feature_ramp" and write.name != FLAGS:
            return True
        if module == "feature_ramp":
            fewer = percentage_of(write.after) < percentage_of(write.before)
            return params["verdict"] in ("rollback", "hold") or fewer
        if module == "rollout" and params["state"] in SCALES:
            return bool(params["state"] == "running")
        return module in ("kill_switch", "metrics_gate", "pg_restore") or (
            module in ("release", "release_rollback") and not params["fence"]
        )


def _held_at(lease: t.Any, epoch: int) -> bool:
    return epoch_of(lease) == epoch and bool(holder_of(lease)[0])
