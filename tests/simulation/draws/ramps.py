"""Ramps under guards, and releases that watch their metric."""

import random
import typing as t
from dataclasses import replace

from ..plan import (
    CALL,
    CLOCK_JUMPS,
    ERROR,
    KILL_AFTER,
    KILL_BEFORE,
    LOST,
    PAUSE_AFTER,
    PAUSE_BEFORE,
    SLOW,
    WRITE,
    Alert,
    Fault,
    Plan,
)
from .actors import DEPLOYED, STEP, any_actor, any_fault, named_actor, with_actors

_UP: t.Mapping[str, t.Any] = {"wait": 60, "force": False, "percentage": None}


def ramp(draw: random.Random, plan: Plan) -> Plan:
    """A deployment, steps up and down after it, and who comes between."""
    if draw.random() < 0.6:
        return draw.choice((_steady, _steady, _interrupted, _interrupted, _let_go))(draw, plan)
    actors, begins = [named_actor(draw, 0, "deploy")], DEPLOYED
    for number in range(1, draw.choice((3, 4, 5))):
        actors.append(replace(named_actor(draw, number, "ramp"), begins=begins))
        begins += draw.choice((20.0, STEP, STEP, STEP + 30.0))
    disturbing = draw.choice(
        (
            (),
            *(("kill_switch",), ("kill_switch", "reset"), ("lowered",), ("percentage",)),
            *(("unlock",), ("deploy",), ("rollback",), ("freeze",), ("others",)),
        )
    )
    for number, command in enumerate(disturbing, start=len(actors)):
        begins = DEPLOYED + draw.uniform(0.0, 3 * STEP)
        actors.append(replace(named_actor(draw, number, command, force=True), begins=begins))
    faults = [
        any_fault(draw, draw.choice([one.name for one in actors[1:]]))
        for _ in range(draw.choice((0, 0, 1, 2)))
    ]
    return with_actors(plan, actors, faults)


def _steady(draw: random.Random, plan: Plan) -> Plan:
    """Steps that stay until their time, by clocks that are right, of a feature that a release or a hand turned on."""
    first, between, value = draw.choice(
        (
            ("deploy", "", 0.0),
            ("deploy", "", 0.2),
            ("deploy", "unlock", 0.0),
            ("deploy", "off", 0.0),
            ("deploy", "percentage", 0.0),
            ("deploy", "lowered", 0.0),
            ("deploy", "lowered", 0.2),
            ("deploy", "", 0.03),
            ("on", "", 0.0),
        )
    )
    begins = draw.choice((DEPLOYED - 20.0, DEPLOYED))
    actors = [named_actor(draw, 0, first)]
    if between:
        # Who lowers it comes after the watch of the first step, and before the second.
        soonest, latest = (STEP, STEP + 10.0) if between == "lowered" else (-10.0, 50.0)
        at = begins + draw.uniform(soonest, latest)
        other = replace(named_actor(draw, 4, between, force=True), begins=at)
        if between == "lowered":
            other = replace(other, options={"percentage": 0 if value else 1})
        actors.append(other)
    lasts = draw.choice((STEP, 3 * STEP))
    metric = ((begins, begins + lasts, value),)
    for number in range(1, 4):
        ramp = replace(named_actor(draw, number, "ramp"), begins=begins, options=_UP)
        actors.append(ramp)
        begins += STEP + (30.0 if between == "lowered" else 0.0)
    planned = with_actors(plan, [replace(one, ahead=0.0) for one in actors], [])
    return replace(planned, metric=metric)


def _interrupted(draw: random.Random, plan: Plan) -> Plan:
    """A step whose watch is cut off, stands still or does not see, and who goes on with it."""
    if draw.random() < 0.15:
        return _set_again(draw, plan)
    actors, begins = [named_actor(draw, 0, "deploy")], DEPLOYED
    for number in range(1, draw.choice((3, 4))):
        ramp = replace(named_actor(draw, number, "ramp"), begins=begins, options=_UP)
        actors.append(replace(ramp, resumes=draw.choice((1.0, 1.0, 10.0, 30.0))))
        begins += draw.choice((20.0, STEP, STEP + 30.0))
    lasting = {PAUSE_BEFORE: (4.0, 10.0, 20.0), PAUSE_AFTER: (4.0, 10.0, 20.0), SLOW: (20.0,)}
    faults = []
    for _ in range(draw.choice((1, 1, 2, 3))):
        kind = draw.choice((KILL_AFTER, KILL_AFTER, KILL_BEFORE, LOST, ERROR, *lasting))
        seconds = draw.choice(lasting.get(kind, (0.0,)))
        of, first, last = draw.choice(((CALL, 34, 70), (WRITE, 6, 24)))
        faults.append(Fault("ramp-1", kind, of, draw.randint(first, last), seconds))
    return replace(with_actors(plan, actors, faults), metric=course_of_metric(draw, DEPLOYED))


def _set_again(draw: random.Random, plan: Plan) -> Plan:
    """A step whose watch stands still until others have gone down and come back to it, and the metric is in doubt."""
    commands = (("deploy", 0.0), ("ramp", DEPLOYED), ("unlock", 130.0), ("lowered", 132.0))
    commands += (("ramp", 140.0), ("ramp", 200.0), ("ramp", 400.0))
    actors = []
    for number, (command, begins) in enumerate(commands):
        actor = named_actor(draw, number, command, force=command == "unlock")
        options = {"ramp": _UP, "lowered": {"percentage": 1}}.get(command, actor.options)
        actors.append(replace(actor, begins=begins, options=options, ahead=0.0))
    stands = Fault("ramp-1", PAUSE_AFTER, WRITE, draw.randint(6, 12), 200.0)
    doubt = (draw.uniform(260.0, 300.0), 500.0, draw.choice((0.0, 0.03, 0.2)))
    return replace(with_actors(plan, actors, [stands]), metric=(doubt,))


def _let_go(draw: random.Random, plan: Plan) -> Plan:
    """A release, watched or not, steps in doubt, and a person whose command comes again out of the shell's history."""
    ramps = [named_actor(draw, number, "ramp") for number in (1, 2)]
    begins, actors = DEPLOYED, [named_actor(draw, 0, "deploy")]
    watched = draw.random() < 0.2
    if watched:
        begins += DEPLOYED
    for ramp in ramps:
        options = {**_UP, "release": draw.random() < 0.7}
        often = replace(ramp, begins=begins, options=options, times=draw.choice((1, 3, 4)))
        actors.append(replace(often, every=draw.choice((STEP, STEP, 2 * STEP)), resumes=0.0))
        begins += draw.choice((20.0, STEP))
    value = draw.choice((0.03, 0.03, 0.03, 0.2, None))
    from_when = begins + draw.uniform(-STEP, STEP)
    metric = ((from_when, from_when + draw.choice((STEP, 4 * STEP)), value),)
    faults = []
    if draw.random() < 0.3:
        faults = [any_fault(draw, draw.choice(ramps).name)]
    return replace(with_actors(plan, actors, faults), metric=metric, watched=watched)


def course_of_metric(
    draw: random.Random, at: float
) -> tuple[tuple[float, float, float | None], ...]:
    """Of a metric: good, doubtful, a breach or not to be had."""
    metric: list[tuple[float, float, float | None]] = []
    for value in draw.choices((0.0, 0.03, 0.03, 0.2, None), k=draw.choice((0, 1, 2, 3, 4))):
        at += draw.choice((0.0, 20.0, draw.uniform(30.0, 120.0)))
        lasts = draw.choice((8.0, 15.0, 45.0, draw.uniform(50.0, 400.0)))
        metric.append((at, at + lasts, value))
        at += lasts
    return tuple(metric)


def guarded(draw: random.Random, plan: Plan) -> Plan:
    """A ramp under guards that look in turn, with alerts that come and go, and who else lets users in or out."""
    kind = draw.random()
    if kind < 0.4:
        return _flapping(draw, plan) if kind < 0.3 else _begun_anew(draw, plan)
    actors = [replace(named_actor(draw, 0, "deploy"), options={"wait": 0})]
    begins = DEPLOYED
    for number in range(1, draw.choice((2, 3, 4))):
        actors.append(replace(named_actor(draw, number, "ramp"), begins=begins))
        begins += draw.choice((STEP, STEP + 30.0, 300.0))
    for _guard in range(draw.choice((1, 2, 2))):
        looking = any_actor(draw, len(actors), "guard")
        actors.append(
            replace(
                looking,
                begins=draw.uniform(40.0, 120.0),
                times=draw.choice((8, 12)),
                every=draw.choice((20.0, 55.0)),
            )
        )
    others = ((), (), ("kill_switch",), ("reset",), ("rollback",), ("lowered",), ("deploy",))
    for command in draw.choice(others):
        begins = draw.uniform(DEPLOYED, 600.0)
        actors.append(replace(named_actor(draw, len(actors), command), begins=begins))
    calls = [("ErrorRate", "step_down"), ("Latency", "step_down"), ("Down", "kill_switch")]
    alerts = tuple(
        Alert(name, calls_for, _spans(draw))
        for name, calls_for in calls
        if name == "ErrorRate" or draw.random() < 0.35
    )
    names = [one.name for one in actors]
    faults = [any_fault(draw, draw.choice(names)) for _ in range(draw.choice((0, 0, 1, 2, 4)))]
    metric = course_of_metric(draw, DEPLOYED) if draw.random() < 0.4 else ()
    return replace(with_actors(plan, actors, faults), alerts=alerts, metric=metric)


def _begun_anew(draw: random.Random, plan: Plan) -> Plan:
    """Flags that a release sets once more, for somebody changed one; before or after it the guard goes a step back."""
    watched, raised = draw.random() < 0.5, draw.random() < 0.6
    begins = (2 * DEPLOYED if watched else DEPLOYED) + STEP
    commands = [("deploy", 0.0), *((("ramp", begins),) if raised else ())]
    begins += 2 * STEP
    commands += [("off", begins), (draw.choice(("flags", "deploy")), begins + 5.0)]
    begins += draw.uniform(20.0, 2 * STEP)
    commands += [("guard", begins - STEP), *(("ramp", begins + at) for at in (10.0, 120.0, 250.0))]
    actors = []
    for number, (command, at) in enumerate(commands):
        actor = replace(named_actor(draw, number, command), begins=at, ahead=0.0)
        options = {"ramp": _UP, "guard": {}}.get(command, actor.options)
        often = {"times": 20, "every": 20.0} if command == "guard" else {}
        actors.append(replace(actor, options=options, **often))
    span = begins - draw.choice((5.0, 40.0)), begins + 60.0
    by_metric = draw.random() < 0.3
    metric = ((begins - 90.0, begins + 60.0, 0.2),) if by_metric else ()
    alerts = (Alert("ErrorRate", "step_down", (span,)),) if raised and not by_metric else ()
    planned = with_actors(plan, actors, ())
    return replace(planned, alerts=alerts, watched=watched, metric=metric)


def _flapping(draw: random.Random, plan: Plan) -> Plan:
    """An alert that is gone for less than it takes to have ended, or is not seen for longer; clocks that differ."""
    actors = [replace(named_actor(draw, 0, "deploy"), options={"wait": 0})]
    for number in (1, 2):
        ramp = replace(named_actor(draw, number, "ramp"), begins=DEPLOYED + (number - 1) * STEP)
        actors.append(replace(ramp, options=_UP))
    begin, blind, faults = draw.uniform(3 * STEP, 4 * STEP), (0.0, 0.0), []
    spans = [(begin, begin + 150.0), (begin + 210.0, begin + 500.0)]
    kind = draw.choice(("clocks", "jump", "blind", "killed"))
    guards = [DEPLOYED + draw.uniform(0.0, 55.0), DEPLOYED + draw.uniform(0.0, 55.0)]
    if kind == "jump":
        faults = [Fault("guard-3", CLOCK_JUMPS, CALL, draw.randint(60, 140), 3600.0)]
    elif kind == "blind":
        spans, blind = [(begin, begin + 700.0)], (begin + 130.0, begin + 400.0)
    elif kind == "killed":
        # Right after its first act, so that nothing but the act is left of it.
        spans = [(begin, begin + 25.0), (begin + 400.0, begin + 700.0)]
        guards, faults = [begin + 2.0], [Fault("guard-3", KILL_AFTER, WRITE, 1)]
    for number, begins in enumerate(guards, start=3):
        ahead = 3600.0 if (kind, number) == ("clocks", 4) else 0.0
        looking = replace(named_actor(draw, number, "guard"), begins=begins, ahead=ahead, rate=1.0)
        actors.append(replace(looking, times=30, every=25.0))
    alerts = [Alert("ErrorRate", "step_down", tuple(spans))]
    if kind != "killed" and draw.random() < 0.5:
        at = begin + draw.uniform(20.0, 100.0)
        alerts.append(Alert("Latency", "step_down", ((at, at + 300.0),)))
    actors = [replace(one, ahead=one.ahead if one.script == "guard" else 0.0) for one in actors]
    return replace(with_actors(plan, actors, faults), alerts=tuple(alerts), blind=blind)


def _spiking(draw: random.Random, plan: Plan) -> Plan:
    """A hold that a person approves, and every other look finds a breach that is gone at the next one."""
    approval = replace(named_actor(draw, 1, "approve"), begins=draw.uniform(150.0, 260.0))
    period, spike = 20.0, draw.choice((6.0, 9.0))
    metric = [
        (at + begin, at + end, value)
        for at in (period * number for number in range(25))
        for begin, end, value in ((0.0, period - spike, 0.03), (period - spike, period, 0.2))
    ]
    planned = with_actors(plan, [named_actor(draw, 0, "deploy"), approval], [])
    return replace(planned, metric=tuple(metric), watched=True)


def watched(draw: random.Random, plan: Plan) -> Plan:
    """A release that watches its metric: good, doubtful, a breach or not to be had. People decide of its hold."""
    if draw.random() < 0.15:
        return _spiking(draw, plan)
    commands = draw.choice(
        (
            *((), (), ("deploy",), ("approve",), ("reject",), ("approve", "deploy")),
            *(("approve", "reject"), ("approve", "approve", "deploy"), ("reject", "deploy")),
            *(("kill_switch",), ("kill_switch", "reset", "deploy"), ("rollback",), ("unlock",)),
        )
    )
    actors, begins = [named_actor(draw, 0, "deploy")], draw.uniform(60.0, 300.0)
    for number, command in enumerate(commands, start=1):
        actors.append(replace(named_actor(draw, number, command), begins=begins))
        begins += draw.choice((5.0, 30.0, draw.uniform(10.0, 300.0)))
    metric = course_of_metric(draw, 0.0)
    dark = draw.uniform(0.0, 200.0)
    blind = (dark, dark + draw.choice((15.0, 60.0, 300.0))) if draw.random() < 0.3 else (0.0, 0.0)
    names = [one.name for one in actors]
    faults = [any_fault(draw, draw.choice(names)) for _ in range(draw.choice((0, 0, 1, 2, 4)))]
    if draw.random() < 0.4:
        kind, seconds = draw.choice(((KILL_AFTER, 0.0), (KILL_AFTER, 0.0), (PAUSE_AFTER, 60.0)))
        faults.append(Fault("deploy-0", kind, WRITE, draw.randint(12, 40), seconds))
    planned = with_actors(plan, actors, faults)
    return replace(planned, metric=metric, watched=True, blind=blind)


def _spans(draw: random.Random) -> tuple[tuple[float, float], ...]:
    found: list[tuple[float, float]] = []
    begin = draw.uniform(DEPLOYED, 500.0)
    for _flap in range(draw.choice((1, 1, 2, 3))):
        end = begin + draw.choice((20.0, 90.0, 300.0, 600.0))
        found.append((begin, end))
        begin = end + draw.choice((15.0, 60.0, 200.0, 400.0))
    return tuple(found)
