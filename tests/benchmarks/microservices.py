"""Phase 4 beside the same by hand: twelve services of two pods that start in a second, and again with nothing to do."""

import time
import typing as t
from collections import defaultdict

from sandbox.faults import Fault
from sandbox.names import SERVICES
from tests.benchmarks.kubectl import Kubectl
from tests.benchmarks.measurement import Measurement, Size
from tests.benchmarks.stage import SEED_MB, products, stage

REPLICAS = 2
STARTS_IN = Fault("node", "slow-start", "", {"seconds": "1"})
WAVES = (SERVICES[:1], SERVICES[1:4], SERVICES[4:])
"""As the inventory has them."""

ONE_BY_ONE = "by hand, one after the other"
IN_WAVES = "by hand, each wave at once"
AT_ONCE = "by hand, all at once"
PHASE, AGAIN = "phase 4", "phase 4, nothing to do"


def microservices(size: Size = Size.FULL) -> t.Iterator[Measurement]:
    """The best of each: whatever else the machine did meanwhile is no part of any."""
    waves = size.of(small=WAVES[:1], full=WAVES)
    services = [service for wave in waves for service in wave]
    limit = size.of(small=("--limit", ",".join((*services, "localhost"))), full=())
    rounds = size.of(small=1, full=3)
    took: dict[str, list[float]] = defaultdict(list)
    with stage() as place:
        place.sandbox("up", "--seed-mb", SEED_MB)
        kubectl = Kubectl(place)
        kubectl.run("scale", "deployment", *services, f"--replicas={REPLICAS}")
        by_hand = {
            ONE_BY_ONE: lambda: [kubectl.roll(service) for service in services],
            IN_WAVES: lambda: [kubectl.roll_at_once(wave) for wave in waves],
            AT_ONCE: lambda: kubectl.roll_at_once(services),
        }
        with place.fault(STARTS_IN):
            for _round in range(rounds):
                for name, act in by_hand.items():
                    kubectl.as_before_the_release(services)
                    took[name].append(seconds(act))
                for product, checkout in products().items():
                    kubectl.as_before_the_release(services)
                    for name in (PHASE, AGAIN):
                        run = place.play("microservices.yml", *limit, checkout=checkout)
                        took[name + product].append(run.seconds)
    best = {name: min(each) for name, each in took.items()}
    yield from told(best, f"best of {rounds}, {len(services)} services of {REPLICAS} pods")


def told(best: dict[str, float], note: str) -> t.Iterator[Measurement]:
    for name in (ONE_BY_ONE, IN_WAVES, AT_ONCE):
        yield Measurement(name, best[name], "s", note=note)
    for product in products():
        phase, again = best[PHASE + product], best[AGAIN + product]
        yield Measurement(PHASE + product, phase, "s", note="the whole run")
        for name, target in ((ONE_BY_ONE, 0.6), (IN_WAVES, None), (AT_ONCE, None)):
            yield Measurement(f"… to {name}", phase / best[name], "ratio", target)
        yield Measurement(AGAIN + product, again, "s", target=8)


def seconds(act: t.Callable[[], object]) -> float:
    began = time.monotonic()
    act()
    return time.monotonic() - began
