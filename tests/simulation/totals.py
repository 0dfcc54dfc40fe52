"""What was tried, summed up over runs."""

from __future__ import annotations

import subprocess
import typing as t
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

if t.TYPE_CHECKING:
    from .run import Outcome

ROOT = Path(__file__).parents[2]


@dataclass
class Totals:
    """Each counter by what its name says."""

    runs: int = 0
    broken: int = 0
    """Runs that broke an invariant."""
    cpu: float = 0.0
    """Seconds."""
    requests: int = 0
    checked: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    after_loss: dict[str, float] = field(default_factory=dict)
    """Seconds after which the latest write after a lost lock came, by why."""

    def add(self, outcome: Outcome, cpu: float) -> None:
        self.runs += 1
        self.broken += bool(outcome.violations)
        self.cpu += cpu
        self.requests += outcome.requests
        self.checked.update(outcome.checked)
        self.faults.update(outcome.befell)
        for why, seconds in outcome.after_loss.items():
            self.after_loss[why] = max(self.after_loss.get(why, 0.0), seconds)

    @property
    def runs_a_minute(self) -> float:
        """Of one core."""
        return 60 * self.runs / self.cpu if self.cpu else 0.0


def commit() -> str:
    asked = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.stdout.strip() or "unknown"
