# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""What is told of files that were applied: how long each took, and which locks it held."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

if t.TYPE_CHECKING:
    from .locks import HeldLock


@dataclass(frozen=True)
class Run:
    """One file that was applied: the seconds it took, and the locks it held on what was there before."""

    seconds: float
    locks: frozenset[HeldLock]
    locks_known: bool
    """False when statements committed by themselves, whose locks are gone before anybody can look."""


Runs = dict[str, Run]
"""By the name of the file."""


def describe_runs(runs: Runs) -> dict[str, t.Any]:
    return {
        "durations": {file: round(run.seconds, 3) for file, run in runs.items()},
        "locks": {
            file: [lock.to_result() for lock in sorted(run.locks)] for file, run in runs.items()
        },
        "locks_unknown": [file for file, run in runs.items() if not run.locks_known],
    }
