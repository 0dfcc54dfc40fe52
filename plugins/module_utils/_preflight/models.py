# SPDX-License-Identifier: GPL-3.0-or-later
"""A check of what a release stands on, what all checks of a task know, and what is found."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from datetime import datetime

from .._cluster import Cluster
from .._errors import DeployError, NotReadyError
from .._library import Library
from .._options import Spec
from .._release.models import Record

PASS, FAIL, HOLD, SKIPPED, WAIVED = "pass", "fail", "hold", "skipped", "waived"
STOPPING = (FAIL, HOLD)
"""A definite problem, and what nobody can tell. Both stop the release."""

Options = t.Mapping[str, t.Any]


@dataclass(frozen=True)
class Check:
    """`item` is the line of a checklist that it proves, `cure` what mends it beside what its kind says.

    `needs`: values by the name of the variable, without which nothing can be seen. `unless`: why nobody needs it.
    """

    name: str
    kind: str
    options: Options
    item: str = ""
    cure: str = ""
    needs: t.Mapping[str, str] = field(default_factory=dict)
    unless: str = ""


@dataclass(frozen=True)
class Finding:
    """One sentence. `name` and `item` are those of the check unless a check proves several lines.

    `warnings` are what a release survives and somebody should know; `facts` what its record is to keep.
    """

    status: str
    detail: str
    name: str = ""
    item: str = ""
    warnings: tuple[str, ...] = ()
    facts: t.Mapping[str, t.Any] | None = None


@dataclass(frozen=True)
class Row:
    name: str
    item: str
    kind: str
    status: str
    detail: str
    seconds: float

    def to_result(self) -> dict[str, t.Any]:
        return {
            "name": self.name,
            "item": self.item,
            "kind": self.kind,
            "status": self.status,
            "detail": self.detail,
            "seconds": round(self.seconds, 3),
        }


T = t.TypeVar("T")


@dataclass(frozen=True)
class Known(t.Generic[T]):  # noqa: UP046 - targets may run an older Python
    """What was looked up once for all checks, or why it could not be."""

    value: T
    problem: DeployError | None = None

    def get(self) -> T:
        if self.problem is not None:
            raise self.problem
        return self.value


@dataclass(frozen=True)
class Ground:
    """What every check may ask for. `cluster` makes a client of its own at each call, for threads.

    `commit` is the full name of the commit that is released, "" when nobody said where to look.
    """

    release: str
    checkout: str
    now: datetime
    timeout: float
    check_mode: bool
    commit: Known[str]
    record: Known[Record | None]
    cluster: t.Callable[[], Cluster]
    wait: t.Callable[[float, str], None]
    """For so many seconds, after telling why."""

    def known_commit(self) -> str:
        found = self.commit.get()
        if not found:
            raise NotReadyError("The released commit is unknown: set 'checkout' or 'commit'.")
        return found


Runner = t.Callable[[Options, Ground], t.Sequence[Finding]]
"""Looks by the options of its kind. What it can't see it raises as a DeployError."""


@dataclass(frozen=True)
class Kind:
    """How one kind of check looks, which options it has, and which libraries it needs.

    `components` are the libraries that depend on the options. `reads_record`: it looks into the release record,
    where one can be read.
    """

    look: Runner
    options: Spec = field(default_factory=dict)
    libraries: tuple[Library, ...] = ()
    components: t.Callable[[Options], t.Iterable[Library]] = lambda _options: ()
    reads_record: bool = False


def passed(detail: str, **more: t.Any) -> Finding:
    return Finding(PASS, detail, **more)


def failed(detail: str, **more: t.Any) -> Finding:
    return Finding(FAIL, detail, **more)


def held(detail: str, **more: t.Any) -> Finding:
    return Finding(HOLD, detail, **more)


def skipped(detail: str, **more: t.Any) -> Finding:
    return Finding(SKIPPED, detail, **more)
