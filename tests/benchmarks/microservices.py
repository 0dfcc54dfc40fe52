"""Phase 4 beside the same by hand: twelve services of two pods, and again with nothing to do.

In two worlds: pods that are ready at once, and pods that start in a second whose probes ask every five seconds.
"""

import json
import tempfile
import time
import typing as t
from collections import defaultdict
from contextlib import contextmanager
from pathlib import Path

from sandbox.faults import Fault
from sandbox.names import SERVICES
from tests.benchmarks.kubectl import Kubectl
from tests.benchmarks.measurement import Measurement, Size
from tests.benchmarks.stage import SEED_MB, Stage, products, stage
from tests.stories.counts import Counts, counting

REPLICAS = 2
STARTS_IN = Fault("node", "slow-start", "", {"seconds": "1"})
WAVES = (SERVICES[:1], SERVICES[1:4], SERVICES[4:])
"""As the inventory has them."""
PROBES = ("readinessProbe", "livenessProbe")
EVERY = 5
"""Seconds between two questions of a probe in the slower world."""

ONE_BY_ONE = "by hand, one after the other"
IN_WAVES = "by hand, each wave at once"
AT_ONCE = "by hand, all at once"
PHASE, AGAIN = "phase 4", "phase 4, nothing to do"
Took = dict[str, list[float]]


def microservices(size: Size = Size.FULL) -> t.Iterator[Measurement]:
    """The best of each: whatever else the machine did meanwhile is no part of any."""
    waves = size.of(small=WAVES[:1], full=WAVES)
    services = [service for wave in waves for service in wave]
    rounds = size.of(small=1, full=3)
    note = f"best of {rounds}, {len(services)} services of {REPLICAS} pods"
    with stage() as place:
        place.sandbox("up", "--seed-mb", SEED_MB)
        kubectl = Kubectl(place)
        kubectl.run("scale", "deployment", *services, f"--replicas={REPLICAS}")
        best = measured(place, waves, rounds)
        yield from told(best, "instant pods", note)
        for product in products():
            goals = (
                (f"phase 4 alone, nothing to do{product}", best[AGAIN + product], "s", 2.5),
                ratio(best, "instant pods", IN_WAVES, product, 1.5),
                ratio(best, "instant pods", ONE_BY_ONE, product, 0.5),
            )
            for name, value, unit, target in goals:
                yield Measurement(name, value, unit, target, note, name)
        yield from requests(place, services)
        with place.fault(STARTS_IN), slow_probes(kubectl, services):
            best = measured(place, waves, rounds)
        yield from told(best, SLOWER, note)
        for product in products():
            name, value, unit, target = ratio(best, SLOWER, ONE_BY_ONE, product, 0.6)
            yield Measurement(name, value, unit, target, note, name)


SLOWER = f"starts of 1 s, probes of {EVERY} s"
Goal = tuple[str, float, t.Literal["s", "ratio"], float]


def ratio(best: t.Mapping[str, float], world: str, hand: str, product: str, target: float) -> Goal:
    return (
        f"phase 4 to {hand}, {world}{product}",
        best[PHASE + product] / best[hand],
        "ratio",
        target,
    )


def measured(place: Stage, waves: t.Sequence[t.Sequence[str]], rounds: int) -> dict[str, float]:
    kubectl, took = Kubectl(place), t.cast("Took", defaultdict(list))
    services = [service for wave in waves for service in wave]
    by_hand = {
        ONE_BY_ONE: lambda: [kubectl.roll(service) for service in services],
        IN_WAVES: lambda: [kubectl.roll_at_once(wave) for wave in waves],
        AT_ONCE: lambda: kubectl.roll_at_once(services),
    }
    for _round in range(rounds):
        for name, act in by_hand.items():
            kubectl.as_before_the_release(services)
            took[name].append(seconds(act))
        for product, checkout in products().items():
            kubectl.as_before_the_release(services)
            for name in (PHASE, AGAIN):
                run = place.play("microservices.yml", *limit(services), checkout=checkout)
                took[name + product].append(run.seconds)
    return {name: min(each) for name, each in took.items()}


def told(best: t.Mapping[str, float], world: str, note: str) -> t.Iterator[Measurement]:
    for name in (ONE_BY_ONE, IN_WAVES, AT_ONCE):
        yield Measurement(name, best[name], "s", note=f"{world}: {note}")
    for product in products():
        for name in (PHASE, AGAIN):
            yield Measurement(
                name + product, best[name + product], "s", note=f"{world}: the whole run"
            )


def requests(place: Stage, services: t.Sequence[str]) -> t.Iterator[Measurement]:
    """Of runs of their own, for counting takes time."""
    Kubectl(place).as_before_the_release(services)
    for name, target in (("in a first rollout", 12), ("with nothing to do", 8)):
        with tempfile.TemporaryDirectory() as folder:
            place.play("microservices.yml", *limit(services), environment=counting(Path(folder)))
            asked = Counts.of(Path(folder)).requests * len(SERVICES) / len(services)
        goal = f"requests a service {name}"
        yield Measurement(goal, asked, "count", target, goal=goal)


@contextmanager
def slow_probes(kubectl: Kubectl, services: t.Sequence[str]) -> t.Iterator[None]:
    """And afterwards as they were."""
    before = {
        body["metadata"]["name"]: periods_of(body["spec"]["template"]["spec"]["containers"][0])
        for body in kubectl.objects("deployments")
    }
    for service in services:
        set_periods(kubectl, service, dict.fromkeys(before[service], EVERY))
    try:
        yield
    finally:
        for service in services:
            set_periods(kubectl, service, before[service])


def periods_of(container: t.Mapping[str, t.Any]) -> dict[str, int]:
    return {name: container[name]["periodSeconds"] for name in PROBES if name in container}


def set_periods(kubectl: Kubectl, service: str, periods: t.Mapping[str, int]) -> None:
    probes = {name: {"periodSeconds": seconds} for name, seconds in periods.items()}
    spec = {"containers": [{"name": service, **probes}]}
    patch = json.dumps({"spec": {"template": {"spec": spec}}})
    kubectl.run("patch", "deployment", service, "--patch", patch)


def limit(services: t.Sequence[str]) -> tuple[str, ...]:
    few = len(services) < len(SERVICES)
    return ("--limit", ",".join((*services, "localhost"))) if few else ()


def seconds(act: t.Callable[[], object]) -> float:
    began = time.monotonic()
    act()
    return time.monotonic() - began
