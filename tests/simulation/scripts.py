# SPDX-License-Identifier: GPL-3.0-or-later
"""What operators run: the playbooks, task by task and in their order, and what a person does with kubectl."""

from __future__ import annotations

import json
import typing as t

from .platform import (
    CONSUMERS,
    FLAGS,
    FLAGS_OFF,
    FLAGS_ON,
    NEW,
    PERCENTAGE,
    SCHEDULE,
    SWITCH,
    VERSION,
    image_of,
)

if t.TYPE_CHECKING:
    from .plan import Actor
    from .tasks import Result, Tasks
    from .world import World

PHASES = ["microservices", "feature_flags"]
CHANGES = {"name": VERSION}


class StopError(Exception):
    """The run ends here, as an ansible-playbook whose last task failed."""


class Script:
    """One run of one command."""

    def __init__(self, world: World, actor: Actor, tasks: Tasks) -> None:
        self.world = world
        self.actor = actor
        self.task = tasks
        self.services = [*world.plan.services]
        world.epochs[actor.name] = 0
        self.epoch = 0

    def order(self) -> dict[str, t.Any]:
        return {"phases": PHASES, "waived": {}, "passed": [], "supersedes": {}}

    def require(self, result: Result) -> Result:
        if result.get("failed"):
            raise StopError(result.get("msg", ""))
        return result

    # release_phase

    def lock(self, purpose: str = "deploy") -> None:
        force = bool(self.actor.options.get("force"))
        held = self.require(
            self.task(
                "release_phase/lock",
                "Hold the deploy lock",
                release=VERSION,
                purpose=purpose,
                wait=self.actor.options.get("wait", 0),
                force=force,
                reason="it hangs" if force else "",
                ticket="",
                fence=self.epoch,
            )
        )
        self.epoch = self.epoch or held["fence"]
        self.world.epochs[self.actor.name] = self.epoch

    def unlock(self, purpose: str = "deploy") -> None:
        self.require(self.task("release_phase/unlock", "Release the deploy lock", purpose=purpose))

    def begin(self, phase: str) -> None:
        self.require(
            self.task(
                "release_phase/begin",
                "Refuse a phase before earlier ones are done or waived",
                name=VERSION,
                phase=phase,
                order=self.order(),
            )
        )
        self.lock()

    def open(self, phase: str) -> Result:
        return self.task(
            "release_phase/main",
            "Open the phase in the release record",
            name=VERSION,
            phase=phase,
            order=self.order(),
            pin={"deployments": self.services, "config_maps": [FLAGS]},
            facts={"waves": self.waves()},
            fence=self.epoch,
        )

    def failed(self, phase: str, failure: Result) -> None:
        if lease_lost(failure) or failure.get("reason") == "OutOfOrder":
            return
        # A rescue whose own task fails goes no further.
        self.require(
            self.task(
                "release_phase/failed",
                "Record why the phase failed",
                name=VERSION,
                phase=phase,
                phase_started=None,
                evidence={"failures": {"control": {"message": str(failure.get("msg"))[:100]}}},
                fence=self.epoch,
            )
        )

    def close(self, phase: str, *, changed: bool) -> None:
        self.require(
            self.task(
                "release_phase/close",
                "Mark the phase as done in the release record",
                name=VERSION,
                phase=phase,
                phase_changed=changed,
                phase_started=None,
                evidence={},
                fence=self.epoch,
            )
        )

    # playbooks

    def deploy(self) -> None:
        self.microservices()
        self.feature_flags()

    def waves(self) -> list[list[str]]:
        return [one for one in (self.services[:1], self.services[1:]) if one]

    def microservices(self) -> None:
        phase = "microservices"
        self.begin(phase)
        changed = False
        for wave in self.waves():
            opened = self.open(phase)
            if opened.get("failed"):
                self._settle(phase, dict.fromkeys(wave, opened))
            rolled = self.task(
                "rolling_update/main",
                "Roll out the images of the release",
                services=[
                    {
                        "name": one,
                        "image": image_of(one, NEW, self.world.plan),
                        "log_line": "",
                        "health_url": "",
                    }
                    for one in wave
                ],
                pinned={},
                release=VERSION,
                undo_on_failure=True,
                wait_timeout=300,
                quorum="nodes",
                soak=None,
                proven=(opened.get("phase") or {}).get("status") == "done",
                wait_for_old=False,
                fence=self.epoch,
            )
            if rolled.get("failed"):
                self._settle(phase, dict.fromkeys(wave, rolled))
            failures = {name: one for name, one in rolled["services"].items() if one.get("failed")}
            changed = changed or rolled["changed"]
            if failures:
                self._settle(phase, failures)
        self.close(phase, changed=changed)

    def _settle(self, phase: str, failures: dict[str, Result]) -> t.NoReturn:
        for failure in failures.values():
            self.failed(phase, failure)
        if not any(lease_lost(one) for one in failures.values()):
            self.task(
                "service_rollback/settle_wave",
                "Record what was undone and each version",
                name=VERSION,
                evidence={"settlement": {}},
                fence=self.epoch,
            )
        raise StopError("; ".join(str(one.get("msg")) for one in failures.values()))

    def feature_flags(self) -> None:
        phase = "feature_flags"
        self.begin(phase)
        failure = self._set_flags(phase, self._standing())
        if failure is not None:
            self.failed(phase, failure)
            if not lease_lost(failure):
                self._off("the flags could not be set")
            raise StopError(str(failure.get("msg")))
        self.close(phase, changed=True)

    def _set_flags(self, phase: str, percentage: t.Any) -> Result | None:
        opened = self.open(phase)
        if opened.get("failed"):
            return opened
        wanted = {**FLAGS_ON, PERCENTAGE: percentage}
        done = self.task(
            "feature_flags/main",
            "Set the flags",
            name=FLAGS,
            flags=wanted,
            bounds={PERCENTAGE: [0, 100]},
            choices={SWITCH: [True, False]},
            flagd=None,
            kill_switch="reset_automatic",
            fence=self.epoch,
        )
        if done.get("failed"):
            return done
        for consumer in self._consumers():
            failure = self._roll_out(consumer, done["checksum"], wanted)
            if failure is not None:
                self._put_back(done, wanted)
                return failure
        return None

    def _standing(self) -> t.Any:
        """A percentage that somebody changed after this phase was done in this attempt is kept."""
        where = "feature_flags/standing"
        record = self.require(
            self.task(where, "Check whether this attempt has set the flags", name=VERSION)
        )
        seen = self.require(self.task(where, "Read the flags", name=FLAGS))
        phases = (record.get("record") or {}).get("phases") or {}
        done = (phases.get("feature_flags") or {}).get("status") == "done"
        percentage = seen["before"].get(PERCENTAGE)
        return percentage if done and not seen["kill_switch"] and percentage != "0" else 1

    def _roll_out(
        self,
        consumer: str,
        checksum: str,
        wanted: dict[str, t.Any],
        *,
        undo: bool = True,
        fence: int | None = None,
    ) -> Result | None:
        rolled = self.task(
            "feature_flags/reach",
            "Restart the readers of changed flags",
            name=consumer,
            release=VERSION,
            checksum=checksum,
            undo_on_failure=undo,
            fence=self.epoch if fence is None else fence,
        )
        if rolled.get("failed"):
            return rolled
        seen = self.task(
            "feature_flags/reach",
            "Check the flags in every pod",
            name=consumer,
            flags=wanted,
            probe=None,
            wait_timeout=0,
        )
        return seen if seen.get("failed") else None

    def _put_back(self, done: Result, wanted: dict[str, t.Any]) -> None:
        if done["before"] == done["after"]:
            return
        back = self.task(
            "feature_flags/put_back",
            "Restore the flags from before this task",
            name=FLAGS,
            flags={name: done["before"].get(name) for name in wanted},
            flagd=None,
            fence=self.epoch,
        )
        if back.get("failed"):
            return
        for consumer in self._consumers():
            rolled = self.task(
                "feature_flags/put_back",
                "Restart the pods with the restored flags",
                name=consumer,
                release=VERSION,
                checksum=back["checksum"],
                fence=self.epoch,
            )
            if rolled.get("failed"):
                return

    def _consumers(self) -> list[str]:
        return [one for one in CONSUMERS if one in self.services]

    def _off(self, reason: str) -> Result:
        return self.task(
            "feature_flags/off",
            "Switch the feature off",
            name=FLAGS,
            flags=FLAGS_OFF,
            flagd=None,
            consumers=self._consumers(),
            delivery="environment",
            probe=None,
            reason=reason,
        )

    def kill_switch(self) -> None:
        self._kill_switch("set")

    def reset(self) -> None:
        self._kill_switch("reset")

    def _kill_switch(self, state: str) -> None:
        self.require(
            self.task(
                "kill_switch/main",
                "{{ __kill_switch_title }}",
                state=state,
                name=FLAGS,
                flags=FLAGS_OFF,
                percentage=None,
                percentage_flag=PERCENTAGE,
                flagd=None,
                consumers=self._consumers(),
                delivery="environment",
                probe=None,
                reason="errors",
                by=self.actor.name,
                wait_timeout=180,
            )
        )

    def rollback(self) -> None:
        self.require(self._off(f"release {VERSION} is rolled back"))
        self.lock("undo")
        self._restore_flags()
        self._return_services()

    def _restore_flags(self) -> None:
        read = self.require(
            self.task(
                "feature_flags/restore", "Read the flags from before the release", name=VERSION
            )
        )
        pinned = (read.get("pins") or {}).get("config_maps", {}).get(FLAGS)
        if pinned is None:
            raise StopError("nothing is pinned")
        if pinned["exists"]:
            self.require(
                self.task(
                    "feature_flags/restore",
                    "Restore the previous flags",
                    name=FLAGS,
                    flags=pinned["data"],
                    flagd=None,
                    fence=self.epoch,
                )
            )

    def _return_services(self) -> None:
        returned = self.task(
            "service_rollback/main",
            "Return the services to their previous versions",
            name=VERSION,
            deployments=[],
            first=self.services[:1],
            wait_timeout=300,
            fence=self.epoch,
        )
        if "services" in returned and (returned.get("changed") or returned.get("failed")):
            status = "partly_rolled_back" if returned.get("failed") else "rolled_back"
            self.require(
                self.task(
                    "service_rollback/main",
                    "Record what returned",
                    name=VERSION,
                    facts={"services_returned": returned["services"]},
                    phase_status=status,
                    fence=self.epoch,
                )
            )
        self.require(returned)
        self._close_rollback()
        self.unlock("undo")

    def _close_rollback(self) -> None:
        where = "sign_off/rolled_back"
        self.require(
            self.task(
                where,
                "Mark the release as rolled back in its record",
                name=VERSION,
                fence=self.epoch,
            )
        )
        for phase in ("feature_flags",):
            self.require(
                self.task(
                    where,
                    "Mark the phases as rolled back",
                    name=VERSION,
                    phase=phase,
                    fence=self.epoch,
                )
            )

    def ramp(self) -> None:
        place = {
            "name": FLAGS, "flag": PERCENTAGE, "enabled_by": SWITCH, "schedule": SCHEDULE,
            "watch_duration": 60, "day_length": 60,
        }  # fmt: skip
        record = self.require(
            self.task("feature_ramp/look", "Read the time of the first step", name=VERSION)
        )
        phases = (record.get("record") or {}).get("phases") or {}
        first = phases.get("feature_flags") or {}
        began = first.get("finished", "") if first.get("status") == "done" else ""
        guard = self.require(
            self.task(
                "feature_ramp/look",
                "Read when the guard looked last",
                release=VERSION,
                max_silence=0,
            )
        )
        known = {
            **place,
            "unguarded": guard["silent"],
            "started": began,
            "watched": began,
            "blocked": "" if began else "not released",
        }
        wanted = self.actor.options.get("percentage")
        seen = self.require(
            self.task("feature_ramp/look", "Read the ramp's state", percentage=wanted, **known)
        )
        if seen["needs_lock"]:
            self.lock()
        moved = self.require(
            self.task(
                "feature_ramp/main",
                "Change the ramp",
                flagd=None,
                percentage=wanted,
                reason="",
                release_reason="",
                released_by="",
                fence=self.epoch,
                **known,
            )
        )
        if moved["action"] not in ("wait", "done"):
            self._deliver(moved, place)
        if moved["action"] in ("raise", "watch"):
            self.world.sleep(60)
            self.require(
                self.task(
                    "feature_ramp/watch",
                    "Store the verdict, and go back one step after a breach",
                    percentage=moved["percentage"],
                    since=moved["ramp"]["since"],
                    verdict="proceed",
                    verdict_reasons=[],
                    flagd=None,
                    fence=self.epoch,
                    **place,
                )
            )
        if seen["needs_lock"]:
            self.unlock()

    def _deliver(self, moved: Result, place: dict[str, t.Any]) -> None:
        for consumer in self._consumers():
            failed = self._roll_out(
                consumer,
                moved["checksum"],
                {PERCENTAGE: str(moved["percentage"])},
                undo=moved["action"] == "raise",
                fence=0 if moved["action"] == "lower" else self.epoch,
            )
            if failed is None:
                continue
            if moved["action"] == "raise":
                self.task(
                    "feature_ramp/back",
                    "Return to the previous step, because this one failed",
                    percentage=moved["before"]["percentage"],
                    reason="it did not reach every pod",
                    flagd=None,
                    **place,
                )
            raise StopError(str(failed.get("msg")))

    def unlock_by_hand(self) -> None:
        self.require(
            self.task(
                "playbooks/unlock",
                "Release the deploy lock",
                reason="it hangs",
                force=bool(self.actor.options["force"]),
            )
        )

    def kubectl(self) -> None:
        """What no playbook does: somebody who writes by himself, without fence and without a lock."""
        session, does = self.world.client(), self.actor.options["does"]
        name = self.services[0]
        deployment = f"/apis/apps/v1/namespaces/easymo-prod/deployments/{name}"
        merge = "application/merge-patch+json"
        patches: dict[str, t.Any] = {
            "image": (
                "application/strategic-merge-patch+json",
                {"spec": {"template": {"spec": {"containers": [
                    {"name": name, "image": image_of(name, "2.0.9-hotfix", self.world.plan)}]}}}},
            ),
            "scale": (merge, {"spec": {"replicas": 3}}),
            "annotate": (merge, {"metadata": {"annotations": {"team": "payments"}}}),
        }  # fmt: skip
        if does in patches:
            content_type, body = patches[does]
            session.write("PATCH", deployment, body, content_type)
        elif does == "flag":
            path = f"/api/v1/namespaces/easymo-prod/configmaps/{FLAGS}"
            session.write("PATCH", path, {"data": {"FEATURE_OTHER": "true"}}, merge)
        else:
            pods = json.loads(session.read("/api/v1/namespaces/easymo-prod/pods"))["items"]
            session.write(
                "DELETE",
                f"/api/v1/namespaces/easymo-prod/pods/{pods[0]['metadata']['name']}",
                None,
                merge,
            )


def lease_lost(result: Result) -> bool:
    return result.get("reason") == "LeaseLost" or result.get("result") == "lease_lost"
