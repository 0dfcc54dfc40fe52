# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""What is asked before each write: whether it is still us who deploy."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._cluster import Clock, Cluster, Object, Operation
from .._errors import ConflictError, DeployError, UnreachableError

FROZEN = "Frozen"
"""The reason of an error of `check` that forbids releases, but not their undoing."""
ONE_TRY = 16.0
"""Seconds that a write without an answer is tried before the guard is asked again: a busy API server may take 15."""
PAUSE = 1.0
"""Seconds until the guard is asked again."""

Written = t.TypeVar("Written")


class Guard(t.Protocol):
    def check(self, *, fresh: bool = False) -> None:
        """Raise a DeployError when the deploy lock is not ours any more, or deployments are frozen.

        `fresh`: an earlier answer does not count.
        """


class NoGuard:
    """For a task that was given no lock."""

    def check(self, *, fresh: bool = False) -> None:  # noqa: ARG002 - it has nothing to look at
        return


def require(guard: Guard) -> None:
    """Before a write that goes forward. Raises with the rollout's result for what the guard says."""
    try:
        guard.check()
    except UnreachableError as exc:
        raise UnreachableError(str(exc), **{"result": "indeterminate", **exc.details}) from exc
    except DeployError as exc:
        raise _refusal(exc) from exc


def require_for_undo(guard: Guard) -> None:
    """Before a write that goes back: a freeze does not forbid it, nor does a lock out of sight."""
    try:
        guard.check()
    except UnreachableError:
        return
    except DeployError as exc:
        if exc.reason != FROZEN:
            raise _refusal(exc) from exc


@dataclass(frozen=True)
class GuardedCluster:
    """Writes of one rollout. `ask` is one of the two above, and asked before each try; `deadline`: on `clock`."""

    cluster: Cluster
    ask: t.Callable[[], None]
    clock: Clock
    deadline: float

    def patch_deployment(self, name: str, operations: t.Sequence[Operation]) -> Object:
        return self._write(lambda cluster: cluster.patch("Deployment", name, operations))

    def delete_pod(self, name: str) -> None:
        self._write(lambda cluster: cluster.delete("Pod", name))

    def _write(self, once: t.Callable[[Cluster], Written]) -> Written:
        """What `once` gives, tried again while nothing answers.

        Raises UnreachableError at the deadline, and when the guard forbids to try again what had no answer: it may
        have been written.
        """
        unanswered: UnreachableError | None = None
        while True:
            try:
                self.ask()
            except UnreachableError as exc:
                failure = exc
            except DeployError as exc:
                if unanswered is None:
                    raise
                raise UnreachableError(f"{unanswered} It was not tried again: {exc}") from exc
            else:
                try:
                    return once(self.cluster.until(min(self.deadline, self.clock.now() + ONE_TRY)))
                except UnreachableError as exc:
                    failure = unanswered = exc
            if self.clock.now() + PAUSE > self.deadline:
                raise failure
            self.clock.sleep(PAUSE)


def loss(guard: Guard) -> ConflictError | None:
    """That the lock is another's by now, asked anew; None while it is ours, or out of sight."""
    try:
        guard.check(fresh=True)
    except UnreachableError:
        return None
    except DeployError as exc:
        return None if exc.reason == FROZEN else _refusal(exc)
    return None


def _refusal(exc: DeployError) -> ConflictError:
    result = "blocked" if exc.reason == FROZEN else "lease_lost"
    return ConflictError(str(exc), **{"result": result, **exc.details})
