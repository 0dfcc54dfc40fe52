# SPDX-License-Identifier: GPL-3.0-or-later
"""What the guard keeps from one look to the next, beside the record of its release. Of two guards one is kept.

What it did stands beside the flags, so that losing this lets it act on nothing twice: it then knows of no cause that
ended, and acts on none that it acted on before.
"""

from __future__ import annotations

import json
import typing as t
from dataclasses import asdict, dataclass, field, replace

from .._errors import ConflictError, VerificationError
from .._gate.state import WatchState
from .._release.store import ReleaseStore
from .._time import epoch
from .models import Acts, Cause, Observation, Rules

_LONGEST_PASSED = 90.0
"""Seconds between two looks of a guard that count towards a cause that is gone: it looks once a minute."""
_KEPT = 20
"""How many ended causes, silences and guards it keeps."""


@dataclass(frozen=True)
class Episode:
    """One cause, from when it was seen first. `gone`: seconds for which it was seen to be gone, as each guard counts
    them; empty while it lasts."""

    since: float
    text: str
    calls_for: str
    gone: t.Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Ended:
    """A cause that ended. `act` is the id of the act that answered it, "" for none."""

    key: str
    since: float
    until: float
    text: str
    act: str = ""


@dataclass(frozen=True)
class Silence:
    """Nobody looked from `begin` to `end`, in seconds since 1970."""

    begin: float
    end: float


@dataclass(frozen=True)
class Memory:
    """Times in seconds since 1970. `cleared`: by cause the id of the act since which it was seen to have ended.

    `lasts`: by guard when that looked last, on its own clock. `unseen`: by metric since when its source fails.
    `watch` is of the metrics at the step of the key `step`, and `definition` tells which they are.
    """

    begun: float
    last: float
    looks: int = 0
    episodes: t.Mapping[str, Episode] = field(default_factory=dict)
    cleared: t.Mapping[str, str] = field(default_factory=dict)
    ended: tuple[Ended, ...] = ()
    silences: tuple[Silence, ...] = ()
    longest: float = 0.0
    """The longest time between two looks."""
    lasts: t.Mapping[str, float] = field(default_factory=dict)
    unseen: t.Mapping[str, float] = field(default_factory=dict)
    lock: t.Mapping[str, t.Any] = field(default_factory=dict)
    """The deploy lock's last renewal as its holder wrote it, `renewed`, and `since` when it reads so."""
    flags: t.Mapping[str, t.Any] = field(default_factory=dict)
    """The ramp's flags as they were read, `values`, and `since` when they read so."""
    step: str = ""
    definition: str = ""
    watch: WatchState | None = None
    evidence: t.Mapping[str, float] = field(default_factory=dict)
    """By comparison of cohorts what it has found so far."""

    @property
    def guarded(self) -> dict[str, t.Any]:
        """Its watch, for the one that comes after it."""
        return {"began": self.watch.began_at if self.watch else "", "evidence": dict(self.evidence)}

    def looked(self, seen: Observation, acts: Acts, now: float, rules: Rules, by: str) -> Memory:
        """After a look at `now` of the guard `by`. Guards whose clocks differ may look in turn, so each counts by its
        own; one that never looked before, as in a new pod, goes on from the last look."""
        passed = min(max(0.0, now - self.lasts.get(by, self.last)), _LONGEST_PASSED)
        present = {one.key: one for one in seen.causes}
        before = {**self._of_acts(acts), **self.episodes}
        episodes: dict[str, Episode] = {}
        cleared, ended = dict(self.cleared), list(self.ended)
        for key, one in before.items():
            if key in present:
                continue
            left = one if not seen.tells_of(key) else self._going(one, by, passed)
            gone = max(left.gone.values(), default=0.0)
            if not left.gone or gone < rules.quiet:
                episodes[key] = left
                continue
            act = acts.of(key)
            if act is not None:
                cleared[key] = act.id
            ended.append(Ended(key, one.since, now - gone, one.text, act.id if act else ""))
        for key, cause in present.items():
            episodes[key] = _lasting(before.get(key), cause, now)
        silent = self.looks and rules.max_silence and now - self.last > rules.max_silence
        silences = (*self.silences, Silence(self.last, now)) if silent else self.silences
        return replace(
            self,
            last=now,
            looks=self.looks + 1,
            episodes=episodes,
            cleared={key: act for key, act in cleared.items() if acts.of(key) is not None},
            ended=tuple(ended[-_KEPT:]),
            silences=silences[-_KEPT:],
            longest=max(self.longest, now - self.last) if self.looks else 0.0,
            lasts=dict(sorted({**self.lasts, by: now}.items(), key=lambda one: one[1])[-_KEPT:]),
        )

    def read(self, values: t.Mapping[str, str | None], now: float) -> Memory:
        """After the flags were read as these."""
        if self.flags.get("values") == values:
            return self
        return replace(self, flags={"values": dict(values), "since": now})

    def answered(self, key: str, acts: Acts) -> bool:
        """Whether the guard acted on this very cause already."""
        if not acts.readable:
            return True
        act = acts.of(key)
        return act is not None and self.cleared.get(key) != act.id

    def _going(self, one: Episode, by: str, passed: float) -> Episode:
        """What passed before a guard saw that it is gone does not count."""
        counts = by in one.gone or (bool(one.gone) and by not in self.lasts)
        before = one.gone.get(by, max(one.gone.values(), default=0.0))
        return replace(one, gone={**one.gone, by: before + passed if counts else before})

    def _of_acts(self, acts: Acts) -> dict[str, Episode]:
        """The causes that were acted on and of which nothing is kept here: that was lost, or its guard was killed."""
        return {
            key: Episode(epoch(act.at) or self.last, act.why, act.what)
            for act in acts.acts
            for key in act.causes
            if acts.of(key) is act and self.cleared.get(key) != act.id
        }

    def dump(self) -> str:
        body = {name: getattr(self, name) for name in self.__dataclass_fields__}
        body["episodes"] = {key: asdict(one) for key, one in self.episodes.items()}
        body["ended"] = [asdict(one) for one in self.ended]
        body["silences"] = [asdict(one) for one in self.silences]
        body["watch"] = json.loads(self.watch.dump()) if self.watch else None
        return json.dumps(body, sort_keys=True)

    @classmethod
    def load(cls, body: t.Mapping[str, t.Any]) -> Memory:
        """ValueError, TypeError, AttributeError or KeyError for what is none."""
        whole = {"flags": {}, **body}
        known = {name: whole[name] for name in cls.__dataclass_fields__}
        return cls(
            **{
                **known,
                "episodes": {key: Episode(**one) for key, one in known["episodes"].items()},
                "ended": tuple(Ended(**one) for one in known["ended"]),
                "silences": tuple(Silence(**one) for one in known["silences"]),
                "watch": WatchState.load(known["watch"]) if known["watch"] else None,
            }
        )


def begin(now: float) -> Memory:
    return Memory(begun=now, last=now)


def _lasting(before: Episode | None, cause: Cause, now: float) -> Episode:
    return Episode(before.since if before else now, cause.text, cause.calls_for)


ATTACHMENT = "guard"


class MemoryStore:
    def __init__(self, store: ReleaseStore, attempt: int) -> None:
        self._store = store
        self._attempt = attempt
        self._version = ""

    def read(self) -> Memory | None:
        """None before the first look of this attempt, and when what is there cannot be read."""
        try:
            found = self._store.attachment(ATTACHMENT)
        except VerificationError:
            self._version = self._store.attachment_version(ATTACHMENT)
            return None
        if found is None:
            return None
        self._version = found.resource_version
        return loaded(found.content) if found.attempt == self._attempt else None

    def keep(self, memory: Memory) -> bool:
        """Whether it was kept: another guard that looked meanwhile has seen as much."""
        try:
            self._version = self._store.overwrite(
                self._attempt, ATTACHMENT, memory.dump().encode(), version=self._version
            )
        except ConflictError:
            return False
        return True


def loaded(content: bytes) -> Memory | None:
    try:
        body: t.Any = json.loads(content)
        return Memory.load(body)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
