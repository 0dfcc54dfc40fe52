"""One run of one command, and what all playbooks share: the role release_phase."""

import typing as t

from ..plan import Actor, Plan
from ..platform import CONSUMERS, FLAGS, FLAGS_ON, PERCENTAGE, PRINT_FLAGS, RELEASES, VERSION
from ..tasks import Result, Tasks
from ..world import World

WATCH = "monitoring"
PHASES = ["microservices", "feature_flags", WATCH]
"""The last of a release that watches its metric alone."""
STORES, FUNCTIONS = ["database"], ["edge_functions"]
"""Of the releases that write databases and bucket, or functions: most of them are simulated by themselves."""


class StopError(Exception):
    """The run ends here, as an ansible-playbook whose last task failed."""

    def __init__(self, why: str, result: Result | None = None) -> None:
        super().__init__(why)
        self.result: Result = result or {}


class Script:
    """One run of one command."""

    def __init__(self, world: World, actor: Actor, tasks: Tasks) -> None:
        self.world = world
        self.actor = actor
        self.task = tasks
        self.version: str = actor.options.get("version", VERSION)
        self.services = [*world.plan.services]
        world.epochs[actor.name] = 0
        self.epoch = 0

    def order(self) -> dict[str, t.Any]:
        beside = {"by": self.actor.name, "reason": "it can wait no longer"}
        named = self.actor.options.get("supersedes")
        supersedes = {one: beside for one in RELEASES if named and one != self.version}
        looks = "preflight"
        return {
            "phases": [looks, *self.phases], "waived": {}, "passed": [looks], "supersedes": supersedes,
            "flags": FLAGS,
        }  # fmt: skip

    @property
    def phases(self) -> list[str]:
        return phases_of(self.world.plan)

    def require(self, result: Result) -> Result:
        if result.get("failed"):
            raise StopError(result.get("msg", ""), result)
        return result

    def do(self, where: str, name: str, /, **given: t.Any) -> Result:
        """A task without which the run ends."""
        return self.require(self.task(where, name, **given))

    @property
    def flags(self) -> dict[str, t.Any]:
        """What the release sets."""
        return {**FLAGS_ON[self.version], PERCENTAGE: 1}

    def lock(self, purpose: str = "deploy", phase: str | None = None) -> Result:
        force = bool(self.actor.options.get("force"))
        held = self.do(
            "release_phase/begin",
            "Hold the deploy lock",
            release=self.version,
            phase=phase,
            order=self.order(),
            pin={"deployments": self.services, "config_maps": [FLAGS]},
            facts={"waves": self.waves()},
            ramped=[PERCENTAGE] if phase == "feature_flags" else [],
            flags=self.flags if phase == "feature_flags" else {},
            purpose=purpose,
            lock={
                "wait": self.actor.options.get("wait", 0),
                "force": force,
                "reason": "it hangs" if force else "",
                "ticket": "",
            },
            fence=self.epoch,
            launch_window=None,
            page=None,
            availability=None,
        )
        self.epoch = self.epoch or held["fence"]
        self.world.epochs[self.actor.name] = self.epoch
        return held

    def unlock(self, purpose: str = "deploy") -> None:
        self.do("release_phase/unlock", "Release the deploy lock", purpose=purpose)

    def begin(self, phase: str) -> Result:
        return self.lock(phase=phase)

    def failed(self, phase: str, failure: Result) -> bool:
        """Whether anything may be taken back: this run has not lost its lock."""
        if lease_lost(failure):
            return False
        host = self.services[0] if phase == "microservices" else "control"
        noted = self.task(
            "release_phase/failed",
            "Write the cause into the release record",
            name=self.version,
            phase=phase,
            phase_started=None,
            evidence={"failures": {host: {"message": str(failure.get("msg"))[:100]}}},
            fence=self.epoch,
        )
        return not lease_lost(noted)

    def close(self, phase: str, *, changed: bool, ends: bool = False, **evidence: Result) -> None:
        self.do(
            "release_phase/close",
            "Mark the phase as done in the release record",
            name=self.version,
            phase=phase,
            phase_changed=changed,
            phase_started=None,
            evidence=evidence,
            status="done" if ends else None,
            fence=self.epoch,
        )

    def sign_off(self) -> None:
        self.close("sign_off", changed=False, ends=True)

    def waves(self) -> list[list[str]]:
        """One service first, then a third of the others, then the rest."""
        third = max(len(self.services) // 3, 1)
        waves = self.services[:1], self.services[1:third], self.services[third:]
        return [one for one in waves if one]

    @property
    def delivery(self) -> str:
        """How pods have their flags."""
        return "volume" if self.world.plan.mounted else "environment"

    @property
    def flags_probe(self) -> dict[str, t.Any] | None:
        """How they are asked: by `env`, unless that proves nothing."""
        return {"command": PRINT_FLAGS} if self.world.plan.mounted else None

    @property
    def consumers(self) -> list[str]:
        return [one for one in CONSUMERS if one in self.services]


def phases_of(plan: Plan) -> list[str]:
    """Those of its releases, in their order."""
    before = [*(STORES if plan.stores else ()), *(FUNCTIONS if plan.functions else ())]
    if before and not plan.complete:
        return before
    return [*before, *(phase for phase in PHASES if phase != WATCH or plan.watched)]


def lease_lost(result: Result) -> bool:
    return result.get("reason") == "LeaseLost" or result.get("result") == "lease_lost"
