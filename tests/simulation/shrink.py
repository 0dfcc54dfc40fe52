"""From a run that broke something to the smallest one that still does: fewer actors, fewer faults, plainer clocks."""

import time
import typing as t
from dataclasses import replace

from .plan import Plan

Breaks = t.Callable[[Plan], bool]


def shrink(plan: Plan, breaks: Breaks, *, seconds: float = 60.0) -> Plan:
    """The smallest that was found within so many seconds of work."""
    end = time.process_time() + seconds
    smaller: Plan | None = plan
    while smaller is not None:
        plan = smaller
        smaller = next(
            (one for one in _smaller(plan) if time.process_time() < end and breaks(one)), None
        )
    return plan


def _smaller(plan: Plan) -> t.Iterator[Plan]:
    """Each a little less, what helps a reader most first."""
    for actor in plan.actors:
        yield plan.without_actor(actor)
    for fault in plan.faults:
        yield plan.without(fault)
    if plan.downtimes:
        yield replace(plan, downtimes=())
    if plan.bad_images:
        yield replace(plan, bad_images={})
    for name in [*plan.services][1:]:
        left = {one: replicas for one, replicas in plan.services.items() if one != name}
        bad = {one: why for one, why in plan.bad_images.items() if one != name}
        yield replace(plan, services=left, bad_images=bad)
    for at, actor in enumerate(plan.actors):
        for plainer in (
            replace(actor, rate=1.0),
            replace(actor, ahead=0.0),
            replace(actor, resumes=0.0),
        ):
            if plainer != actor:
                actors = (*plan.actors[:at], plainer, *plan.actors[at + 1 :])
                yield replace(plan, actors=actors)
