# SPDX-License-Identifier: GPL-3.0-or-later
"""A smoke test, what came of it, and the verdict over all of them."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._library import Library
from .._options import Spec

Status = t.Literal["pass", "fail", "hold", "skip", "planned"]
"""`hold` is what nobody can tell, `skip` what was left out on purpose; neither is a pass."""

Row = t.Mapping[str, t.Any]


@dataclass(frozen=True)
class SmokeTest:
    """`scenario` is the runbook's scenario that it plays, `note` what its line begins with."""

    name: str
    kind: str
    options: t.Mapping[str, t.Any]
    scenario: str = ""
    note: str = ""


@dataclass(frozen=True)
class Finding:
    """What a runner found: a status, one sentence, the exchanges behind it and what to keep of it."""

    status: Status
    detail: str
    steps: tuple[Row, ...] = ()
    facts: Row | None = None


@dataclass(frozen=True)
class Result:
    name: str
    kind: str
    status: Status
    seconds: float
    detail: str
    scenario: str = ""
    steps: tuple[Row, ...] = ()
    facts: Row | None = None

    def to_result(self) -> dict[str, t.Any]:
        row: dict[str, t.Any] = {
            "name": self.name,
            "kind": self.kind,
            "scenario": self.scenario,
            "status": self.status,
            "seconds": round(self.seconds, 3),
            "detail": self.detail,
            "steps": [dict(step) for step in self.steps],
        }
        return {**row, "facts": dict(self.facts)} if self.facts else row


Runner = t.Callable[[t.Mapping[str, t.Any]], Finding]
"""Runs a test of its kind by its options. What it can't do it raises as a DeployError."""


@dataclass(frozen=True)
class Kind:
    """How one kind of smoke test is run, which options it has, what it needs for that, and what it would do."""

    run: Runner
    options: Spec
    libraries: t.Callable[[Row], t.Iterable[Library]]
    intention: t.Callable[[Row], str]
    """For check mode."""
    refuse: t.Callable[[str, Row], None] = lambda _name, _options: None
    """Raises an InputError for options that no spec can refuse, by the name of the test."""


def together(details: t.Sequence[str]) -> str:
    """All of a few, else their number: the steps have them all."""
    return ", ".join(details) if len(details) <= 2 else f"{len(details)} of {len(details)} well"
