"""From a seed to a plan. Each theme brings about what chance alone seldom does."""

import random
import typing as t
from dataclasses import replace

from ..plan import AGAIN, CALL, DIGESTS, KEEPER, MIRRORS, REFUSALS, Fault, Plan
from . import ramps, services, stores
from .actors import DEPLOYED, HOLDERS, SERVICES, reverter

MOUNTED = 0.2
"""How often pods have their flags from a volume."""
CACHED = 0.2
"""How often kubelets learn late of what was written, beside those."""
PROBED = 0.15
"""How often the first service has a liveness probe, and so a soak."""
RECREATED = 0.1
"""How often the first service's pods all end before new ones begin."""
DOWN = 0.08
"""How often the API server is down for a while."""
REVERTED = 0.08
"""How often something holds a service or the flags to what is in Git."""
WEBHOOK = 0.08
"""How often a webhook adds digests to images, and how often else one takes them from a mirror."""
REFUSED = 0.08
"""How often it refuses all calls of one process for a while."""


def plan_of(seed: int) -> Plan:
    """The same to the letter for the same seed."""
    draw = random.Random(f"plan {seed}")
    services = {name: draw.choice((1, 2, 2, 3)) for name in SERVICES[: draw.choice((1, 2, 2, 3))]}
    planned = THEMES[theme_of(seed)](draw, Plan(seed, services, (), ()))
    seldom = draw.random() < RECREATED
    if any(one.script == "ramp" for one in planned.actors) and not planned.metric:
        doubted = draw.random() < 0.3
        planned = replace(planned, metric=ramps.course_of_metric(draw, DEPLOYED) if doubted else ())
    first = tuple(planned.services)[:1] if seldom else ()
    mounted = planned.mounted or draw.random() < MOUNTED
    cached = not mounted and draw.random() < CACHED
    probed = planned.probed or (tuple(planned.services)[:1] if draw.random() < PROBED else ())
    down = not planned.nodes and draw.random() < DOWN
    downtime = (draw.uniform(0.0, 2 * DEPLOYED), draw.choice((3.0, 15.0, 40.0, 100.0, 300.0)))
    if draw.random() < REVERTED:
        planned = replace(planned, actors=(*planned.actors, reverter(draw)))
    refusals = [_refusal(draw, planned)] if draw.random() < REFUSED else []
    resolved, mirrored = draw.random() < WEBHOOK, draw.random() < WEBHOOK
    return replace(
        planned,
        faults=(*planned.faults, *refusals),
        webhook=DIGESTS if resolved else MIRRORS if mirrored else "",
        downtimes=(downtime,) if down else (),
        recreated=planned.recreated or first,
        mounted=mounted,
        cached=cached,
        probed=probed,
    )


def _refusal(draw: random.Random, plan: Plan) -> Fault:
    named = [one.name for one in plan.actors if one.name != AGAIN]
    keepers = [f"{one.name}{KEEPER}" for one in plan.actors if one.script in HOLDERS]
    seconds = draw.choice((0.5, 1.3, 8.0, 60.0, 1000.0))
    nth = draw.randint(1, draw.choice((20, 120)))
    return Fault(draw.choice([*named, *named, *keepers]), draw.choice(REFUSALS), CALL, nth, seconds)


def theme_of(seed: int) -> str:
    if seed % 40 in RARE:
        return RARE[seed % 40]
    return random.Random(f"theme {seed}").choice(WEIGHTED)


Theme = t.Callable[[random.Random, Plan], Plan]
THEMES: t.Mapping[str, Theme] = {
    "any": services.anything,
    "takeover": services.takeover,
    "crowd": services.crowd,
    "again": services.again,
    "ramp": ramps.ramp,
    "releases": services.releases,
    "sick": services.sick,
    "flags": services.flags,
    "blind": services.blind,
    "resumed": services.resumed,
    "losing": services.losing,
    "stores": stores.stores,
    "restores": stores.restores,
    "functions": stores.functions,
    "whole": services.whole,
    "guarded": ramps.guarded,
    "life": services.life,
    "watched": ramps.watched,
    "soaked": services.soaked,
    "followed": services.followed,
}
_RARE = {11: "soaked", 12: "followed", 3: "functions", 4: "whole", 7: "life", 14: "guarded"}
RARE = {
    **_RARE, **{20 + rest: theme for rest, theme in _RARE.items()}, 19: "stores", 39: "restores",
}  # fmt: skip
"""By the rest of a seed by forty: what takes long. The other themes share the other seeds."""
WEIGHTED = ("any", *(one for one in THEMES if one not in RARE.values()))
