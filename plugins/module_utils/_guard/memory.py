# SPDX-License-Identifier: GPL-3.0-or-later
"""What a look of the guard finds, what the guard did, and what it keeps from one look to the next.

What it did stands as an annotation beside the flags that it changed; the memory is beside the record of its release. Of
two guards one is kept. Losing the memory lets it act on nothing twice: it then knows of no cause that ended, and acts
on none that it acted on before.

`choose` decides, purely: nothing, one step down, or the kill switch. One act answers all causes of a look. No cause
is answered twice, and a step down gets the time to take effect.
"""

from __future__ import annotations

import json
import typing as t
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime

from .._decode import dumped, restored, restored_each
from .._errors import ConflictError, VerificationError
from .._formats import read_json, shortened
from .._gate.state import WatchState
from .._release.store import Attachment, ReleaseStore
from .._time import epoch, parse_time

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

    def to_annotation(self) -> str:
        return json.dumps(
            [asdict(act) for act in self.acts], ensure_ascii=False, separators=(",", ":")
        )

    @classmethod
    def from_annotation(cls, text: str | None) -> Acts:
        if text is None:
            return cls()
        try:
            return cls(tuple(restored_each(GuardAct, read_json(text), "act")))
        except ValueError:
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


_LONGEST_PASSED = 90.0
"""Most seconds between two looks that count towards a cause's absence: a guard looks once a minute."""
_MOST = 20
"""How many ended causes, silences and guards it keeps."""


@dataclass(frozen=True)
class Episode:
    """One cause since its first observation. `gone`: seconds of its absence as each guard counts them; empty while it
    lasts."""

    since: float
    text: str = ""
    calls_for: str = ""
    gone: t.Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class EndedCause:
    """A cause that ended. `act`: the id of the act that answered it, or ""."""

    key: str
    since: float
    until: float
    text: str = ""
    act: str = ""


@dataclass(frozen=True)
class GuardSilence:
    """A time without a look, from `begin` to `end`, in seconds since 1970."""

    begin: float
    end: float


@dataclass(frozen=True)
class GuardMemory:
    """Times in seconds since 1970. `cleared`: by cause the id of the act after which its end was observed.

    `lasts`: each guard's last look, on its own clock. `unseen`: by metric the time since which its source fails.
    `watch`: the watch of the metrics of `definition` at the step of the key `step`.
    """

    begun: float
    last: float
    looks: int = 0
    episodes: t.Mapping[str, Episode] = field(default_factory=dict)
    cleared: t.Mapping[str, str] = field(default_factory=dict)
    ended: tuple[EndedCause, ...] = ()
    silences: tuple[GuardSilence, ...] = ()
    longest: float = 0.0
    """The longest time between two looks."""
    lasts: t.Mapping[str, float] = field(default_factory=dict)
    unseen: t.Mapping[str, float] = field(default_factory=dict)
    lock: t.Mapping[str, t.Any] = field(default_factory=dict)
    """The deploy lock's last renewal by its holder, `renewed`, and the time `since` which it is unchanged."""
    flags: t.Mapping[str, t.Any] = field(default_factory=dict)
    """The ramp's flags, `values`, and the time `since` which they are unchanged."""
    step: str = ""
    definition: str = ""
    watch: WatchState | None = None
    evidence: t.Mapping[str, float] = field(default_factory=dict)
    """The evidence so far of each comparison of cohorts."""

    @property
    def guarded(self) -> dict[str, t.Any]:
        """The guard's watch, for the next step's."""
        return {"began": self.watch.began_at if self.watch else "", "evidence": dict(self.evidence)}

    def looked(
        self, observation: Observation, acts: Acts, now: float, rules: Rules, by: str
    ) -> GuardMemory:
        """The memory after a look at `now` of the guard `by`.

        Guards with different clocks may alternate: each counts by its own. A guard without an earlier look, as in a
        new pod, continues from the last look.
        """
        passed = min(max(0.0, now - self.lasts.get(by, self.last)), _LONGEST_PASSED)
        present = {cause.key: cause for cause in observation.causes}
        before = {**self._of_acts(acts), **self.episodes}
        episodes: dict[str, Episode] = {}
        cleared, ended = dict(self.cleared), list(self.ended)
        for key, episode in before.items():
            if key in present:
                continue
            left = self._count_gone(episode, by, passed) if observation.tells_of(key) else episode
            gone = max(left.gone.values(), default=0.0)
            if not left.gone or gone < rules.quiet:
                episodes[key] = left
                continue
            act = acts.of(key)
            if act is not None:
                cleared[key] = act.id
            ended.append(
                EndedCause(key, episode.since, now - gone, episode.text, act.id if act else "")
            )
        for key, cause in present.items():
            since = before[key].since if key in before else now
            episodes[key] = Episode(since, cause.text, cause.calls_for)
        silent = self.looks and rules.max_silence and now - self.last > rules.max_silence
        silences = (*self.silences, GuardSilence(self.last, now)) if silent else self.silences
        return replace(
            self,
            last=now,
            looks=self.looks + 1,
            episodes=episodes,
            cleared={key: act for key, act in cleared.items() if acts.of(key) is not None},
            ended=tuple(ended[-_MOST:]),
            silences=silences[-_MOST:],
            longest=max(self.longest, now - self.last) if self.looks else 0.0,
            lasts=dict(sorted({**self.lasts, by: now}.items(), key=lambda item: item[1])[-_MOST:]),
        )

    def answered(self, key: str, acts: Acts) -> bool:
        """Whether the guard acted on this very cause already."""
        if not acts.readable:
            return True
        act = acts.of(key)
        return act is not None and self.cleared.get(key) != act.id

    def _count_gone(self, episode: Episode, by: str, passed: float) -> Episode:
        """The absent cause with the passed seconds. Time before the guard's first look without it does not count."""
        counts = by in episode.gone or (bool(episode.gone) and by not in self.lasts)
        before = episode.gone.get(by, max(episode.gone.values(), default=0.0))
        return replace(episode, gone={**episode.gone, by: before + passed if counts else before})

    def _of_acts(self, acts: Acts) -> dict[str, Episode]:
        """The causes of acts that this memory lacks: the memory was lost, or its guard was killed."""
        return {
            key: Episode(epoch(act.at) or self.last, act.why, act.what)
            for act in acts.acts
            for key in act.causes
            if acts.of(key) is act and self.cleared.get(key) != act.id
        }


ATTACHMENT = "guard"


class MemoryStore:
    def __init__(self, store: ReleaseStore, attempt: int) -> None:
        self._file = Attachment(store, ATTACHMENT)
        self._attempt = attempt

    def read(self) -> GuardMemory | None:
        """The memory; None before the first look of this attempt, and when it is unreadable."""
        try:
            content = self._file.read()
            if content is None or self._file.attempt != self._attempt:
                return None
            return restored(GuardMemory, read_json(content), ATTACHMENT)
        except (VerificationError, ValueError):
            return None

    def keep(self, memory: GuardMemory) -> bool:
        """Store the memory. Returns false after another guard's write, which holds as much."""
        try:
            self._file.write(self._attempt, dumped(memory).encode())
        except ConflictError:
            return False
        return True


def choose(
    observation: Observation,
    acts: Acts,
    memory: GuardMemory,
    place: RampPosition,
    rules: Rules,
    now: datetime,
) -> Choice:
    """`acts` and `place` as they are at the moment of the write."""
    if not place.users or place.killed:
        return Choice()
    open_causes = [
        cause
        for cause in observation.causes
        if cause.calls_for in (STEP_DOWN, KILL_SWITCH)
        and not memory.answered(cause.key, acts)
        # Metrics of another step's users say nothing about the present ones.
        and (not cause.key.startswith(f"{METRIC} ") or observation.step == place.step)
    ]
    if any(cause.calls_for == KILL_SWITCH for cause in open_causes):
        return Choice(KILL_SWITCH, tuple(open_causes))
    if not open_causes or place.percentage is None or not settled(acts, rules, now):
        return Choice(waiting=tuple(open_causes))
    return Choice(STEP_DOWN, tuple(open_causes))


def settled(acts: Acts, rules: Rules, now: datetime) -> bool:
    """Whether the last act had time to take effect. An act that a wrong clock dates in the future had none."""
    at = parse_time(acts.acts[-1].at) if acts.acts else None
    return at is None or (now - at).total_seconds() >= rules.settle


def lasting(
    observation: Observation, acts: Acts, memory: GuardMemory, rules: Rules, now: datetime
) -> tuple[tuple[str, GuardCause], ...]:
    """The causes that outlast an act against them after its time, each with the act's id."""
    if not settled(acts, rules, now):
        return ()
    acted = [(acts.of(cause.key), cause) for cause in observation.causes]
    return tuple(
        (act.id, cause) for act, cause in acted if act and memory.answered(cause.key, acts)
    )
