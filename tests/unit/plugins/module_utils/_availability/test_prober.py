"""What a prober makes of addresses that hang, of a network that is gone and of a clock that jumps, in virtual time."""

import typing as t
from collections import Counter
from dataclasses import dataclass, field

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._availability.plan import (
    NOT_SEEN,
    STOOD_STILL,
    Measured,
    at,
    start,
)
from ansible_collections.easymo.deploy.plugins.module_utils._availability.prober import (
    MOST_WAITING,
    Prober,
)
from tests.fakes.cluster import FakeClock

EVERY, TIMEOUT = 0.05, 0.4
NOON = 1_795_608_000.0


@dataclass
class World:
    """Addresses that answer at once, `lost` ones by a problem, and `hanging` ones never."""

    hanging: set[str] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)
    asked: Counter[str] = field(default_factory=Counter)
    clock: FakeClock = field(default_factory=FakeClock)
    ahead: float = 0.0

    def wall(self) -> float:
        return NOON + self.clock.now() + self.ahead

    def measured(
        self,
        *targets: str,
        controls: t.Sequence[str] = (),
        seconds: float = 3,
        timeout: float = TIMEOUT,
    ) -> Measured:
        end = self.clock.now() + seconds
        addresses: dict[str, t.Any] = {name: _Address(name, self) for name in targets}
        doors: dict[str, t.Any] = {name: _Address(name, self) for name in controls}
        state = start(Measured(attempt=1, interval=EVERY), (*addresses, *doors))
        prober = Prober(
            addresses,
            doors,
            state,
            interval=EVERY,
            timeout=timeout,
            wall=self.wall,
            clock=self.clock,
        )
        prober._threads = t.cast("t.Any", _AtOnce(self))
        self.clock.listeners.append(lambda: prober.stop() if self.clock.now() > end else None)
        prober.run(lambda: False)
        return at(prober.state, prober.state.measured.until or 0)


@dataclass
class _Address:
    name: str
    world: World

    def ask(self, _timeout: float) -> str:
        return "network is unreachable" if self.name in self.world.lost else ""


@dataclass
class _AtOnce:
    """In place of the threads. What hangs has none that ends."""

    world: World

    def submit(self, answer: t.Callable[[t.Any], None], question: t.Any) -> None:
        self.world.asked[question.name] += 1
        if question.name not in self.world.hanging:
            answer(question)

    def shutdown(self, **_how: bool) -> None:
        """There are none."""


def test_an_address_that_hangs_fails_and_slows_no_other():
    found = World(hanging={"bad"}).measured("a", "b", "c", "bad")
    bad = found.targets["bad"]
    assert bad.failures == bad.probes == MOST_WAITING
    assert bad.last_problem == "no answer within 0.4 s"
    for name in "abc":
        assert (found.targets[name].failures, found.targets[name].probes > 55) == (0, True)
    assert found.downtime == pytest.approx(3, abs=0.2)


def test_one_that_hangs_is_asked_no_more_than_so_many_times_at_once():
    """Else a platform that is busy would be busier by each question that it cannot answer."""
    world = World(hanging={"bad-1", "bad-2"})
    found = world.measured("bad-1", "bad-2", "good", seconds=4, timeout=2.5).targets
    assert found.pop("good").failures == 0
    assert {one.failures for one in found.values()} == {MOST_WAITING}
    assert {world.asked[name] for name in found} == {MOST_WAITING}


def test_what_this_machine_did_not_see_is_no_downtime():
    world = World()
    began = world.clock.now()

    def lose() -> None:
        away = 0.5 < world.clock.now() - began < 2
        world.lost = {"a", "b", "api", "far"} if away else set()

    world.clock.listeners.append(lose)
    found = world.measured("a", "b", controls=["api", "far"])
    assert set(found.targets) == {"a", "b"}
    assert sum(one.failures for one in found.targets.values()) == found.downtime == 0
    (gap,) = found.gaps
    assert gap.why == NOT_SEEN
    assert gap.end - gap.start == pytest.approx(1.5, abs=0.2)


def test_a_clock_that_jumps_as_after_a_sleep_leaves_a_gap():
    world = World()

    def jump() -> None:
        if world.clock.now() > 101:
            world.ahead = 600

    world.clock.listeners.append(jump)
    (gap,) = world.measured("a").gaps
    assert (gap.why, round(gap.end - gap.start, -1)) == (STOOD_STILL, 600)
