"""Ten days of a ramp, generated from a seed: alerts that fire, flap and last, and guards that look at them late,
twice, at once, killed, with wrong clocks and without Prometheus.

`python -m tests.unit.plugins.module_utils._guard.ten_days 1000` lives through so many, and says what it saw.
"""

import random
import sys
import typing as t
from dataclasses import dataclass, field
from datetime import timedelta

from ansible_collections.easymo.deploy.plugins.module_utils._time import parse_time
from tests.unit.plugins.module_utils._guard.ramp_world import DOWN, ERRORS, RULES, SLOW, RampWorld
from tests.unit.plugins.module_utils._ramp.scenes import DAY_1, SCHEDULE

DAYS = 10
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
APART = 4 * HOUR
"""Between two causes of one alert, so that they are two for everybody: an outage of Prometheus and two hours in which
nobody looks fit into it, and looks enough to see that the first is gone."""
FLAP = 240.0
AHEAD = HOUR


@dataclass
class Trouble:
    """One cause: an alert, and when it fires in seconds since day 1. `due`: a look should have acted on it."""

    name: str
    spans: list[tuple[float, float]]
    due: bool = False
    acted: int = 0

    @property
    def begin(self) -> float:
        return self.spans[0][0]

    @property
    def end(self) -> float:
        return self.spans[-1][1]

    def fires(self, at: float) -> bool:
        return any(begin <= at < end for begin, end in self.spans)


@dataclass
class Life:
    seed: int
    troubles: list[Trouble]
    looks: int = 0
    acts: int = 0
    wrong: list[str] = field(default_factory=list)


def live(seed: int) -> Life:
    """`wrong` has a sentence for everything that should not have happened."""
    chance = random.Random(seed)
    life = Life(seed, _troubles(chance))
    world = RampWorld(percentage=1, day=1)
    blind = [_span(chance, HOUR) for _outage in range(2)]
    silent = [_span(chance, 2 * HOUR) for _outage in range(2)]
    seen_acts: list[str] = []
    for at in _moments(chance, life.troubles, silent):
        world.now = DAY_1 + timedelta(seconds=at)
        _set(world, life.troubles, at)
        world.monitoring.out_of_sight = any(begin <= at < end for begin, end in blind)
        _raise(world, life, chance, at)
        clock = chance.choice([0.0, 0.0, 0.0, 0.0, AHEAD, -AHEAD])
        due = _due(world, life, at, clock)
        look = {"keeps": chance.random() > 0.05, "tells": chance.random() > 0.05}
        before = world.percentage
        if chance.random() < 0.1:
            # Another guard looks between our reading and our write, if we write.
            world.cluster.before_write = lambda: t.cast("None", world.look())
        elif chance.random() < 0.05 and _may_step_up(world, at):
            world.cluster.before_write = lambda: _step_up(world)
        found = world.look(clock=clock, **look)
        world.cluster.before_write = lambda: None
        for one in due if not found.resting else ():
            one.due = True
        life.looks += 1
        _check(world, life, at, before, seen_acts)
    _check_end(world, life, seen_acts)
    return life


def _troubles(chance: random.Random) -> list[Trouble]:
    found: list[Trouble] = []
    for name, most in ((ERRORS, 6), (SLOW, 4), (DOWN, 1)):
        at = chance.uniform(0.1, 2.0) * DAY
        if name == DOWN:
            at = chance.uniform(5.0, 9.9) * DAY
        for _time in range(chance.randint(0 if name == DOWN else 1, most)):
            spans, begin = [], at
            for _flap in range(chance.choice([1, 1, 1, 2, 5])):
                lasts = chance.choice([30.0, 120.0, 900.0, 4 * HOUR]) * chance.uniform(0.5, 1.5)
                spans.append((begin, begin + lasts))
                begin += lasts + chance.uniform(10.0, FLAP)
            found.append(Trouble(name, spans))
            at = spans[-1][1] + APART + chance.uniform(0, DAY)
    return found


def _span(chance: random.Random, longest: float) -> tuple[float, float]:
    begin = chance.uniform(0, DAYS * DAY)
    return begin, begin + chance.uniform(MINUTE, longest)


def _moments(
    chance: random.Random, troubles: list[Trouble], silent: list[tuple[float, float]]
) -> list[float]:
    """A look every minute where something goes on, every five after it, every quarter of an hour otherwise; and with
    each alert one at once, that is sometimes lost, late or doubled. While nobody looks, none."""
    active = [(one.begin - 5 * MINUTE, one.end + 40 * MINUTE) for one in troubles]
    moments: list[float] = []
    at = 0.0
    while at < DAYS * DAY:
        moments.append(at + chance.uniform(0, 5))
        busy = any(begin <= at < end for begin, end in active)
        after = any(one.end <= at < one.end + APART for one in troubles)
        at += MINUTE if busy else 5 * MINUTE if after else 15 * MINUTE
        if chance.random() < 0.1:
            moments.pop()
    for one in troubles:
        for begin, _end in one.spans:
            moments += [begin + chance.uniform(0, 20)] * chance.choice([0, 1, 1, 2])
    moments += [chance.uniform(0, DAYS * DAY) for _forged in range(20)]
    return sorted(one for one in moments if not any(begin <= one < end for begin, end in silent))


def _set(world: RampWorld, troubles: list[Trouble], at: float) -> None:
    for name in (ERRORS, SLOW, DOWN):
        if any(one.name == name and one.fires(at) for one in troubles):
            world.fires(name)
        else:
            world.ends(name)


def _raise(world: RampWorld, life: Life, chance: random.Random, at: float) -> None:
    """A person, once in a while, when nothing fires."""
    quiet = not any(one.fires(at) for one in life.troubles)
    if chance.random() < 0.02 and quiet and _may_step_up(world, at):
        _step_up(world)


def _may_step_up(world: RampWorld, at: float) -> bool:
    higher = _next(world.percentage)
    days = [(step.day - 1) * DAY for step in SCHEDULE.steps if step.percentage == higher]
    return bool(days) and days[0] <= at and not world.killed


def _step_up(world: RampWorld) -> None:
    higher = _next(world.percentage)
    assert higher is not None
    world.raise_to(higher)


def _next(percentage: int) -> int | None:
    step = SCHEDULE.following(percentage)
    return step.percentage if step else None


def _due(world: RampWorld, life: Life, at: float, clock: float) -> list[Trouble]:
    """What a look whose clock is so far ahead must have acted on when it is over, unless the ramp is complete."""
    last = parse_time(world.acts[-1].at) if world.acts else None
    since = (world.now + timedelta(seconds=clock) - last).total_seconds() if last else RULES.settle
    guarded = world.percentage > 0 and not world.killed and not world.monitoring.out_of_sight
    return [
        one
        for one in life.troubles
        if guarded
        and one.fires(at)
        and (one.name == DOWN or (one.name == ERRORS and since >= RULES.settle))
    ]


def _check(world: RampWorld, life: Life, at: float, before: int, seen_acts: list[str]) -> None:
    ids = [one.id for one in world.acts]
    new = [one for one in world.acts if one.id not in seen_acts]
    seen_acts += [one.id for one in new]
    life.acts += len(new)
    if len(new) > 1:
        life.wrong.append(f"at {at:.0f}: {len(new)} acts at once")
    if len(set(ids)) < len(ids):
        life.wrong.append(f"at {at:.0f}: an act twice")
    for act in new:
        for key in act.causes:
            name = key.partition(" ")[2]
            own = [one for one in life.troubles if one.name == name and one.begin <= at]
            if not own:
                life.wrong.append(f"at {at:.0f}: an act for {key}, which never fired")
                continue
            own[-1].acted += 1
            if own[-1].acted > 1:
                life.wrong.append(f"at {at:.0f}: {own[-1].acted} acts for one cause, {key}")
        if act.what == "step_down" and world.percentage != SCHEDULE.preceding(act.before):
            life.wrong.append(f"at {at:.0f}: {act.before} % to {world.percentage} %, not one step")
    if not new and world.percentage < before:
        life.wrong.append(f"at {at:.0f}: down to {world.percentage} % without an act")


def _check_end(world: RampWorld, life: Life, seen_acts: list[str]) -> None:
    for one in life.troubles:
        if one.due and not one.acted:
            life.wrong.append(f"nothing was done about {one.name} at {one.begin:.0f}")
    if not world.killed and any(one.name == DOWN and one.acted for one in life.troubles):
        life.wrong.append("the kill switch did not stay set")


def main(number: int) -> None:
    """Tells what was wrong at once, for a thousand take an hour."""
    first = random.SystemRandom().randrange(10**9)
    print(f"From seed {first}:", flush=True)
    looks = causes = acts = wrong = 0
    for lived in range(1, number + 1):
        one = live(first + lived - 1)
        looks, causes, acts = looks + one.looks, causes + len(one.troubles), acts + one.acts
        wrong += bool(one.wrong)
        if one.wrong:
            print(f"seed {one.seed}: {'; '.join(one.wrong[:3])}", flush=True)
        if lived % 100 == 0 or lived == number:
            told = f"{looks} looks, {causes} causes, {acts} acts, {wrong} with something wrong"
            print(f"{lived} ramps of ten days: {told}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
