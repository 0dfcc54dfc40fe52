# SPDX-License-Identifier: GPL-3.0-or-later
"""What a look of the guard finds, and what the guard did, as an annotation beside the flags that it changed."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from .._formats import shortened
from .._release.decode import restored

STEP_DOWN, KILL_SWITCH, TELL, IGNORE = "step_down", "kill_switch", "tell", "ignore"
"""What a cause calls for: one step down, the kill switch, or people alone. IGNORE is no cause."""

ALERT, METRIC, PODS, LOCK, SIGHT = "alert", "metric", "pods", "lock", "sight"
"""The kinds of causes, with which their keys begin."""

MOST_ACTS = 20
"""How many acts the annotation keeps."""
_LONGEST = 600


@dataclass(frozen=True)
class GuardCause:
    """`key` identifies the cause as long as it lasts; `text` describes its present state."""

    key: str
    calls_for: str
    text: str


@dataclass(frozen=True)
class Observation:
    """The result of a look. `hidden`: kinds and keys that this look could not observe."""

    causes: tuple[GuardCause, ...] = ()
    hidden: frozenset[str] = frozenset()
    step: str = ""
    """The begin, as RFC 3339, of the step that the metrics describe."""

    def tells_of(self, key: str) -> bool:
        return key not in self.hidden and key.partition(" ")[0] not in self.hidden


@dataclass(frozen=True)
class GuardAct:
    """`what` is STEP_DOWN or KILL_SWITCH, `at` RFC 3339. It answers all of its `causes`."""

    id: str
    what: str
    at: str
    release: str
    attempt: int
    causes: tuple[str, ...]
    before: int
    to: int
    why: str = ""


@dataclass(frozen=True)
class Acts:
    """Acts, the newest last. `readable` is false for a damaged annotation: past acts are unknown then."""

    acts: tuple[GuardAct, ...] = ()
    readable: bool = True

    def of(self, key: str) -> GuardAct | None:
        """The newest act that answers this cause."""
        return next((act for act in reversed(self.acts) if key in act.causes), None)

    def added(self, act: GuardAct) -> Acts:
        return Acts((*self.acts, act)[-MOST_ACTS:])

    def to_annotation(self) -> str:
        return json.dumps(
            [asdict(act) for act in self.acts], ensure_ascii=False, separators=(",", ":")
        )

    @classmethod
    def from_annotation(cls, text: str | None) -> Acts:
        if text is None:
            return cls()
        try:
            return cls(tuple(restored(GuardAct, act, "act") for act in json.loads(text)))
        except (TypeError, ValueError):
            return cls(readable=False)


@dataclass(frozen=True)
class Rules:
    """Times in seconds. `settle`: between two steps down, for the first to take effect. `quiet`: without a cause
    before its return counts as a new one. `max_gap`: looks further apart do not confirm each other.
    """

    settle: float = 600.0
    quiet: float = 600.0
    blind_after: float = 900.0
    max_gap: float = 300.0
    max_silence: float = 0.0
    """A longer time without a look is announced; 0 for never."""


@dataclass(frozen=True)
class RampPosition:
    """The ramp's position. `percentage` is None for an invalid value; `users`: whether there can be any.

    `step`: the key of its step, see step_key.
    """

    percentage: int | None
    step: str = ""
    users: bool = False
    killed: str = ""
    words: str = ""
    """In words: 5 %, step 2 of 8."""


@dataclass(frozen=True)
class Choice:
    """`what` is STEP_DOWN, KILL_SWITCH or "" for nothing. `waiting`: causes that a step down may still cure."""

    what: str = ""
    causes: tuple[GuardCause, ...] = ()
    waiting: tuple[GuardCause, ...] = ()

    @property
    def why(self) -> str:
        return shortened("; ".join(cause.text for cause in self.causes), _LONGEST)
