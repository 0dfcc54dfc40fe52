"""What holds after every step, whatever happens. Each is a sentence of ../README.md.

They look at the server's objects alone, never at what the product believes, except where a task claims success.
"""

import functools
import typing as t

from sandbox.kubernetes.requests import parse_path

from ..plan import MILD, REVERTS, WATCH, Actor
from ..platform import VERSION, image_of
from ..scheduler import GONE, Process
from ..stores import QUERY
from ..tasks import Did
from ..world import Request, World
from .backups import BackupInvariants
from .channels import ChannelInvariants
from .config_maps import SwapInvariants
from .flags import FlagInvariants
from .functions import FunctionInvariants
from .guard import GuardInvariants
from .history import FREEZE, LEASE, History
from .lock import LockInvariants
from .record import RecordInvariants
from .rehearsals import RehearsalInvariants
from .restores import RestoreInvariants
from .services import ServiceInvariants
from .steps import StepInvariants
from .stores import StoreInvariants
from .watch import WatchInvariants

BY_ANOTHER = "was changed by somebody else"
UNSTOPPABLE: t.Mapping[str, tuple[str, ...]] = {
    "kill_switch": (),
    "reset": (),
    # Another rollback goes first, a person takes its lock or pauses a Deployment, or a kill switch restarts what it is
    # returning.
    "rollback": (
        *("nothing is pinned", "Nothing is pinned", "Another run is deploying"),
        *("lost the deploy lock", "under a later deploy lock", BY_ANOTHER),
        *("is paused, so nothing would roll", "was paused while it rolled out"),
        *("cannot go back: release", "what is restored is kept"),
    ),
}
"""Scripts that nobody else may keep from their end, and the reasons that are none."""


STANDS_STILL = "made no progress"
"""What a rollout says whose new pod is on a node out of reach: the service is named, and the next run goes on."""
UNDONE = ("fail their probes", "The functions were activated, but")
VERDICT = "run the same phase again"
OPPOSED = (
    "check easymo.com/kill-switch",
    "did somebody change them meanwhile",
    "somebody else changed it while the pods came to it",
)
TAKEN_BACK = "was written but reads differently"
"""With what a kill switch ends whose flags something else has set back before it read them."""
BESIDE_ANOTHER = "a rollback would return to it half done", "What that one set would be lost"
"""With what a release is refused beside another that is not finished, or below a later one."""
FOR_A_PERSON = (
    "(P3009)",
    "is there and invalid",
    "has no backup of",
    "run that restore again",
    QUERY,
)
"""In what a command says that leaves the rest to a person: a migration cut off that is no transaction, a bad answer."""
QUIET = 15.0
"""Seconds after a run in which its keeper may still give the lock back."""
FEW = 3
PREVENTS = ("new", "pause", "freeze", "percentage", *REVERTS)
"""What somebody does with kubectl that a deployment stops at."""

RELEASING = ("deploy", "deploy_stores", "deploy_functions", "flags", "ramp")
"""What a freeze stops."""
HARMLESS = ("labels", "annotate")
"""What somebody does with kubectl beside which a deployment is as good as alone."""


class Invariants:
    """All of them, told of each request, each task and each run as they end."""

    def __init__(self, world: World) -> None:
        self.history = History(world)
        self.lock = LockInvariants(self.history)
        self._running: set[str] = set()
        self._beside: set[str] = set()
        """Runs that were not alone."""
        self._last_end = float("-inf")
        self._services = ServiceInvariants(self.history)
        self._flags = FlagInvariants(self.history)
        self._swaps = SwapInvariants(self.history)
        self.channels = ChannelInvariants(
            [*world.plan.services],
            self.history.find,
            functools.partial(self.history.check, "channels_are_true"),
        )
        self._backups = BackupInvariants(self.history)
        self._restores = RestoreInvariants(self.history)
        self._parts = (
            self.lock,
            self._services,
            self._swaps,
            self._flags,
            StepInvariants(self.history),
            GuardInvariants(self.history),
            RecordInvariants(self.history),
            StoreInvariants(self.history),
            RehearsalInvariants(self.history),
            FunctionInvariants(self.history),
            WatchInvariants(self.history),
            self._backups,
            self._restores,
        )

    @property
    def violations(self) -> list[str]:
        return self.history.violations

    def requested(self, request: Request) -> None:
        """Called when the server has carried it out."""
        self._services.requested(request)
        self._swaps.requested(request)
        if request.method == "GET" and request.path.endswith((f"/{LEASE}", f"/{FREEZE}")):
            self.history.read(_who(request), request.path.rpartition("/")[2])
        if request.method == "GET" or request.query.get("dryRun") or request.status >= 400:
            return
        target = parse_path(request.path)
        if target is None or not target.resource.stored:
            return
        plural, by = target.resource.plural, _who(request)
        if plural == "pods" and request.method == "DELETE" and not by.startswith("kubectl"):
            self._services.pod_ended(target.name, by)
            self._flags.pod_ended(target.name, by)
            return
        for name in [target.name] if target.name else self.history.unseen(plural):
            write = self.history.written(plural, name, by)
            for part in self._parts:
                part.written(write)

    def wave_rolled(self, process: Process, did: Did) -> None:
        """What a wave claims, when it ends: later ones last, and others may write meanwhile."""
        if process.alive:
            self._services.wave_rolled(process, did)

    def claimed(self, process: Process, did: Did) -> None:
        if not process.alive:
            return
        for result in (did.result, *(did.result.get("services") or {}).values()):
            text = str(result.get("msg")) if isinstance(result, dict) else ""
            self.history.check("no_surprise", "a defect of this collection" not in text, text)
        for part in self._parts:
            part.claimed(process, did)

    def began(self, name: str) -> None:
        if self._is_harmless(name):
            return
        now = self.history.world.scheduler.now
        if self._running or now - self._last_end < QUIET:
            self._beside |= {name, *self._running}
        self._running.add(name)

    def ended(self, name: str) -> None:
        if self._is_harmless(name):
            return
        self._running.discard(name)
        self._last_end = self.history.world.scheduler.now
        if self.history.script_of(name) in RELEASING and self.history.frozen_since() is not None:
            self.history.check("frozen", True, "")  # it wrote nothing that a freeze forbids

    def _is_harmless(self, name: str) -> bool:
        actors = self.history.world.plan.actors
        return any(one.name == name and one.options.get("does") in HARMLESS for one in actors)

    def done(self, script: str) -> None:
        """A run that came to its end, of a world in which nothing went wrong before."""
        if not self.history.world.befell and (script in UNSTOPPABLE or script == "deploy"):
            self.history.check("always_works", True, "")

    def stopped(self, actor: Actor, why: str) -> None:
        """A run that failed, of a world in which at most a few calls failed once before."""
        plan, name, script = self.history.world.plan, actor.name, actor.script
        if actor.options.get("fails"):
            return  # for what it meets in its world
        if actor.options.get("percentage") is not None:
            return  # who lowers it may come after somebody who switched it off
        if any(one in why for one in OPPOSED) and (
            self._somebody_does("reset") or self._by_hand(REVERTS)
        ):
            return  # two people who want the opposite at the same moment are told so
        if TAKEN_BACK in why and self._by_hand(REVERTS):
            return
        if VERDICT in why:
            return  # the watch says more of it
        if any(one in why for one in UNDONE) and self._somebody_does("supabase"):
            return  # somebody took away what came back, before it was listed or called
        if plan.complete and script == "deploy":
            return  # databases and functions promise less
        if plan.controllers or ((plan.deaf or plan.outages) and script != "rollback"):
            return
        befell = self.history.world.befell
        if len(befell) > FEW or any(one.of == WATCH or one.kind not in MILD for one in befell):
            return
        if len(befell) > 1 and script not in ("kill_switch", "reset"):
            return
        if script in UNSTOPPABLE:
            reasons = (*UNSTOPPABLE[script], *([STANDS_STILL] if plan.outages else ()))
            releases = {one.options.get("version") for one in plan.actors}
            if not (name in self._beside or len(releases) > 1 or self._somebody_does("kubectl")):
                reasons = tuple(one for one in reasons if one != BY_ANOTHER)
            known = any(one in why for one in reasons) or self._goes_back_to_a_bad_image(actor)
            self.history.check("always_works", known, f"{script} failed: {why}")
        elif script == "deploy" and name not in self._beside and not plan.bad_images:
            if any(one in why for one in BESIDE_ANOTHER):
                return
            if not self._by_hand(PREVENTS) and not self._somebody_does("lock", "kill_switch"):
                self.history.check("always_works", False, f"{name} failed: {why}")

    def _goes_back_to_a_bad_image(self, actor: Actor) -> bool:
        """Of another release, over which somebody began all the same."""
        plan = self.history.world.plan
        pins = self.history.pins(self.history.release_of(actor.name)).get("deployments", {})
        return any(
            image_of(name, VERSION, plan) in pin["images"].values()
            for name, pin in pins.items()
            if name in plan.bad_images
        )

    def at_the_end(self) -> None:
        self._backups.at_the_end()

    def ended_again(self, why: str) -> None:
        """The last command of all, given when nothing goes wrong any more; "" when it was done."""
        known = not why or any(one in why for one in FOR_A_PERSON)
        self.history.check("goes_on", known, f"the command was given again, and failed: {why}")
        if not why or QUERY in why:
            self._restores.ended_again()

    def _by_hand(self, does: t.Collection[str]) -> bool:
        return any(one.options.get("does") in does for one in self.history.world.plan.actors)

    def _somebody_does(self, *scripts: str) -> bool:
        return any(one.script in scripts for one in self.history.world.plan.actors)


def _who(request: Request) -> str:
    """Not the run that goes on under the name of a process that is no more."""
    process = request.process
    return "" if process is None else process.name if process.alive else GONE


__all__ = ["Invariants"]
