"""Releases of services and flags, those who act beside them, and a cluster with a life of its own."""

import random
import typing as t
from dataclasses import replace

from ..kubelet import RESTARTS, UNLIVE
from ..nodes import NAMES as NODES
from ..plan import (
    ANSWER_LOST,
    CALL,
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
    Fault,
    Outage,
    Plan,
)
from ..platform import NEXT, VERSION
from .actors import (
    BAD,
    DEPLOYED,
    HOLDERS,
    SCRIPTS,
    SERVICES,
    any_actor,
    any_fault,
    bad_image,
    named_actor,
    with_actors,
)


def anything(draw: random.Random, plan: Plan) -> Plan:
    """A deployment first, up to three others in its way, and whatever may befall them."""
    scripts = ["deploy", *(draw.choice(SCRIPTS) for _ in range(draw.choice((0, 1, 1, 2, 2, 3))))]
    actors = [any_actor(draw, number, script) for number, script in enumerate(scripts)]
    names = [one.name for one in actors]
    keepers = [f"{one.name}{KEEPER}" for one in actors if one.script in HOLDERS]
    faults = [
        any_fault(draw, draw.choice([*names, *names, *names, *keepers]))
        for _ in range(draw.choice((0, 1, 2, 3, 5, 7, MOST_FAULTS)))
    ]
    return with_actors(plan, actors, faults, bad=bad_image(draw, plan, 0.3))


def takeover(draw: random.Random, plan: Plan) -> Plan:
    """A run that stands still at some write, or is long about it, and others who come meanwhile."""
    first = any_actor(draw, 0, draw.choice(("deploy", "deploy", "deploy", "rollback", "ramp")))
    before = []
    if first.script != "deploy":
        before = [named_actor(draw, 9, "deploy")]
        first = replace(first, begins=DEPLOYED)
    others = [
        replace(
            any_actor(
                draw, number, draw.choice(("rollback", "deploy", "deploy", "unlock", "ramp"))
            ),
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
    return with_actors(plan, [*before, first, *others], faults, bad=bad_image(draw, plan, 0.3))


def _patient(draw: random.Random, plan: Plan) -> Plan:
    """One whose pods do not start for longer than the lock lasts, and who wait for it."""
    first = replace(named_actor(draw, 0, "deploy"), resumes=0.0)
    second = replace(named_actor(draw, 1, "deploy"), begins=draw.uniform(2.0, 30.0))
    second = replace(second, options={"wait": 600, "force": False})
    keeper, kind = f"{first.name}{KEEPER}", draw.choice((LOST, ERROR, THROTTLED, SLOW, SLOW))
    faults = [Fault(keeper, kind, CALL, draw.randint(1, 8), 20.0)] if draw.random() < 0.6 else []
    service = next(iter(plan.services))
    planned = with_actors(plan, [first, second], faults, bad={service: "never-ready"})
    return replace(planned, recreated=(service,) if draw.random() < 0.3 else ())


def crowd(draw: random.Random, plan: Plan) -> Plan:
    """Several at the same moment, in a cluster in which nothing goes wrong."""
    begins = draw.choice((0.0, draw.uniform(0, 3), draw.uniform(0, 60)))
    scripts = [draw.choice(("deploy", *SCRIPTS)) for _ in range(draw.choice((2, 3, 3)))]
    crowd = [
        replace(any_actor(draw, number, script), begins=begins + draw.uniform(0.0, 3.0))
        for number, script in enumerate(scripts, start=1)
    ]
    return with_actors(
        plan, [any_actor(draw, 0, "deploy"), *crowd], [], bad=bad_image(draw, plan, 0.3)
    )


def again(draw: random.Random, plan: Plan) -> Plan:
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
    bad = bad_image(draw, plan, float(commands[0] == "bad"))
    actors, begins = [], 0.0
    for number, command in enumerate(one for one in commands if one != "bad"):
        actor = named_actor(draw, number, command)
        actors.append(replace(actor, begins=begins))
        begins += 5.0 if actor.script == "kubectl" else draw.choice((DEPLOYED, 400.0))
    faults = [
        any_fault(draw, draw.choice([one.name for one in actors]))
        for _ in range(draw.choice((0, 0, 0, 1, 2)))
    ]
    return with_actors(plan, actors, faults, bad=bad)


def _one_call(draw: random.Random, plan: Plan) -> Plan:
    """A deployment and its way back, of which one call fails once: refused or lost, before or after it took effect."""
    actors = [
        named_actor(draw, 0, "deploy"),
        replace(named_actor(draw, 1, "rollback"), begins=DEPLOYED),
    ]
    whose, kind = draw.choice(actors).name, draw.choice(sorted(MILD))
    of, last = draw.choice(((WRITE, 12), (WRITE, 12), (CALL, 80), (EXEC, 6)))
    return with_actors(plan, actors, [Fault(whose, kind, of, draw.randint(1, last))])


def _hotfixed(draw: random.Random, plan: Plan) -> Plan:
    """An image by hand over that of the release, or over what it went back to, and the next command after it."""
    commands = draw.choice(
        (("deploy", "hotfix", "rollback"), ("deploy", "rollback", "hotfix", "deploy"))
    )
    actors = [named_actor(draw, number, command) for number, command in enumerate(commands)]
    begins = [DEPLOYED * number for number in range(len(actors))]
    return with_actors(
        plan, [replace(one, begins=at) for one, at in zip(actors, begins, strict=True)], []
    )


def releases(draw: random.Random, plan: Plan) -> Plan:
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
            (("deploy", first), ("deploy", second), ("flags", first)),
            (("deploy", second), ("deploy", first), ("rollback", first)),
        )
    )
    signed = draw.random() < 0.6
    actors, begins = [], 0.0
    for number, (script, about) in enumerate(commands):
        actor = named_actor(draw, number, script)
        named = draw.random() < (0.5 if script == "deploy" else 0.2)
        options = {**actor.options, **about, "signs_off": signed, "supersedes": named}
        actors.append(replace(actor, begins=begins, options=options))
        begins += draw.choice((10.0, 40.0, DEPLOYED, 400.0))
    names = [one.name for one in actors]
    faults = [any_fault(draw, draw.choice(names)) for _ in range(draw.choice((0, 0, 1, 2, 4)))]
    return with_actors(plan, actors, faults, bad=bad_image(draw, plan, 0.2))


def sick(draw: random.Random, plan: Plan) -> Plan:
    """A kill switch where a rollout does not bring it: paused, a bad image, pods that say nothing."""
    ill = draw.choice(("paused", "paused", "bad", "deaf", "deaf and paused", "slow"))
    actors = [replace(named_actor(draw, 0, "deploy"), resumes=0.0)]
    if "paused" in ill:
        actors.append(replace(named_actor(draw, 1, "paused"), begins=DEPLOYED - 10.0))
    begins = draw.uniform(2.0, DEPLOYED) if ill == "bad" else draw.uniform(20.0, 2 * DEPLOYED)
    last = draw.choice(("kill_switch", "kill_switch", "rollback"))
    actors.append(replace(named_actor(draw, len(actors), last), begins=begins))
    if draw.random() < 0.3:
        actors.append(
            replace(
                named_actor(draw, len(actors), "kill_switch"), begins=begins + draw.uniform(0, 60)
            )
        )
    first, faults = next(iter(plan.services)), []
    if draw.random() < 0.3:
        # Right after it has ended a pod.
        actors[-1] = replace(actors[-1], resumes=1.0)
        faults = [Fault(actors[-1].name, KILL_AFTER, WRITE, draw.randint(2, 4))]
    recreated = "paused" in ill and draw.random() < 0.5
    if recreated:
        # Often while all of its pods start.
        actors[1] = replace(actors[1], begins=draw.uniform(30.0, 60.0))
    bad = {first: draw.choice(BAD)} if ill == "bad" else {}
    if "paused" in ill and not recreated and draw.random() < 0.4:
        # What takes the place of a pod is ready after more than 20 seconds, and so is each step of the deployment.
        bad = {first: "slow"}
        actors[1:] = [replace(one, begins=one.begins + 3 * DEPLOYED) for one in actors[1:]]
    return replace(
        with_actors(plan, actors, faults),
        bad_images=bad,
        deaf=(first,) if "deaf" in ill else (),
        controllers=draw.choice((5.0, 20.0)) if ill == "slow" else 0.0,
        recreated=(first,) if recreated else (),
    )


def flags(draw: random.Random, plan: Plan) -> Plan:
    """All who write flags and record, at the same moment and again and again."""
    if draw.random() < 0.3:
        return _few_writers(draw, plan)
    commands = ["kill_switch", "kill_switch", "reset", "lowered", "others", "labels", "rollback"]
    begins = draw.uniform(0.0, DEPLOYED + 30.0)
    actors = [named_actor(draw, 0, "deploy")]
    for number in range(1, draw.choice((3, 4, 5))):
        actor = named_actor(draw, number, draw.choice(commands))
        actors.append(replace(actor, begins=begins + draw.uniform(0.0, 4.0)))
    faults = []
    if draw.random() < 0.4:
        kind = draw.choice((ANSWER_LOST, SLOW, CONFLICT, ERROR_DONE, KILL_AFTER, PAUSE_BEFORE))
        writer = draw.choice(actors).name
        faults = [Fault(writer, kind, WRITE, draw.randint(1, 6), draw.choice((2.0, 8.0)))]
    return with_actors(plan, actors, faults)


def _few_writers(draw: random.Random, plan: Plan) -> Plan:
    """A write of flags that took effect and is answered with a conflict, or what they say undone before pods start."""
    deploy = replace(named_actor(draw, 0, "deploy"), resumes=0.0, rate=1.0)
    if draw.random() < 0.5:
        off = replace(named_actor(draw, 1, "off"), begins=draw.uniform(8.0, 45.0))
        return with_actors(plan, [deploy, off], [])
    # As many as come before the flags: lock, phase and its services, and the next phase; on the way back the switch.
    rollback = replace(named_actor(draw, 1, "rollback"), begins=DEPLOYED)
    first = 7 + len(plan.services)
    whose, nth = draw.choice(((deploy, draw.randint(first - 1, first + 1)), (rollback, 8)))
    nth = nth if whose is deploy else draw.randint(6, 10)
    return with_actors(plan, [deploy, rollback], [Fault(whose.name, CONFLICT, WRITE, nth)])


def blind(draw: random.Random, plan: Plan) -> Plan:
    """Watches that tell late or nothing, while somebody changes what they would tell of."""
    first = named_actor(draw, 0, "deploy")
    actors = [first]
    for number in range(1, draw.choice((2, 3, 3))):
        command = draw.choice(
            ("hotfix", "hotfix", "hotfix", "paused", "rollback", "kill_switch", "scaled")
        )
        actors.append(
            replace(named_actor(draw, number, command), begins=draw.uniform(6.0, DEPLOYED / 2))
        )
    kind = draw.choice((WATCH_LAGS, WATCH_LAGS, WATCH_SKIPS, WATCH_ENDS, WATCH_GONE))
    seconds = draw.choice((4.0, 8.0, 12.0, 15.0))
    faults = [Fault(first.name, kind, WATCH, nth, seconds) for nth in range(1, 13)]
    return with_actors(plan, actors, faults, bad=bad_image(draw, plan, 0.2))


def resumed(draw: random.Random, plan: Plan) -> Plan:
    """Killed and begun again at once, also while the controllers have not seen yet what was written."""
    script = draw.choice(("deploy", "deploy", "deploy", "rollback", "ramp", "kill_switch"))
    actors = [named_actor(draw, 0, "deploy")]
    if script != "deploy":
        actors.append(replace(named_actor(draw, 1, script), begins=DEPLOYED))
    actors[-1] = replace(actors[-1], resumes=draw.choice((0.1, 0.1, 1.0, 30.0)))
    kinds = (KILL_AFTER, KILL_AFTER, KILL_BEFORE, ANSWER_LOST, ERROR_DONE)
    faults = [
        Fault(
            actors[-1].name, draw.choice(kinds), WRITE, draw.choice((4, 5, 6, draw.randint(1, 16)))
        )
        for _ in range(draw.choice((1, 1, 2, 3)))
    ]
    lag = draw.choice((0.0, 5.0, 20.0))
    return replace(
        with_actors(plan, actors, faults, bad=bad_image(draw, plan, 0.2)), controllers=lag
    )


def losing(draw: random.Random, plan: Plan) -> Plan:
    """A run whose lock is taken while it waits for its pods, and who took it comes to the same services."""
    if draw.random() < 0.2:
        return _stopped(draw, plan)
    first = replace(
        named_actor(draw, 0, draw.choice(("deploy", "deploy", "rollback"))), resumes=0.0
    )
    actors = [first]
    if first.script == "rollback":
        actors = [
            named_actor(draw, 0, "deploy"),
            replace(first, name="rollback-1", begins=DEPLOYED),
        ]
    losing = actors[-1]
    takes = draw.choice(("unlock", "unlock", "asks", "deploy", "deploy", "rollback", "freeze"))
    begins = losing.begins + draw.uniform(1.0, DEPLOYED / 2)
    if draw.random() < 0.4:
        return _overtaken(
            draw, plan, [*actors, replace(named_actor(draw, 9, "rollback"), begins=begins)]
        )
    actors.append(replace(named_actor(draw, len(actors), takes, force=True), begins=begins))
    if takes == "unlock" or draw.random() < 0.3:
        after = draw.choice(("deploy", "rollback"))
        actors.append(
            replace(named_actor(draw, len(actors), after), begins=begins + draw.uniform(1.0, 60.0))
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
    return with_actors(plan, actors, faults, bad=bad_image(draw, plan, 0.6))


def _overtaken(draw: random.Random, plan: Plan, actors: list[Actor]) -> Plan:
    """Paused right before a write to a service, and rolled back meanwhile."""
    losing, rollback = actors[-2:]
    rollback = replace(rollback, begins=losing.begins + draw.uniform(3.0, 15.0))
    kind = draw.choice((PAUSE_BEFORE, PAUSE_BEFORE, LATE))
    stands = Fault(losing.name, kind, WRITE, draw.randint(3, 6), draw.choice((30.0, 60.0)))
    return with_actors(plan, [*actors[:-1], rollback], [stands])


def _stopped(draw: random.Random, plan: Plan) -> Plan:
    """A deployment whose lock is freed, or that a freeze or a way back stops: in a wave, before an undo, in a pause."""
    first = replace(
        named_actor(draw, 0, "deploy"), resumes=0.0, options={"wait": 0, "force": False}
    )
    command = draw.choice(("unlock", "unlock", "freeze", "rollback", "back"))
    if command == "back":
        return _paused_way_back(draw, plan, first)
    other = named_actor(draw, 1, command, force=command == "unlock")
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
    return with_actors(plan, actors, faults, bad={service: bad} if bad else {})


def _paused_way_back(draw: random.Random, plan: Plan, first: Actor) -> Plan:
    """A way back whose lock is freed while it stands still: before it restores the flags, or a service."""
    back = replace(named_actor(draw, 1, "rollback"), begins=DEPLOYED, resumes=0.0)
    other = named_actor(draw, 2, "unlock", force=True)
    # It switches off by two writes and takes the lock by three, and each of the others is to come by then.
    stands = Fault(back.name, PAUSE_AFTER, WRITE, draw.randint(5, 8), 60.0)
    actors = [first, back, replace(other, begins=DEPLOYED + draw.uniform(20.0, 60.0))]
    return with_actors(plan, actors, [stands])


def whole(draw: random.Random, plan: Plan) -> Plan:
    """A release of twelve services, most often with a second command beside it, and five to ten faults."""
    services = {name: draw.choice((1, 2, 2, 3)) for name in SERVICES}
    actors = [named_actor(draw, 0, "deploy")]
    for number, command in enumerate(
        draw.choice(((), ("rollback",), ("deploy",), ("kill_switch",)))
    ):
        begins = draw.uniform(0.0, 2 * DEPLOYED)
        actors.append(replace(named_actor(draw, number + 1, command), begins=begins))
    names = [one.name for one in actors for _often in range(3)]
    names += [f"{one.name}{KEEPER}" for one in actors if one.script in HOLDERS]
    faults = [
        replace(fault, nth=draw.randint(1, 8 * fault.nth))
        for fault in (
            any_fault(draw, draw.choice(names)) for _ in range(draw.randint(5, MOST_FAULTS))
        )
    ]
    wide = replace(plan, services=services)
    return with_actors(wide, actors, faults, bad=bad_image(draw, wide, 0.2))


def soaked(draw: random.Random, plan: Plan) -> Plan:
    """Pods that are ready and then do not live: in a soak, and of a deployment that is killed in it and begun again."""
    services = [*plan.services]
    probed = tuple(services[: draw.choice((1, len(services)))])
    actors = [replace(named_actor(draw, 0, "deploy"), resumes=draw.choice((0.0, 1.0, 20.0, 60.0)))]
    other = draw.choice(("", "", "", "rollback", "deploy", "kill_switch", "hotfix"))
    if other:
        begins = draw.uniform(10.0, 2 * DEPLOYED)
        actors.append(replace(named_actor(draw, 1, other), begins=begins))
    faults = []
    if draw.random() < 0.6:
        kind = draw.choice((KILL_BEFORE, KILL_AFTER, MACHINE_LOST, PAUSE_BEFORE))
        pause = draw.choice((10.0, 60.0)) if kind == PAUSE_BEFORE else 0.0
        faults = [Fault(actors[0].name, kind, CALL, draw.randint(12, 60), pause)]
    if draw.random() < 0.3:
        faults.append(any_fault(draw, actors[0].name))
    planned = with_actors(plan, actors, faults)
    ill = draw.choice(("", UNLIVE, UNLIVE, RESTARTS, draw.choice(BAD)))
    planned = replace(planned, probed=probed, bad_images={draw.choice(probed): ill} if ill else {})
    if draw.random() < 0.7:
        return planned
    seconds = draw.choice((4.0, 15.0, 30.0))
    lags = tuple(Fault(actors[0].name, WATCH_LAGS, WATCH, nth, seconds) for nth in range(1, 5))
    recreated = tuple(services[:1]) if draw.random() < 0.7 else ()
    return replace(planned, recreated=recreated, faults=(*planned.faults, *lags))


def followed(draw: random.Random, plan: Plan) -> Plan:
    """Flags that pods take up from their volumes, and that are set again before all of them have."""
    actors, begins = [named_actor(draw, 0, "deploy")], draw.uniform(20.0, 60.0)
    commands = ("kill_switch", "kill_switch", "reset", "lowered", "off", "rollback", "ramp")
    for number in range(1, draw.choice((2, 3, 4))):
        actors.append(replace(named_actor(draw, number, draw.choice(commands)), begins=begins))
        begins += draw.choice((1.0, 3.0, 8.0, 40.0))
    faults = []
    if draw.random() < 0.3:
        faults = [any_fault(draw, draw.choice(actors).name)]
    return replace(with_actors(plan, actors, faults), mounted=True)


def life(draw: random.Random, plan: Plan) -> Plan:
    """A cluster with a life of its own: nodes out of reach, a node drained, an autoscaler, while somebody releases."""
    scripts = draw.choice(
        (
            *(("deploy",), ("deploy", "rollback"), ("deploy", "kill_switch")),
            *(("deploy", "deploy"), ("deploy", "ramp"), ("deploy", "rollback", "deploy")),
        )
    )
    actors, begins = [], 0.0
    for number, script in enumerate(scripts):
        actors.append(replace(named_actor(draw, number, script), begins=begins))
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
        by_itself = any_actor(draw, len(actors), "kubectl")
        actors.append(replace(by_itself, begins=draw.uniform(0.0, begins), options=options))
    names = [one.name for one in actors if one.script != "kubectl"]
    faults = [any_fault(draw, draw.choice(names)) for _ in range(draw.choice((0, 0, 1, 2)))]
    planned = with_actors(plan, actors, faults, bad=bad_image(draw, plan, 0.2))
    return replace(planned, nodes=True, outages=outages)
