"""Releases that are generated: an hour of watching, look by look, from a seed alone.

What hits everybody goes up and down by itself for minutes (log-normal, autocorrelated), and with the time of day. Users
who fail try again for a while, a few of them hundreds of times: events come in bursts, users do not.
"""

import math
import random
import typing as t
from dataclasses import dataclass

EVERY, LOOKS = 10, 360
"""Seconds from look to look, and looks in an hour."""
SHARES = (0.01, 0.02, 0.05, 0.1, 0.25, 0.5)
USERS, RISK = 1000, 0.01
"""Users seen at a look, and how many of them fail on a mean day."""
_NOISE = 0.6
_TRIES_ON = 0.7
"""Whoever failed fails once more at the next look, with that chance, and again: 3.3 failures a user."""
_BURST, _BURST_SIZE = 0.002, 200
_REQUESTS = 3


@dataclass(frozen=True)
class Kind:
    """`ratio`: how many times as often treated users fail. `memory`: the autocorrelation of the noise, look to look."""

    share: float
    ratio: float
    memory: float


class Look(t.NamedTuple):
    """Of one cohort: users seen and failed for the first time, their requests, and how many of those failed."""

    seen: int
    failed: int
    requests: int
    errors: int


@dataclass(frozen=True)
class Release:
    """Each look as treated users and control."""

    kind: Kind
    treated: tuple[Look, ...]
    control: tuple[Look, ...]


def kind_of(seed: int) -> Kind:
    """Two of three are as good as the version before."""
    draw = random.Random(f"kind {seed}")
    worse = draw.random() < 1 / 3
    ratio = math.exp(draw.uniform(math.log(1.2), math.log(10.0))) if worse else 1.0
    return Kind(draw.choice(SHARES), ratio, draw.choice((0.0, 0.5, 0.9, 0.98)))


def generated(seed: int, kind: Kind | None = None) -> Release:
    kind = kind or kind_of(seed)
    draw = random.Random(f"course {seed}")
    shared = weather(draw, kind.memory)
    treated, control = _Cohort(draw), _Cohort(draw)
    looks = []
    for _n in range(LOOKS):
        users = draw.binomialvariate(USERS, kind.share)
        risk = min(1.0, RISK * next(shared))
        looks.append(
            (treated.look(users, min(1.0, kind.ratio * risk)), control.look(USERS - users, risk))
        )
    return Release(kind, *(tuple(one) for one in zip(*looks, strict=True)))


def weather(draw: random.Random, memory: float) -> t.Iterator[float]:
    """What hits everybody, on average 1."""
    fresh, now = math.sqrt(1.0 - memory * memory), draw.gauss()
    hour = draw.uniform(0.0, 24.0)
    for look in range(LOOKS):
        day = 1.0 + 0.3 * math.sin(2 * math.pi * (hour + look * EVERY / 3600) / 24)
        yield day * math.exp(_NOISE * now - _NOISE * _NOISE / 2)
        now = memory * now + fresh * draw.gauss()


class _Cohort:
    def __init__(self, draw: random.Random) -> None:
        self._draw = draw
        self._trying = 0

    def look(self, users: int, risk: float) -> Look:
        draw = self._draw
        failed = draw.binomialvariate(users, risk)
        again = self._trying = draw.binomialvariate(self._trying, _TRIES_ON) if self._trying else 0
        self._trying += failed
        bursts = _BURST_SIZE * draw.binomialvariate(failed, _BURST) if failed else 0
        errors = failed + again + bursts
        return Look(users, failed, _REQUESTS * users + again + bursts, errors)
