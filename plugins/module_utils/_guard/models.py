# SPDX-License-Identifier: GPL-3.0-or-later
"""What a look of the guard finds, and what the guard did, as an annotation beside the flags that it changed."""

from __future__ import annotations

import json
import typing as t
from dataclasses import asdict, dataclass, field

STEP_DOWN, KILL_SWITCH, TELL, IGNORE = "step_down", "kill_switch", "tell", "ignore"
"""What a cause calls for: one step down, the kill switch, or people alone. IGNORE is no cause."""

ALERT, METRIC, PODS, LOCK, SIGHT = "alert", "metric", "pods", "lock", "sight"
"""The kinds of causes, with which their keys begin."""

KEPT = 20
"""How many acts the annotation keeps."""
_LONGEST = 600


@dataclass(frozen=True)
class Cause:
    """`key` is the same for as long as it is the same cause; `text` tells it as it is now."""

    key: str
    calls_for: str
    text: str


@dataclass(frozen=True)
class Observation:
    """What a look found. `hidden`: kinds and keys of which this look can tell nothing."""

    causes: tuple[Cause, ...] = ()
    hidden: frozenset[str] = frozenset()
    step: str = ""
    """When the step began whose users the metrics tell of, as RFC 3339."""

    def tells_of(self, key: str) -> bool:
        return key not in self.hidden and key.partition(" ")[0] not in self.hidden


@dataclass(frozen=True)
class Act:
    """`what` is STEP_DOWN or KILL_SWITCH, `at` RFC 3339. It answers all of its `causes`."""

    id: str
    what: str
    at: str
    release: str
    attempt: int
    causes: tuple[str, ...]
    before: int
    to: int
    why: str

    @classmethod
    def from_json(cls, body: t.Mapping[str, t.Any]) -> Act:
        known = {name: body[name] for name in cls.__dataclass_fields__}
        return cls(**{**known, "causes": tuple(str(one) for one in body["causes"])})


@dataclass(frozen=True)
class Acts:
    """The newest last. `readable` is false where somebody damaged them: what was done is not known then."""

    acts: tuple[Act, ...] = ()
    readable: bool = True

    def of(self, key: str) -> Act | None:
        """The newest one that answers this cause."""
        return next((one for one in reversed(self.acts) if key in one.causes), None)

    def added(self, act: Act) -> Acts:
        return Acts((*self.acts, act)[-KEPT:])

    def to_annotation(self) -> str:
        return json.dumps(
            [asdict(one) for one in self.acts], ensure_ascii=False, separators=(",", ":")
        )

    @classmethod
    def from_annotation(cls, text: str | None) -> Acts:
        if text is None:
            return cls()
        try:
            return cls(tuple(Act.from_json(one) for one in json.loads(text)))
        except (AttributeError, KeyError, TypeError, ValueError):
            return cls(readable=False)


@dataclass(frozen=True)
class Rules:
    """In seconds. `settle`: how long a step down has to take effect before another. `quiet`: how long a cause must be
    seen to be gone before it may be another one. `max_gap`: looks further apart do not confirm each other.
    """

    settle: float = 600.0
    quiet: float = 600.0
    blind_after: float = 900.0
    max_gap: float = 300.0
    max_silence: float = 0.0
    """A longer time without a look is told; 0 for any."""


@dataclass(frozen=True)
class Place:
    """Where the ramp stands. `percentage` is None for a value that is none; `users`: whether there can be any.

    `step`: the key of its step, see step_key.
    """

    percentage: int | None
    step: str = ""
    users: bool = False
    killed: str = ""
    told: str = ""
    """In words: 5 %, step 2 of 8."""


@dataclass(frozen=True)
class Choice:
    """`what` is STEP_DOWN, KILL_SWITCH or "" for nothing. `waiting`: what a step down before may still cure."""

    what: str = ""
    causes: tuple[Cause, ...] = ()
    waiting: tuple[Cause, ...] = field(default=())

    @property
    def why(self) -> str:
        return shorten("; ".join(one.text for one in self.causes))


def shorten(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
