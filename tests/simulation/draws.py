# SPDX-License-Identifier: GPL-3.0-or-later
"""From a seed to a plan. Each theme brings about what chance alone seldom does."""

from __future__ import annotations

import random
import typing as t
from dataclasses import replace
from itertools import islice

from .nodes import NAMES as NODES
from .plan import (
    AGAIN,
    ANSWER_LOST,
    AT_CALLS,
    AT_LAST,
    AT_WATCHES,
    CALL,
    CLOCK_JUMPS,
    CONFLICT,
    ERROR,
    ERROR_DONE,
    EXEC,
    KEEPER,
    KILL_AFTER,
    KILL_BEFORE,
    LATE,
    LOST,
    MACHINE_LOST,
    MILD,
    MOST_FAULTS,
    PAUSE_AFTER,
    PAUSE_BEFORE,
    SLOW,
    THROTTLED,
    WATCH,
    WATCH_ENDS,
    WATCH_GONE,
    WATCH_LAGS,
    WATCH_SKIPS,
    WRITE,
    Actor,
    Alert,
    Fault,
    Outage,
    Plan,
)
from .platform import NEXT, VERSION

HOLDERS = ("deploy", "rollback", "ramp")
SCRIPTS = ("deploy", "rollback", "kill_switch", "ramp", "reset", "unlock", "kubectl")
BAD = ("crashes", "never-ready", "absent", "slow")
SERVICES = (
    *("agent-core", "wallet", "orders", "gateway", "catalog", "payments"),
    *("search", "media", "notifier", "reports", "users", "webhooks"),
)
DEPLOYED = 90.0
"""Seconds after which a deployment that nothing disturbed is over, most of the time."""
RECREATED = 0.05
"""How often the first service's pods all end before new ones begin."""
STEP = 75.0
"""Seconds that a step of the ramp takes, with its watch."""


def plan_of(seed: int) -> Plan:
    """The same to the letter for the same seed."""
    draw = random.Random(f"plan {seed}")
    services = {name: draw.choice((1, 2, 2, 3)) for name in SERVICES[: draw.choice((1, 2, 2, 3))]}
    planned = THEMES[theme_of(seed)](draw, Plan(seed, services, (), ()))
    seldom = draw.random() < RECREATED
    if any(one.script == "ramp" for one in planned.actors) and not planned.metric:
        doubted = draw.random() < 0.3
        planned = replace(planned, metric=_course(draw, DEPLOYED) if doubted else ())
    first = tuple(planned.services)[:1] if seldom else ()
    return replace(planned, recreated=planned.recreated or first)


def theme_of(seed: int) -> str:
    if seed % 40 in RARE:
        return RARE[seed % 40]
    return random.Random(f"theme {seed}").choice(WEIGHTED)


def other_faults(
    draw: random.Random,
    plan: Plan,
    counts: t.Mapping[tuple[str, str], int],
    acting: t.Sequence[str],
) -> Plan:
    """Others for those that are not due yet, by what each process has called, and at least one: of those who act."""
    past = [one for one in plan.faults if one.nth <= counts.get((one.actor, one.of), 0)]
    names = [one for one in acting if one != AGAIN]
    coming = []
    for _ in range(max(len(plan.faults) - len(past), 1) if names else 0):
        fault = _fault(draw, draw.choice(names))
        nth = counts.get((fault.actor, fault.of), 0) + draw.randint(1, fault.nth)
        coming.append(replace(fault, nth=nth))
    return replace(plan, faults=(*past, *coming))


def _any(draw: random.Random, plan: Plan) -> Plan:
    """A deployment first, up to three others in its way, and whatever may befall them."""
    scripts = ["deploy", *(draw.choice(SCRIPTS) for _ in range(draw.choice((0, 1, 1, 2, 2, 3))))]
    actors = [_actor(draw, number, script) for number, script in enumerate(scripts)]
    names = [one.name for one in actors]
    keepers = [f"{one.name}{KEEPER}" for one in actors if one.script in HOLDERS]
    faults = [
        _fault(draw, draw.choice([*names, *names, *names, *keepers]))
        for _ in range(draw.choice((0, 1, 2, 3, 5, 7, MOST_FAULTS)))
    ]
    return _with(plan, actors, faults, bad=_bad(draw, plan, 0.3))


def _takeover(draw: random.Random, plan: Plan) -> Plan:
    """A run that stands still at some write, or is long about it, and others who come meanwhile."""
    first = _actor(draw, 0, draw.choice(("deploy", "deploy", "deploy", "rollback", "ramp")))
    before = []
    if first.script != "deploy":
        before = [_named(draw, 9, "deploy")]
        first = replace(first, begins=DEPLOYED)
    others = [
        replace(
            _actor(draw, number, draw.choice(("rollback", "deploy", "deploy", "unlock", "ramp"))),
            begins=first.begins + draw.uniform(0.0, 60.0),
        )
        for number in range(1, draw.choice((2, 2, 3)))
    ]
    for at, one in enumerate(others):
        if one.script in ("deploy", "ramp"):
            patient = {**one.options, "wait": 600, "force": draw.random() < 0.5}
            others[at] = replace(one, options=patient)
    if draw.random() < 0.3:
        return _patient(draw, plan)
    kind = draw.choice((PAUSE_BEFORE, PAUSE_AFTER, LATE, KILL_AFTER, MACHINE_LOST))
    seconds = draw.choice((20.0, 60.0, 200.0, 400.0)) if kind != KILL_AFTER else 0.0
    stands = Fault(first.name, kind, WRITE, draw.randint(1, 12), seconds)
    keeper = Fault(f"{first.name}{KEEPER}", PAUSE_AFTER, WRITE, draw.randint(1, 2), 400.0)
    faults = [stands, *([keeper] if draw.random() < 0.5 else [])]
    return _with(plan, [*before, first, *others], faults, bad=_bad(draw, plan, 0.3))


def _patient(draw: random.Random, plan: Plan) -> Plan:
    """One whose pods do not start for longer than the lock lasts, and who wait for it."""
    first = replace(_named(draw, 0, "deploy"), resumes=0.0)
    second = replace(_named(draw, 1, "deploy"), begins=draw.uniform(2.0, 30.0))
    second = replace(second, options={"wait": 600, "force": False})
    keeper, kind = f"{first.name}{KEEPER}", draw.choice((LOST, ERROR, THROTTLED, SLOW, SLOW))
    faults = [Fault(keeper, kind, CALL, draw.randint(1, 8), 20.0)] if draw.random() < 0.6 else []
    service = next(iter(plan.services))
    planned = _with(plan, [first, second], faults, bad={service: "never-ready"})
    return replace(planned, recreated=(service,) if draw.random() < 0.3 else ())


def _crowd(draw: random.Random, plan: Plan) -> Plan:
    """Several at the same moment, in a cluster in which nothing goes wrong."""
    begins = draw.choice((0.0, draw.uniform(0, 3), draw.uniform(0, 60)))
    scripts = [draw.choice(("deploy", *SCRIPTS)) for _ in range(draw.choice((2, 3, 3)))]
    crowd = [
        replace(_actor(draw, number, script), begins=begins + draw.uniform(0.0, 3.0))
        for number, script in enumerate(scripts, start=1)
    ]
    return _with(plan, [_actor(draw, 0, "deploy"), *crowd], [], bad=_bad(draw, plan, 0.3))


def _again(draw: random.Random, plan: Plan) -> Plan:
    """One command after the other: of attempts, hotfixes between them, and ways back. Seldom does anything go wrong."""
    one = draw.random()
    if one < 0.25:
        return _one_call(draw, plan) if one < 0.1 else _hotfixed(draw, plan)
    commands = draw.choice(
        (
            ("deploy", "deploy"),
            ("deploy", "rollback", "deploy"),
            ("deploy", "rollback", "deploy", "rollback"),
            ("deploy", "rollback", "rollback"),
            ("deploy", "hotfix", "rollback"),
            ("hotfix", "deploy", "rollback"),
            ("newer", "deploy"),
            ("deploy", "rollback", "hotfix", "deploy", "rollback"),
            ("deploy", "kill_switch", "reset", "deploy"),
            ("deploy", "kill_switch", "deploy"),
            ("deploy", "paused", "rollback"),
            ("freeze", "deploy", "rollback"),
            ("flags", "deploy"),
            ("deploy", "flags", "ramp"),
            ("lock", "deploy", "unlock"),
            ("lock", "rollback"),
            ("lock", "deploy", "asks"),
            ("scaled", "deploy"),
            ("deploy", "lease", "deploy", "rollback"),
            ("bad", "deploy", "hotfix", "deploy", "rollback"),
            ("bad", "deploy", "flags"),
            ("deploy", "kill_switch", "rollback", "deploy"),
            ("deploy", "rollback", "deploy", "rollback", "deploy"),
            ("on", "deploy", "rollback"),
            ("on", "deploy", "rollback", "deploy"),
            ("labels", "deploy"),
            ("labels", "deploy", "labels", "rollback"),
        )
    )
    bad = _bad(draw, plan, float(commands[0] == "bad"))
    actors, begins = [], 0.0
    for number, command in enumerate(one for one in commands if one != "bad"):
        actor = _named(draw, number, command)
        actors.append(replace(actor, begins=begins))
        begins += 5.0 if actor.script == "kubectl" else draw.choice((DEPLOYED, 400.0))
    faults = [
        _fault(draw, draw.choice([one.name for one in actors]))
        for _ in range(draw.choice((0, 0, 0, 1, 2)))
    ]
    return _with(plan, actors, faults, bad=bad)


def _one_call(draw: random.Random, plan: Plan) -> Plan:
    """A deployment and its way back, of which one call fails once: refused or lost, before or after it took effect."""
    actors = [_named(draw, 0, "deploy"), replace(_named(draw, 1, "rollback"), begins=DEPLOYED)]
    whose, kind = draw.choice(actors).name, draw.choice(sorted(MILD))
    of, last = draw.choice(((WRITE, 12), (WRITE, 12), (CALL, 80), (EXEC, 6)))
    return _with(plan, actors, [Fault(whose, kind, of, draw.randint(1, last))])


def _hotfixed(draw: random.Random, plan: Plan) -> Plan:
    """An image by hand over that of the release, or over what it went back to, and the next command after it."""
    commands = draw.choice(
        (("deploy", "hotfix", "rollback"), ("deploy", "rollback", "hotfix", "deploy"))
    )
    actors = [_named(draw, number, command) for number, command in enumerate(commands)]
    begins = [DEPLOYED * number for number in range(len(actors))]
    return _with(
        plan, [replace(one, begins=at) for one, at in zip(actors, begins, strict=True)], []
    )


def _releases(draw: random.Random, plan: Plan) -> Plan:
    """Two releases, the second begun after the first, beside it or over what it left, and ways back of either."""
    first, second = {"version": VERSION}, {"version": NEXT}
    commands: t.Sequence[tuple[str, t.Mapping[str, t.Any]]] = draw.choice(
        (
            (("deploy", first), ("deploy", second)),
            (("deploy", first), ("deploy", second), ("rollback", second)),
            (("deploy", first), ("deploy", second), ("rollback", first)),
            (("deploy", first), ("deploy", second), ("rollback", second), ("rollback", first)),
            (("deploy", first), ("deploy", second), ("rollback", first), ("rollback", second)),
            (("deploy", first), ("rollback", first), ("deploy", second), ("rollback", second)),
            (("deploy", first), ("deploy", second), ("deploy", first)),
            (("deploy", second), ("deploy", first), ("rollback", first)),
        )
    )
    signed = draw.random() < 0.6
    actors, begins = [], 0.0
    for number, (script, about) in enumerate(commands):
        actor = _named(draw, number, script)
        named = draw.random() < (0.2 if script == "rollback" else 0.7)
        options = {**actor.options, **about, "signs_off": signed, "supersedes": named}
        actors.append(replace(actor, begins=begins, options=options))
        begins += draw.choice((10.0, 40.0, DEPLOYED, 400.0))
    names = [one.name for one in actors]
    faults = [_fault(draw, draw.choice(names)) for _ in range(draw.choice((0, 0, 1, 2, 4)))]
    return _with(plan, actors, faults, bad=_bad(draw, plan, 0.2))


def _ramp(draw: random.Random, plan: Plan) -> Plan:
    """A deployment, steps up and down after it, and who comes between."""
    if draw.random() < 0.6:
        return draw.choice((_steady, _steady, _interrupted, _interrupted, _let_go))(draw, plan)
    actors, begins = [_named(draw, 0, "deploy")], DEPLOYED
    for number in range(1, draw.choice((3, 4, 5))):
        actors.append(replace(_named(draw, number, "ramp"), begins=begins))
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
        actors.append(replace(_named(draw, number, command, force=True), begins=begins))
    faults = [
        _fault(draw, draw.choice([one.name for one in actors[1:]]))
        for _ in range(draw.choice((0, 0, 1, 2)))
    ]
    return _with(plan, actors, faults)


def _steady(draw: random.Random, plan: Plan) -> Plan:
    """Steps that nobody lets go of, by clocks that are right, of a feature that a release or a hand turned on."""
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
    actors = [_named(draw, 0, first)]
    if between:
        # Who lowers it comes after the watch of the first step, and before the second.
        soonest, latest = (STEP, STEP + 10.0) if between == "lowered" else (-10.0, 50.0)
        at = begins + draw.uniform(soonest, latest)
        other = replace(_named(draw, 4, between, force=True), begins=at)
        if between == "lowered":
            other = replace(other, options={"percentage": 0 if value else 1})
        actors.append(other)
    lasts = draw.choice((STEP, 3 * STEP))
    metric = ((begins, begins + lasts, value),)
    for number in range(1, 4):
        ramp = replace(_named(draw, number, "ramp"), begins=begins, options=_UP)
        actors.append(ramp)
        begins += STEP + (30.0 if between == "lowered" else 0.0)
    planned = _with(plan, [replace(one, ahead=0.0) for one in actors], [])
    return replace(planned, metric=metric)


_UP: t.Mapping[str, t.Any] = {"wait": 60, "force": False, "percentage": None}


def _interrupted(draw: random.Random, plan: Plan) -> Plan:
    """A step whose watch is cut off, stands still or does not see, and who goes on with it."""
    if draw.random() < 0.15:
        return _set_again(draw, plan)
    actors, begins = [_named(draw, 0, "deploy")], DEPLOYED
    for number in range(1, draw.choice((3, 4))):
        ramp = replace(_named(draw, number, "ramp"), begins=begins, options=_UP)
        actors.append(replace(ramp, resumes=draw.choice((1.0, 1.0, 10.0, 30.0))))
        begins += draw.choice((20.0, STEP, STEP + 30.0))
    lasting = {PAUSE_BEFORE: (4.0, 10.0, 20.0), PAUSE_AFTER: (4.0, 10.0, 20.0), SLOW: (20.0,)}
    faults = []
    for _ in range(draw.choice((1, 1, 2, 3))):
        kind = draw.choice((KILL_AFTER, KILL_AFTER, KILL_BEFORE, LOST, ERROR, *lasting))
        seconds = draw.choice(lasting.get(kind, (0.0,)))
        of, first, last = draw.choice(((CALL, 34, 70), (WRITE, 6, 24)))
        faults.append(Fault("ramp-1", kind, of, draw.randint(first, last), seconds))
    return replace(_with(plan, actors, faults), metric=_course(draw, DEPLOYED))


def _set_again(draw: random.Random, plan: Plan) -> Plan:
    """A step whose watch stands still until others have gone down and come back to it, and the metric is in doubt."""
    commands = (("deploy", 0.0), ("ramp", DEPLOYED), ("unlock", 130.0), ("lowered", 132.0))
    commands += (("ramp", 140.0), ("ramp", 200.0), ("ramp", 400.0))
    actors = []
    for number, (command, begins) in enumerate(commands):
        actor = _named(draw, number, command, force=command == "unlock")
        options = {"ramp": _UP, "lowered": {"percentage": 1}}.get(command, actor.options)
        actors.append(replace(actor, begins=begins, options=options, ahead=0.0))
    stands = Fault("ramp-1", PAUSE_AFTER, WRITE, draw.randint(6, 12), 200.0)
    doubt = (draw.uniform(260.0, 300.0), 500.0, draw.choice((0.0, 0.03, 0.2)))
    return replace(_with(plan, actors, [stands]), metric=(doubt,))


def _let_go(draw: random.Random, plan: Plan) -> Plan:
    """A release, watched or not, steps in doubt, and a person whose command comes again out of the shell's history."""
    ramps = [_named(draw, number, "ramp") for number in (1, 2)]
    begins, actors = DEPLOYED, [_named(draw, 0, "deploy")]
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
        faults = [_fault(draw, draw.choice(ramps).name)]
    return replace(_with(plan, actors, faults), metric=metric, watched=watched)


def _course(draw: random.Random, at: float) -> tuple[tuple[float, float, float | None], ...]:
    """Of a metric: good, doubtful, a breach or not to be had."""
    metric: list[tuple[float, float, float | None]] = []
    for value in draw.choices((0.0, 0.03, 0.03, 0.2, None), k=draw.choice((0, 1, 2, 3, 4))):
        at += draw.choice((0.0, 20.0, draw.uniform(30.0, 120.0)))
        lasts = draw.choice((8.0, 15.0, 45.0, draw.uniform(50.0, 400.0)))
        metric.append((at, at + lasts, value))
        at += lasts
    return tuple(metric)


def _sick(draw: random.Random, plan: Plan) -> Plan:
    """A kill switch where a rollout does not bring it: paused, a bad image, pods that say nothing."""
    ill = draw.choice(("paused", "paused", "bad", "deaf", "deaf and paused", "slow"))
    actors = [replace(_named(draw, 0, "deploy"), resumes=0.0)]
    if "paused" in ill:
        actors.append(replace(_named(draw, 1, "paused"), begins=DEPLOYED - 10.0))
    begins = draw.uniform(2.0, DEPLOYED) if ill == "bad" else draw.uniform(20.0, 2 * DEPLOYED)
    last = draw.choice(("kill_switch", "kill_switch", "rollback"))
    actors.append(replace(_named(draw, len(actors), last), begins=begins))
    if draw.random() < 0.3:
        actors.append(
            replace(_named(draw, len(actors), "kill_switch"), begins=begins + draw.uniform(0, 60))
        )
    first, faults = next(iter(plan.services)), []
    if draw.random() < 0.3:
        # Right after it has ended a pod.
        actors[-1] = replace(actors[-1], resumes=1.0)
        faults = [Fault(actors[-1].name, KILL_AFTER, WRITE, draw.randint(2, 4))]
    return replace(
        _with(plan, actors, faults),
        bad_images={first: draw.choice(BAD)} if ill == "bad" else {},
        deaf=(first,) if "deaf" in ill else (),
        controllers=draw.choice((5.0, 20.0)) if ill == "slow" else 0.0,
    )


def _flags(draw: random.Random, plan: Plan) -> Plan:
    """All who write flags and record, at the same moment and again and again."""
    if draw.random() < 0.3:
        return _few_writers(draw, plan)
    commands = ["kill_switch", "kill_switch", "reset", "lowered", "others", "labels", "rollback"]
    begins = draw.uniform(0.0, DEPLOYED + 30.0)
    actors = [_named(draw, 0, "deploy")]
    for number in range(1, draw.choice((3, 4, 5))):
        actor = _named(draw, number, draw.choice(commands))
        actors.append(replace(actor, begins=begins + draw.uniform(0.0, 4.0)))
    faults = []
    if draw.random() < 0.4:
        kind = draw.choice((ANSWER_LOST, SLOW, CONFLICT, ERROR_DONE, KILL_AFTER, PAUSE_BEFORE))
        writer = draw.choice(actors).name
        faults = [Fault(writer, kind, WRITE, draw.randint(1, 6), draw.choice((2.0, 8.0)))]
    return _with(plan, actors, faults)


def _few_writers(draw: random.Random, plan: Plan) -> Plan:
    """A write of flags that took effect and is answered with a conflict, or what they say undone before pods start."""
    deploy = replace(_named(draw, 0, "deploy"), resumes=0.0, rate=1.0)
    if draw.random() < 0.5:
        off = replace(_named(draw, 1, "off"), begins=draw.uniform(8.0, 45.0))
        return _with(plan, [deploy, off], [])
    # As many as come before the flags: lock, phase and its services, and the next phase; on the way back the switch.
    rollback = replace(_named(draw, 1, "rollback"), begins=DEPLOYED)
    first = 7 + len(plan.services)
    whose, nth = draw.choice(((deploy, draw.randint(first - 1, first + 1)), (rollback, 8)))
    nth = nth if whose is deploy else draw.randint(6, 10)
    return _with(plan, [deploy, rollback], [Fault(whose.name, CONFLICT, WRITE, nth)])


def _blind(draw: random.Random, plan: Plan) -> Plan:
    """Watches that tell late or nothing, while somebody changes what they would tell of."""
    first = _named(draw, 0, "deploy")
    actors = [first]
    for number in range(1, draw.choice((2, 3, 3))):
        command = draw.choice(
            ("hotfix", "hotfix", "hotfix", "paused", "rollback", "kill_switch", "scaled")
        )
        actors.append(
            replace(_named(draw, number, command), begins=draw.uniform(6.0, DEPLOYED / 2))
        )
    kind = draw.choice((WATCH_LAGS, WATCH_LAGS, WATCH_SKIPS, WATCH_ENDS, WATCH_GONE))
    seconds = draw.choice((4.0, 8.0, 12.0, 15.0))
    faults = [Fault(first.name, kind, WATCH, nth, seconds) for nth in range(1, 13)]
    return _with(plan, actors, faults, bad=_bad(draw, plan, 0.2))


def _resumed(draw: random.Random, plan: Plan) -> Plan:
    """Killed and begun again at once, also while the controllers have not seen yet what was written."""
    script = draw.choice(("deploy", "deploy", "deploy", "rollback", "ramp", "kill_switch"))
    actors = [_named(draw, 0, "deploy")]
    if script != "deploy":
        actors.append(replace(_named(draw, 1, script), begins=DEPLOYED))
    actors[-1] = replace(actors[-1], resumes=draw.choice((0.1, 0.1, 1.0, 30.0)))
    kinds = (KILL_AFTER, KILL_AFTER, KILL_BEFORE, ANSWER_LOST, ERROR_DONE)
    faults = [
        Fault(
            actors[-1].name, draw.choice(kinds), WRITE, draw.choice((4, 5, 6, draw.randint(1, 16)))
        )
        for _ in range(draw.choice((1, 1, 2, 3)))
    ]
    lag = draw.choice((0.0, 5.0, 20.0))
    return replace(_with(plan, actors, faults, bad=_bad(draw, plan, 0.2)), controllers=lag)


def _losing(draw: random.Random, plan: Plan) -> Plan:
    """A run whose lock is taken while it waits for its pods, and who took it comes to the same services."""
    if draw.random() < 0.2:
        return _stopped(draw, plan)
    first = replace(_named(draw, 0, draw.choice(("deploy", "deploy", "rollback"))), resumes=0.0)
    actors = [first]
    if first.script == "rollback":
        actors = [_named(draw, 0, "deploy"), replace(first, name="rollback-1", begins=DEPLOYED)]
    losing = actors[-1]
    takes = draw.choice(("unlock", "unlock", "asks", "deploy", "deploy", "rollback", "freeze"))
    begins = losing.begins + draw.uniform(1.0, DEPLOYED / 2)
    if draw.random() < 0.4:
        return _overtaken(
            draw, plan, [*actors, replace(_named(draw, 9, "rollback"), begins=begins)]
        )
    actors.append(replace(_named(draw, len(actors), takes, force=True), begins=begins))
    if takes == "unlock" or draw.random() < 0.3:
        after = draw.choice(("deploy", "rollback"))
        actors.append(
            replace(_named(draw, len(actors), after), begins=begins + draw.uniform(1.0, 60.0))
        )
    faults = []
    if draw.random() < 0.5:
        kind = draw.choice((PAUSE_BEFORE, PAUSE_BEFORE, PAUSE_AFTER, LATE))
        pause = draw.choice((4.0, 20.0, 60.0))
        faults = [Fault(losing.name, kind, WRITE, draw.randint(3, 10), pause)]
    if draw.random() < 0.3:
        begin, kind = draw.randint(15, 60), draw.choice((LOST, ERROR, THROTTLED))
        faults += [
            Fault(losing.name, kind, CALL, nth)
            for nth in range(begin, begin + draw.choice((5, 20)))
        ]
    return _with(plan, actors, faults, bad=_bad(draw, plan, 0.6))


def _overtaken(draw: random.Random, plan: Plan, actors: list[Actor]) -> Plan:
    """Paused right before a write to a service, and rolled back meanwhile."""
    losing, rollback = actors[-2:]
    rollback = replace(rollback, begins=losing.begins + draw.uniform(3.0, 15.0))
    kind = draw.choice((PAUSE_BEFORE, PAUSE_BEFORE, LATE))
    stands = Fault(losing.name, kind, WRITE, draw.randint(3, 6), draw.choice((30.0, 60.0)))
    return _with(plan, [*actors[:-1], rollback], [stands])


def _stopped(draw: random.Random, plan: Plan) -> Plan:
    """A deployment whose lock is freed, or that a freeze or a way back stops: in a wave, before an undo, in a pause."""
    first = replace(_named(draw, 0, "deploy"), resumes=0.0, options={"wait": 0, "force": False})
    command = draw.choice(("unlock", "unlock", "freeze", "rollback", "back"))
    if command == "back":
        return _paused_way_back(draw, plan, first)
    other = _named(draw, 1, command, force=command == "unlock")
    service, bad, faults = next(iter(plan.services)), "", []
    begins = draw.uniform(3.0, 9.0)
    if command == "freeze":
        bad = "slow"
    elif command == "rollback":
        # What it has switched off is known for its first minute, and its lock is not taken yet.
        faults = [Fault(other.name, PAUSE_AFTER, WRITE, 1, 60.0)]
    elif draw.random() < 0.5:
        bad = draw.choice(("crashes", "never-ready", "absent"))
    else:
        # Three writes take the lock and open a phase, one releases each service, and one closes the phase; two more
        # renew the lock and open the next.
        nth = 4 + len(plan.services) + draw.choice((0, 2))
        faults = [Fault(first.name, PAUSE_AFTER, WRITE, nth, 60.0)]
        begins = draw.uniform(20.0, 50.0)
    actors = [first, replace(other, begins=begins)]
    return _with(plan, actors, faults, bad={service: bad} if bad else {})


def _paused_way_back(draw: random.Random, plan: Plan, first: Actor) -> Plan:
    """A way back whose lock is freed while it stands still: before it restores the flags, or a service."""
    back = replace(_named(draw, 1, "rollback"), begins=DEPLOYED, resumes=0.0)
    other = _named(draw, 2, "unlock", force=True)
    # It switches off by two writes and takes the lock by three, and each of the others is to come by then.
    stands = Fault(back.name, PAUSE_AFTER, WRITE, draw.randint(5, 8), 60.0)
    actors = [first, back, replace(other, begins=DEPLOYED + draw.uniform(20.0, 60.0))]
    return _with(plan, actors, [stands])


def _stores(draw: random.Random, plan: Plan) -> Plan:
    """A deployment that migrates, and others who migrate or write while it does."""
    one = draw.random()
    if one < 0.6:
        steered = _backup if one < 0.3 else _held_up if one < 0.45 else _rehearsed
        return steered(draw, plan)
    beside = ("deploy_stores", "deploy_stores", "migrate_alone", "migrate_alone", "write_rows")
    actors = [_actor(draw, 0, "deploy_stores")]
    for number in range(1, draw.choice((1, 2, 2, 3, 4))):
        begins = draw.choice((draw.uniform(0.0, 10.0), draw.uniform(0.0, 60.0)))
        actors.append(replace(_actor(draw, number, draw.choice(beside)), begins=begins))
    names = [one.name for one in actors if one.script != "write_rows"]
    rehearsed = draw.random() < 0.5
    near, far, calls = (45, 90, 600) if rehearsed else (20, 45, 150)
    faults = []
    for _ in range(draw.choice((0, 1, 1, 2, 3, 5))):
        of, most = draw.choice(((WRITE, near), (WRITE, far), (CALL, calls)))
        fault = _fault(draw, draw.choice(names))
        if fault.of != WATCH:
            fault = replace(fault, of=of, nth=draw.randint(1, most))
        faults.append(fault)
    actors.append(Actor(AGAIN, "deploy_stores", AT_LAST, "build-1", {"wait": 600}))
    kinds = {"platform": draw.choice(("sql", "supabase")), "agent_core": "prisma"}
    planned = _with(plan, actors, faults)
    return replace(planned, services={"agent-core": 1}, stores=kinds, rehearsed=rehearsed)


def _alone(draw: random.Random, plan: Plan) -> Plan:
    """A deployment of one database, and the same again when all is well."""
    kinds = draw.choice(({"platform": "sql"}, {"platform": "supabase"}, {"agent_core": "prisma"}))
    deploy = replace(_named(draw, 0, "deploy_stores"), options={"wait": 60, "force": False})
    again = Actor(AGAIN, "deploy_stores", AT_LAST, "build-1", {"wait": 600})
    planned = _with(plan, [deploy, again], [])
    return replace(planned, services={"agent-core": 1}, stores=kinds)


def _backup(draw: random.Random, plan: Plan) -> Plan:
    """A dump that is cut off, and what is never reached between the upload and the manifest."""
    alone = _alone(draw, plan)
    name = alone.actors[0].name
    if draw.random() < 0.6:
        # Its 44th call is the dump, if nothing was tried again before.
        kind = draw.choice((LOST, ERROR, ANSWER_LOST, THROTTLED))
        faults = [Fault(name, kind, CALL, draw.choice((44, 44, 44, 45)))]
    else:
        first, kind = draw.randint(49, 52), draw.choice((LOST, LOST, ERROR))
        faults = [Fault(name, kind, CALL, nth) for nth in range(first, first + draw.randint(3, 9))]
    return replace(alone, faults=tuple(faults))


def _rehearsed(draw: random.Random, plan: Plan) -> Plan:
    """A rehearsal that is cut off, or stands still while somebody else takes the lock and rehearses too."""
    alone = _alone(draw, plan)
    first, again = alone.actors
    # Its 8th to 15th write make and fill the copy, the 36th or so drops it.
    nth = draw.choice((draw.randint(7, 15), draw.randint(7, 40)))
    kind = draw.choice((KILL_BEFORE, KILL_AFTER, MACHINE_LOST, PAUSE_AFTER, PAUSE_AFTER))
    faults = [Fault(first.name, kind, WRITE, nth, 120.0 if kind == PAUSE_AFTER else 0.0)]
    # A dump takes up to a minute and a half.
    others = draw.choice(((), ("deploy_stores",), ("deploy_stores",), ("migrate_alone",)))
    actors, begins = [replace(first, resumes=draw.choice((0.0, 20.0)))], draw.uniform(10.0, 100.0)
    if kind == PAUSE_AFTER:
        actors.append(replace(_named(draw, 1, "unlock", force=True), begins=begins))
    for script in others:
        other = replace(_named(draw, len(actors), script), begins=begins + draw.uniform(0.5, 60.0))
        actors.append(replace(other, options={"wait": 60, "force": False}))
    return replace(_with(alone, [*actors, again], faults), rehearsed=True)


def _held_up(draw: random.Random, plan: Plan) -> Plan:
    """Migrations that wait for an application's lock for longer than they may, once and again."""
    alone = _alone(draw, plan)
    writers = [
        replace(
            _named(draw, number, "write_rows"),
            begins=draw.uniform(5.0, 25.0),
            options={"holds": draw.choice((8.0, 8.0, 20.0)), "database": next(iter(alone.stores))},
        )
        for number in (1, 2)
    ]
    deploy, again = alone.actors
    return replace(alone, actors=(deploy, *writers, again))


def _restores(draw: random.Random, plan: Plan) -> Plan:
    """A deployment that migrates, restores of what it backed up, and who uses the databases meanwhile."""
    swapped, in_place = {"agent_core": "prisma"}, {"platform": "sql"}
    kinds = draw.choice((swapped, swapped, in_place, in_place, {**swapped, **in_place}))
    words = draw.choice(("the ledger is garbled", "orders are gone"))
    actors = [replace(_named(draw, 0, "deploy_stores"), options={"wait": 60, "force": False})]
    restore = replace(_named(draw, 1, "restore"), options={"reason": words})
    actors.append(replace(restore, begins=draw.choice((draw.uniform(5.0, 60.0), 2 * DEPLOYED))))
    again = Actor(AGAIN, "restore", AT_LAST, "build-1", {"reason": words})
    if draw.random() < 0.3:
        # Its 13th write fills the copy, and its 24th is the commit that puts it in the place of the database.
        nth = draw.choice((13, 24, 24, draw.randint(9, 25)))
        once = Fault("restore-1", draw.choice(sorted(MILD)), WRITE, nth)
        actors[1] = replace(actors[1], begins=2 * DEPLOYED)
        planned = _with(plan, [*actors, again], [once])
        return replace(planned, services={"agent-core": 1}, stores=swapped)
    if draw.random() < 0.15:
        stands, others = _stalled(draw, actors[1])
        planned = _with(plan, [*actors, *others, again], [stands])
        return replace(planned, services={"agent-core": 1}, stores=kinds)
    beside = ("restore", "restore", "look", "write_rows", "migrate_alone", "deploy_stores")
    for number in range(2, draw.choice((2, 3, 3, 4))):
        begins = actors[1].begins + draw.choice((draw.uniform(0.0, 5.0), draw.uniform(0.0, 120.0)))
        other = replace(_named(draw, number, draw.choice(beside)), begins=begins)
        if other.script == "restore":
            reason = draw.choice((words, words, "it is still wrong"))
            other = replace(other, options={"reason": reason})
        if other.script == "write_rows":
            other = replace(other, options={**other.options, "database": next(iter(kinds))})
        actors.append(other)
    names = ["restore-1", *(one.name for one in actors[1:] if one.script in ("restore", "look"))]
    faults = []
    for _ in range(draw.choice((0, 1, 1, 2, 3, 4))):
        # The first few go to the cluster, as do the last.
        of, least, most = draw.choice(((WRITE, 8, 30), (WRITE, 1, 40), (CALL, 30, 160)))
        kind = draw.choice(AT_CALLS)
        seconds = draw.choice((1.0, 20.0, 150.0)) if kind in _LASTING else 0.0
        nth = draw.randint(least, most)
        faults.append(Fault(draw.choice(names), kind, of, nth, seconds))
    if draw.random() < 0.3:
        again = Actor(AGAIN, "deploy_stores", AT_LAST, "build-1", {"wait": 600})
    planned = _with(plan, [*actors, again], faults)
    return replace(planned, services={"agent-core": 1}, stores=kinds)


_LASTING = (LATE, SLOW, PAUSE_BEFORE, PAUSE_AFTER, CLOCK_JUMPS)


def _stalled(draw: random.Random, restore: Actor) -> tuple[Fault, list[Actor]]:
    """A restore that stands still while its lock is freed and somebody deploys."""
    stands = Fault(restore.name, PAUSE_AFTER, WRITE, draw.randint(3, 12), 120.0)
    unlock = replace(_named(draw, 2, "unlock", force=True), begins=restore.begins + 40.0)
    deploys = replace(_named(draw, 3, "deploy_stores"), begins=restore.begins + 45.0)
    return stands, [unlock, replace(deploys, options={"wait": 600, "force": False})]


def _functions(draw: random.Random, plan: Plan) -> Plan:
    """Deployments of edge functions and ways back, and somebody with the Supabase CLI beside them."""
    kinds = ("old", "old", "absent", "turned", "ill", "refused")
    before = {"wa-webhook": draw.choice(kinds), "receipts": draw.choice(kinds)}
    before["lookup"] = draw.choice(("same", "same", "turned"))
    commands = draw.choice(
        (
            ("deploy_functions",),
            ("deploy_functions", "rollback"),
            ("deploy_functions", "deploy_functions"),
            ("deploy_functions", "deploy_functions", "rollback"),
            ("deploy_functions", "rollback", "rollback"),
            ("deploy_functions", "rollback", "deploy_functions", "rollback"),
        )
    )
    actors, begins = [], 0.0
    for number, command in enumerate(commands):
        actors.append(replace(_actor(draw, number, command), begins=begins))
        begins += draw.choice((draw.uniform(0.0, 5.0), draw.uniform(0.0, 30.0), DEPLOYED))
    names = [one.name for one in actors]
    for number in range(len(actors), len(actors) + draw.choice((0, 0, 1, 2))):
        begins = draw.choice((draw.uniform(0.0, 6.0), draw.uniform(0.0, 2 * DEPLOYED)))
        actors.append(replace(_actor(draw, number, "supabase"), begins=begins))
    faults = []
    for _ in range(draw.choice((0, 1, 1, 2, 3, 5))):
        fault = _fault(draw, draw.choice(names))
        if fault.of != WATCH:
            of, most = draw.choice(((WRITE, 12), (WRITE, 25), (CALL, 60)))
            fault = replace(fault, of=of, nth=draw.randint(1, most))
        faults.append(fault)
    if not any(one in ("ill", "refused") for one in before.values()):
        actors.append(Actor(AGAIN, "deploy_functions", AT_LAST, "build-1", {"wait": 600}))
    return replace(_with(plan, actors, faults), services={"agent-core": 1}, functions=before)


def _whole(draw: random.Random, plan: Plan) -> Plan:
    """A release of twelve services, most often with a second command beside it, and five to ten faults."""
    services = {name: draw.choice((1, 2, 2, 3)) for name in SERVICES}
    actors = [_named(draw, 0, "deploy")]
    for number, command in enumerate(
        draw.choice(((), ("rollback",), ("deploy",), ("kill_switch",)))
    ):
        begins = draw.uniform(0.0, 2 * DEPLOYED)
        actors.append(replace(_named(draw, number + 1, command), begins=begins))
    names = [one.name for one in actors for _often in range(3)]
    names += [f"{one.name}{KEEPER}" for one in actors if one.script in HOLDERS]
    faults = [
        replace(fault, nth=draw.randint(1, 8 * fault.nth))
        for fault in (_fault(draw, draw.choice(names)) for _ in range(draw.randint(5, MOST_FAULTS)))
    ]
    wide = replace(plan, services=services)
    return _with(wide, actors, faults, bad=_bad(draw, wide, 0.2))


def _guarded(draw: random.Random, plan: Plan) -> Plan:
    """A ramp under guards that look in turn, with alerts that come and go, and who else lets users in or out."""
    if draw.random() < 0.3:
        return _flapping(draw, plan)
    actors = [replace(_named(draw, 0, "deploy"), options={"wait": 0})]
    begins = DEPLOYED
    for number in range(1, draw.choice((2, 3, 4))):
        actors.append(replace(_named(draw, number, "ramp"), begins=begins))
        begins += draw.choice((STEP, STEP + 30.0, 300.0))
    for _guard in range(draw.choice((1, 2, 2))):
        looking = _actor(draw, len(actors), "guard")
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
        actors.append(replace(_named(draw, len(actors), command), begins=begins))
    calls = [("ErrorRate", "step_down"), ("Latency", "step_down"), ("Down", "kill_switch")]
    alerts = tuple(
        Alert(name, calls_for, _spans(draw))
        for name, calls_for in calls
        if name == "ErrorRate" or draw.random() < 0.35
    )
    names = [one.name for one in actors]
    faults = [_fault(draw, draw.choice(names)) for _ in range(draw.choice((0, 0, 1, 2, 4)))]
    return replace(_with(plan, actors, faults), alerts=alerts)


def _flapping(draw: random.Random, plan: Plan) -> Plan:
    """An alert that is gone for less than it takes to have ended, or is not seen for longer; clocks that differ."""
    actors = [replace(_named(draw, 0, "deploy"), options={"wait": 0})]
    for number in (1, 2):
        ramp = replace(_named(draw, number, "ramp"), begins=DEPLOYED + (number - 1) * STEP)
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
        looking = replace(_named(draw, number, "guard"), begins=begins, ahead=ahead, rate=1.0)
        actors.append(replace(looking, times=30, every=25.0))
    alerts = [Alert("ErrorRate", "step_down", tuple(spans))]
    if kind != "killed" and draw.random() < 0.5:
        at = begin + draw.uniform(20.0, 100.0)
        alerts.append(Alert("Latency", "step_down", ((at, at + 300.0),)))
    actors = [replace(one, ahead=one.ahead if one.script == "guard" else 0.0) for one in actors]
    return replace(_with(plan, actors, faults), alerts=tuple(alerts), blind=blind)


def _spiking(draw: random.Random, plan: Plan) -> Plan:
    """A hold that a person approves, and every other look finds a breach that is gone at the next one."""
    approval = replace(_named(draw, 1, "approve"), begins=draw.uniform(150.0, 260.0))
    period, spike = 20.0, draw.choice((6.0, 9.0))
    metric = [
        (at + begin, at + end, value)
        for at in (period * number for number in range(25))
        for begin, end, value in ((0.0, period - spike, 0.03), (period - spike, period, 0.2))
    ]
    planned = _with(plan, [_named(draw, 0, "deploy"), approval], [])
    return replace(planned, metric=tuple(metric), watched=True)


def _watched(draw: random.Random, plan: Plan) -> Plan:
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
    actors, begins = [_named(draw, 0, "deploy")], draw.uniform(60.0, 300.0)
    for number, command in enumerate(commands, start=1):
        actors.append(replace(_named(draw, number, command), begins=begins))
        begins += draw.choice((5.0, 30.0, draw.uniform(10.0, 300.0)))
    metric = _course(draw, 0.0)
    dark = draw.uniform(0.0, 200.0)
    blind = (dark, dark + draw.choice((15.0, 60.0, 300.0))) if draw.random() < 0.3 else (0.0, 0.0)
    names = [one.name for one in actors]
    faults = [_fault(draw, draw.choice(names)) for _ in range(draw.choice((0, 0, 1, 2, 4)))]
    if draw.random() < 0.4:
        kind, seconds = draw.choice(((KILL_AFTER, 0.0), (KILL_AFTER, 0.0), (PAUSE_AFTER, 60.0)))
        faults.append(Fault("deploy-0", kind, WRITE, draw.randint(12, 40), seconds))
    planned = _with(plan, actors, faults)
    return replace(planned, metric=metric, watched=True, blind=blind)


def _spans(draw: random.Random) -> tuple[tuple[float, float], ...]:
    found: list[tuple[float, float]] = []
    begin = draw.uniform(DEPLOYED, 500.0)
    for _flap in range(draw.choice((1, 1, 2, 3))):
        end = begin + draw.choice((20.0, 90.0, 300.0, 600.0))
        found.append((begin, end))
        begin = end + draw.choice((15.0, 60.0, 200.0, 400.0))
    return tuple(found)


def _complete(draw: random.Random, plan: Plan) -> Plan:
    """A release of all phases, from the backup to the flags, and its way back."""
    commands = draw.choice(
        (
            *(("deploy",), ("deploy", "deploy"), ("deploy", "rollback"), ("deploy", "rollback")),
            *(("deploy", "rollback", "deploy"), ("deploy", "kill_switch"), ("deploy", "unlock")),
        )
    )
    actors, begins = [], 0.0
    for number, command in enumerate(commands):
        actors.append(replace(_named(draw, number, command), begins=begins))
        begins += draw.choice((draw.uniform(5.0, 60.0), draw.uniform(60.0, 300.0), 400.0))
    names = [one.name for one in actors if one.script != "unlock" for _often in range(3)]
    names += [f"{actors[0].name}{KEEPER}"]
    faults = []
    for _ in range(draw.choice((0, 1, 1, 2, 3, 5))):
        fault = _fault(draw, draw.choice(names))
        if fault.of in (CALL, WRITE):
            of, most = draw.choice(((WRITE, 40), (WRITE, 100), (CALL, 700)))
            fault = replace(fault, of=of, nth=draw.randint(1, most))
        faults.append(fault)
    if not {"kill_switch", "rollback"}.intersection(commands):
        actors.append(Actor(AGAIN, "deploy", AT_LAST, "build-1", {"wait": 600}))
    kinds = draw.choice(({"platform": "sql"}, {"platform": "supabase"}, {"agent_core": "prisma"}))
    return replace(
        _with(plan, actors, faults),
        services=dict(islice(plan.services.items(), 2)),
        stores=kinds,
        functions={"wa-webhook": "old", "receipts": draw.choice(("old", "absent"))},
        rehearsed=draw.random() < 0.5,
        complete=True,
    )


def _life(draw: random.Random, plan: Plan) -> Plan:
    """A cluster with a life of its own: nodes out of reach, a node drained, an autoscaler, while somebody releases."""
    scripts = draw.choice(
        (
            *(("deploy",), ("deploy", "rollback"), ("deploy", "kill_switch")),
            *(("deploy", "deploy"), ("deploy", "ramp"), ("deploy", "rollback", "deploy")),
        )
    )
    actors, begins = [], 0.0
    for number, script in enumerate(scripts):
        actors.append(replace(_named(draw, number, script), begins=begins))
        begins += draw.choice((30.0, DEPLOYED, 400.0))
    outages = tuple(
        Outage(
            node,
            draw.uniform(0.0, begins),
            draw.choice((20.0, 60.0, 200.0, 500.0)),
            draw.random() < 0.3,
        )
        for node in NODES[: draw.choice((0, 1, 1, 2))]
    )
    for does in draw.choice((("autoscale",), ("drain",), ("autoscale", "drain"), ())):
        options = {"does": does, **({"node": NODES[-1]} if does == "drain" else {})}
        by_itself = _actor(draw, len(actors), "kubectl")
        actors.append(replace(by_itself, begins=draw.uniform(0.0, begins), options=options))
    names = [one.name for one in actors if one.script != "kubectl"]
    faults = [_fault(draw, draw.choice(names)) for _ in range(draw.choice((0, 0, 1, 2)))]
    planned = _with(plan, actors, faults, bad=_bad(draw, plan, 0.2))
    return replace(planned, nodes=True, outages=outages)


Theme = t.Callable[[random.Random, Plan], Plan]
THEMES: t.Mapping[str, Theme] = {
    "any": _any,
    "takeover": _takeover,
    "crowd": _crowd,
    "again": _again,
    "ramp": _ramp,
    "releases": _releases,
    "sick": _sick,
    "flags": _flags,
    "blind": _blind,
    "resumed": _resumed,
    "losing": _losing,
    "stores": _stores,
    "restores": _restores,
    "functions": _functions,
    "whole": _whole,
    "guarded": _guarded,
    "life": _life,
    "watched": _watched,
    "complete": _complete,
}
_RARE = {3: "functions", 4: "whole", 7: "life", 14: "guarded"}
RARE = {
    **_RARE, **{20 + rest: theme for rest, theme in _RARE.items()}, 19: "stores", 39: "restores",
    29: "complete",
}  # fmt: skip
"""By the rest of a seed by forty: what takes long. The other themes share the other seeds."""
WEIGHTED = ("any", *(one for one in THEMES if one not in RARE.values()))


def _with(
    plan: Plan,
    actors: t.Iterable[Actor],
    faults: t.Iterable[Fault],
    *,
    bad: t.Mapping[str, str] | None = None,
) -> Plan:
    return replace(plan, actors=tuple(actors), faults=tuple(faults), bad_images=bad or {})


def _bad(draw: random.Random, plan: Plan, chance: float) -> dict[str, str]:
    return {draw.choice(list(plan.services)): draw.choice(BAD)} if draw.random() < chance else {}


_BY_HAND = {
    "hotfix": "image", "newer": "new", "paused": "pause", "scaled": "scale",
    "freeze": "freeze", "lease": "lease", "percentage": "percentage", "others": "flags",
    "labels": "labels", "on": "on", "off": "off",
}  # fmt: skip
"""What somebody does with kubectl, by what it is to the others."""


def _named(draw: random.Random, number: int, command: str, *, force: bool = False) -> Actor:
    """Who gives this command: the name of a script, or what is done by hand."""
    if command in _BY_HAND:
        return replace(_actor(draw, number, "kubectl"), options={"does": _BY_HAND[command]})
    if command == "lowered":
        actor = _actor(draw, number, "kill_switch")
        return replace(actor, options={"percentage": draw.choice((0, 1, 10))})
    if command in ("approve", "reject"):
        return replace(_actor(draw, number, "decide"), options={"decision": command})
    if command == "asks":
        return replace(_actor(draw, number, "unlock"), options={"force": False})
    actor = _actor(draw, number, command)
    return replace(actor, options={**actor.options, "force": True}) if force else actor


def _actor(draw: random.Random, number: int, script: str) -> Actor:
    begins = (0.0, 1.0, draw.uniform(0, 60), draw.uniform(0, 400))
    return Actor(
        name=f"{script}-{number}",
        script=script,
        begins=0.0 if number == 0 else draw.choice(begins),
        machine=draw.choice(("build-1", "build-1", "laptop")),
        options=_options(draw, script),
        rate=draw.choice((1.0, 1.0, 0.98, 1.02)),
        ahead=draw.choice((0.0, 0.0, 20.0, -20.0, 3600.0, -3600.0)),
        resumes=draw.choice((0.0, 1.0, 30.0, 200.0)),
    )


def _options(draw: random.Random, script: str) -> dict[str, t.Any]:
    if script in ("deploy", "deploy_functions", "deploy_stores", "flags", "ramp", "lock"):
        options = {"wait": draw.choice((0, 0, 60, 600)), "force": draw.random() < 0.1}
        if script == "ramp":
            options["percentage"] = draw.choice((None, None, None, 0, 1, 10, 50))
            options["release"] = draw.random() < 0.2
        return options
    if script == "unlock":
        return {"force": draw.random() < 0.7}
    if script == "supabase":
        slug = draw.choice(("wa-webhook", "wa-webhook", "receipts", "lookup"))
        return {"does": draw.choice(("deploy", "deploy", "deploy", "delete")), "slug": slug}
    if script in ("write_rows", "look"):
        return {"holds": draw.choice((0.5, 8.0, 60.0))}
    if script == "kubectl":
        return {"does": draw.choice(("image", "scale", "pod", "flag", "annotate"))}
    return {}


def _fault(draw: random.Random, actor: str) -> Fault:
    if draw.random() < 0.2:
        kind = draw.choice(AT_WATCHES)
        return Fault(actor, kind, WATCH, draw.randint(1, 8), draw.choice((1.0, 5.0, 30.0)))
    kind = draw.choice(AT_CALLS)
    of, most = draw.choice(((WRITE, 12), (WRITE, 30), (CALL, 20), (CALL, 120), (EXEC, 5)))
    seconds = {
        LATE: draw.choice((1.0, 10.0, 60.0)),
        SLOW: draw.choice((1.0, 4.0, 20.0)),
        PAUSE_BEFORE: draw.choice((4.0, 10.0, 150.0, 400.0)),
        PAUSE_AFTER: draw.choice((4.0, 10.0, 150.0, 400.0)),
        CLOCK_JUMPS: draw.choice((-3600.0, -200.0, 200.0, 3600.0)),
    }.get(kind, 0.0)
    return Fault(actor, kind, of, draw.randint(1, most), seconds)
