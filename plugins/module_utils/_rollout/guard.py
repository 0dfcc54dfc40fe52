# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""What is asked before each write: whether it is still us who deploy."""

from __future__ import annotations

import typing as t

from .._errors import ConflictError, DeployError, UnreachableError

FROZEN = "Frozen"
"""The reason of an error of `check` that forbids releases, but not their undoing."""


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
