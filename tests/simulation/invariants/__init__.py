# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds after every step, whatever happens. Each is a sentence of docs/guarantees.md.

They look at the server's objects alone, never at what the product believes, except where a task claims success.
"""

from __future__ import annotations

import typing as t

from sandbox.kubernetes.routing import parse_path

from .flags import FlagInvariants
from .guard import GuardInvariants
from .history import History
from .lock import LockInvariants
from .record import RecordInvariants
from .sentences import ALWAYS_WORKS, GOES_ON, LIVENESS, NO_SURPRISE, SENTENCES
from .services import ServiceInvariants
from .stores import StoreInvariants

if t.TYPE_CHECKING:
    from ..scheduler import Process
    from ..tasks import Did
    from ..world import Request, World

UNSTOPPABLE: t.Mapping[str, tuple[str, ...]] = {
    "kill_switch": (),
    "reset": (),
    # Another rollback goes first, a person takes its lock, or a kill switch restarts what it is returning.
    "rollback": (
        *("nothing is pinned", "Nothing is pinned", "Another run is deploying"),
        *("lost the deploy lock", "was changed by somebody else"),
    ),
}
"""Scripts that nobody else may keep from their end, and the reasons that are none."""


FOR_A_PERSON = ("(P3009)", "is there and invalid")
"""In what a command says that leaves the rest to a person: a migration that is no transaction was cut off."""


class Invariants:
    """All of them, told of each request, each task and each run as they end."""

    def __init__(self, world: World) -> None:
        self.history = History(world)
        self.lock = LockInvariants(self.history)
        self._services = ServiceInvariants(self.history)
        self._parts = (
            self.lock,
            self._services,
            FlagInvariants(self.history),
            GuardInvariants(self.history),
            RecordInvariants(self.history),
            StoreInvariants(self.history),
        )

    @property
    def violations(self) -> list[str]:
        return self.history.violations

    def requested(self, request: Request) -> None:
        """Called when the server has carried it out."""
        self._services.requested(request)
        if request.method == "GET" or request.query.get("dryRun") or request.status >= 400:
            return
        target = parse_path(request.path)
        if target is None or not target.resource.stored:
            return
        plural, by = target.resource.plural, request.process.name if request.process else ""
        if plural == "pods" and request.method == "DELETE" and not by.startswith("kubectl"):
            self._services.pod_ended(target.name)
            return
        for name in [target.name] if target.name else self.history.unseen(plural):
            write = self.history.written(plural, name, by)
            for part in self._parts:
                part.written(write)

    def claimed(self, process: Process, did: Did) -> None:
        if not process.alive:
            return
        for result in (did.result, *(did.result.get("services") or {}).values()):
            text = str(result.get("msg")) if isinstance(result, dict) else ""
            self.history.check(NO_SURPRISE, "a defect of this collection" not in text, text)
        for part in self._parts:
            part.claimed(process, did)

    def stopped(self, script: str, why: str) -> None:
        """A run that failed, of a world in which nothing went wrong before."""
        if "check easymo.com/kill-switch" in why and self._somebody_resets():
            return  # two people who want the opposite at the same moment are told so
        if script in UNSTOPPABLE:
            known = any(one in why for one in UNSTOPPABLE[script])
            self.history.check(ALWAYS_WORKS, known, f"{script} failed: {why}")

    def ended_again(self, why: str) -> None:
        """The last command of all, given when nothing goes wrong any more; "" when it was done."""
        known = not why or any(one in why for one in FOR_A_PERSON)
        self.history.check(GOES_ON, known, f"the command was given again, and failed: {why}")

    def _somebody_resets(self) -> bool:
        return any(one.script == "reset" for one in self.history.world.plan.actors)


__all__ = ["ALWAYS_WORKS", "LIVENESS", "NO_SURPRISE", "SENTENCES", "Invariants"]
