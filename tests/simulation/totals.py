"""What was tried, summed up over runs, sessions and commits. Sessions are only ever added."""

from __future__ import annotations

import datetime
import json
import os
import subprocess
import typing as t
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

if t.TYPE_CHECKING:
    from .run import Outcome

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".cache" / "simulation"
SESSIONS = FOLDER / "sessions.jsonl"

DONE, FAILED, KILLED = "done", "failed", "killed"
ENDINGS = (DONE, FAILED, KILLED)


@dataclass
class Totals:
    """Each counter by what its name says; scripts and tasks by `NAME|ENDING`."""

    runs: int = 0
    broken: int = 0
    """Runs that broke an invariant."""
    branches: int = 0
    """Runs that had their beginning with others in common; what happened in it is counted once."""
    cpu: float = 0.0
    """Seconds."""
    services: int = 0
    requests: int = 0
    checked: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    scripts: Counter[str] = field(default_factory=Counter)
    tasks: Counter[str] = field(default_factory=Counter)

    def add(self, outcome: Outcome, cpu: float) -> None:
        self.runs += 1
        self.broken += bool(outcome.violations)
        self.cpu += cpu
        self.services += len(outcome.plan.services)
        self.requests += outcome.requests
        self.checked.update(outcome.checked)
        self.faults.update(outcome.befell)
        self.scripts.update(outcome.scripts)
        self.tasks.update(outcome.tasks)

    def since(self, before: Totals) -> Totals:
        """What was done since then."""
        return Totals(**{name: value - getattr(before, name) for name, value in vars(self).items()})

    def merge(self, other: Totals) -> None:
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)

    def to_dict(self) -> dict[str, t.Any]:
        found = {
            name: value for name, value in vars(self).items() if not isinstance(value, Counter)
        }
        counters = {
            name: dict(sorted(value.items()))
            for name, value in vars(self).items()
            if isinstance(value, Counter)
        }
        return {**found, "cpu": round(self.cpu, 1), **counters}

    @classmethod
    def from_dict(cls, body: t.Mapping[str, t.Any]) -> Totals:
        known = {name: body[name] for name in cls.__dataclass_fields__ if name in body}
        return cls(**{k: Counter(v) if isinstance(v, dict) else v for k, v in known.items()})

    @property
    def runs_a_minute(self) -> float:
        """Of one core."""
        return 60 * self.runs / self.cpu if self.cpu else 0.0

    def each_run(self, count: float) -> float:
        return count / self.runs if self.runs else 0.0


class Session(t.NamedTuple):
    commit: str
    ended: str
    totals: Totals


def append(commit: str, totals: Totals, path: Path = SESSIONS) -> None:
    """One line by one write, so that sessions side by side do not mix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ended = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    line = json.dumps({"commit": commit, "ended": ended, **totals.to_dict()}) + "\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)


def sessions(path: Path = SESSIONS) -> list[Session]:
    if not path.is_file():
        return []
    bodies = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return [Session(one["commit"], one["ended"], Totals.from_dict(one)) for one in bodies]


def together(found: t.Iterable[Session]) -> Totals:
    summed = Totals()
    for one in found:
        summed.merge(one.totals)
    return summed


def commit() -> str:
    asked = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.stdout.strip() or "unknown"
