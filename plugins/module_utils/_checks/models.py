# SPDX-License-Identifier: GPL-3.0-or-later
"""What a check is, and what came of it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._errors import DeployError
from .._library import Library
from .._options import Spec

Options = t.Mapping[str, t.Any]

Probe = t.Callable[[Options, float], str]
"""Looks once, within so many seconds. Returns what it saw; raises CheckError, or another DeployError."""


@dataclass(frozen=True)
class Kind:
    """How one kind of check looks, which options it has, and which libraries it needs."""

    probe: Probe
    options: Spec
    libraries: tuple[Library, ...]


class CheckError(DeployError):
    """It answered, and not as it should."""

    reason = "CheckFailed"


class NotKnownError(CheckError):
    """It had nothing to tell, which says neither that it is well nor that it is not."""


@dataclass(frozen=True)
class Check:
    name: str
    kind: str
    options: Options
    timeout: float


@dataclass(frozen=True)
class CheckResult:
    name: str
    kind: str
    passed: bool
    seconds: float
    """How long the last look took."""
    detail: str
    known: bool = True
    """False of one that had nothing to tell, and did not pass for that."""

    def to_result(self) -> dict[str, t.Any]:
        return {
            "name": self.name,
            "kind": self.kind,
            "status": "pass" if self.passed else "fail" if self.known else "unknown",
            "seconds": round(self.seconds, 3),
            "detail": self.detail,
        }
