# SPDX-License-Identifier: GPL-3.0-or-later
"""Which wave may begin while those before it soak, and whose way back waits for whose. See docs/rollouts.md, "Waves".

A service is proven when its soak is over and those of all waves before it are. So whatever goes back after that is of a
later wave, and no service stays that began because of one that went back.
"""

from __future__ import annotations

import typing as t

from .._threads import Event, begin

ROLLED, PROVEN, ENDED, FAILED, RETURNING = "rolled", "proven", "ended", "failed", "returning"
"""What a service is, one after the other. A rolled one is complete and well, and soaks."""


class Overlap:
    """The services of all waves, by host. Unless it `overlaps`, a wave begins when the one before it has ended."""

    def __init__(self, waves: t.Sequence[t.Sequence[str]], *, overlaps: bool = True) -> None:
        self.waves = waves
        self.overlaps = overlaps
        self.begun = 0
        """Waves that have begun."""
        self.longest = 0.0
        """The seconds of the longest soak that has begun."""
        self.changed = Event()
        """Set whenever a service gets further."""
        states = (ROLLED, PROVEN, ENDED, FAILED, RETURNING)
        self.hosts: dict[str, set[str]] = {state: set() for state in states}

    def begin_next(self) -> t.Sequence[str]:
        """The services of the wave that may begin now, which thereby has; none while it may not."""
        needed = ROLLED if self.overlaps else ENDED
        failing = self.hosts[FAILED] or self.hosts[RETURNING]
        if failing or self.begun == len(self.waves) or not self.are(needed, 0, self.begun):
            return ()
        self.begun += 1
        return self.waves[self.begun - 1]

    def reach(self, host: str, *states: str) -> None:
        for state in states:
            self.hosts[state].add(host)
        self.changed.set()

    def are(self, state: str, first: int, end: int) -> bool:
        """Whether all services of the waves from `first` to before `end` are that."""
        return all(self.hosts[state].issuperset(wave) for wave in self.waves[first:end])


class Place:
    """One service among the waves, of which its own is the `number`th. `ask` raises an error unless it is well."""

    def __init__(
        self, overlap: Overlap, host: str, ask: t.Callable[[], object] = lambda: None
    ) -> None:
        self.overlap = overlap
        self.host = host
        self._ask = ask
        self.number = next(at for at, wave in enumerate(overlap.waves, 1) if host in wave)
        self._earlier = [name for wave in overlap.waves[: self.number - 1] for name in wave]

    def reach(self, state: str) -> None:
        """PROVEN; or RETURNING of one that is undone: so are those of later waves, and no other wave begins."""
        self.overlap.reach(self.host, state)

    def soak(self, longest: float) -> None:
        """It is complete, and soaks for so many seconds at the longest. The next wave also waits until it is well."""
        if self.overlap.overlaps:
            self.overlap.longest = max(self.overlap.longest, longest)
            begin(self._be_well)

    def _be_well(self) -> None:
        self._ask()
        self.reach(ROLLED)

    def cause(self) -> str:
        """The service of an earlier wave with which this one goes back; "" without one."""
        returning = self.overlap.hosts[RETURNING]
        return next((name for name in self._earlier if name in returning), "") if returning else ""

    def is_held(self) -> bool:
        """Whether one of an earlier wave is not proven yet."""
        return not self.overlap.are(PROVEN, 0, self.number - 1)

    def is_in_doubt(self) -> bool:
        """Whether one of an earlier wave failed and stays: a later run may still have to take both back."""
        return not self.overlap.hosts[FAILED].isdisjoint(self._earlier)

    def is_last_back(self) -> bool:
        """Whether all of later waves have ended: what was built on this service goes back before it."""
        return self.overlap.are(ENDED, self.number, self.overlap.begun)


ALONE = Place(Overlap([[""]], overlaps=False), "")
"""Of a rollout that belongs to no wave."""
