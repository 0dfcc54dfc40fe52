"""Releases that migrate databases or deploy functions, their ways back, and restores."""

import random
from dataclasses import replace

from ..plan import (
    AGAIN,
    ANSWER_LOST,
    AT_CALLS,
    AT_LAST,
    CALL,
    CLOCK_JUMPS,
    ERROR,
    KILL_AFTER,
    KILL_BEFORE,
    LATE,
    LOST,
    MACHINE_LOST,
    MILD,
    PAUSE_AFTER,
    PAUSE_BEFORE,
    SLOW,
    THROTTLED,
    WATCH,
    WRITE,
    Actor,
    Fault,
    Plan,
)
from ..stores import COUNTED
from .actors import DEPLOYED, any_actor, any_fault, named_actor, with_actors


def stores(draw: random.Random, plan: Plan) -> Plan:
    """A deployment that migrates, and others who migrate or write while it does."""
    if draw.random() < 0.65:
        often = {_backup: 3, _held_up: 2, _rehearsed: 2, _overtaken: 2}
        (steered,) = draw.choices([*often], [*often.values()])
        return steered(draw, plan)
    beside = ("deploy_stores", "deploy_stores", "migrate_alone", "migrate_alone", "write_rows")
    actors = [any_actor(draw, 0, "deploy_stores")]
    for number in range(1, draw.choice((1, 2, 2, 3, 4))):
        begins = draw.choice((draw.uniform(0.0, 10.0), draw.uniform(0.0, 60.0)))
        actors.append(replace(any_actor(draw, number, draw.choice(beside)), begins=begins))
    names = [one.name for one in actors if one.script != "write_rows"]
    rehearsed = draw.random() < 0.5
    near, far, calls = (45, 90, 600) if rehearsed else (20, 45, 150)
    faults = []
    for _ in range(draw.choice((0, 1, 1, 2, 3, 5))):
        of, most = draw.choice(((WRITE, near), (WRITE, far), (CALL, calls)))
        fault = any_fault(draw, draw.choice(names))
        if fault.of != WATCH:
            fault = replace(fault, of=of, nth=draw.randint(1, most))
        faults.append(fault)
    actors.append(Actor(AGAIN, "deploy_stores", AT_LAST, "build-1", {"wait": 600}))
    kinds = {"platform": draw.choice(("sql", "supabase")), "agent_core": "prisma"}
    planned = with_actors(plan, actors, faults)
    planned = replace(planned, services={"agent-core": 1}, stores=kinds, rehearsed=rehearsed)
    return replace(planned, expected=_expected(draw, planned))


def _expected(draw: random.Random, plan: Plan) -> dict[str, str]:
    """Seldom what no copy holds."""
    asked = [name for name in plan.stores if plan.rehearsed and draw.random() < 0.7]
    return {name: draw.choice((COUNTED, COUNTED, COUNTED, "7")) for name in asked}


def _alone(draw: random.Random, plan: Plan) -> Plan:
    """A deployment of one database, and the same again when all is well."""
    kinds = draw.choice(({"platform": "sql"}, {"platform": "supabase"}, {"agent_core": "prisma"}))
    deploy = replace(named_actor(draw, 0, "deploy_stores"), options={"wait": 60, "force": False})
    again = Actor(AGAIN, "deploy_stores", AT_LAST, "build-1", {"wait": 600})
    planned = with_actors(plan, [deploy, again], [])
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
        actors.append(replace(named_actor(draw, 1, "unlock", force=True), begins=begins))
    for script in others:
        other = replace(
            named_actor(draw, len(actors), script), begins=begins + draw.uniform(0.5, 60.0)
        )
        actors.append(replace(other, options={"wait": 60, "force": False}))
    planned = replace(with_actors(alone, [*actors, again], faults), rehearsed=True)
    return replace(planned, expected=_expected(draw, planned))


def _overtaken(draw: random.Random, plan: Plan) -> Plan:
    """Migrations that stand still while the lock is freed, and perhaps somebody else migrates."""
    alone = _alone(draw, plan)
    first, again = alone.actors
    # Its 10th write is the first of its migrations, the 30th the last.
    stands = Fault(first.name, PAUSE_AFTER, WRITE, draw.randint(9, 30), 150.0)
    # A dump takes up to a minute and a half.
    begins = draw.uniform(100.0, 155.0)
    if draw.random() < 0.4:
        frozen, over = named_actor(draw, 1, "freeze"), named_actor(draw, 2, "thaw")
        others = [replace(frozen, begins=begins), replace(over, begins=begins + 600.0)]
        return with_actors(alone, [first, *others, again], [stands])
    actors = [first, replace(named_actor(draw, 1, "unlock", force=True), begins=begins)]
    for script in draw.choice(((), ("deploy_stores",), ("migrate_alone",))):
        other = replace(named_actor(draw, 2, script), begins=begins + draw.uniform(0.5, 5.0))
        actors.append(replace(other, options={"wait": 60, "force": False}))
    return with_actors(alone, [*actors, again], [stands])


def _held_up(draw: random.Random, plan: Plan) -> Plan:
    """Migrations that wait for an application's lock for longer than they may, once and again."""
    alone = _alone(draw, plan)
    writers = [
        replace(
            named_actor(draw, number, "write_rows"),
            begins=draw.uniform(5.0, 25.0),
            options={"holds": draw.choice((8.0, 8.0, 20.0)), "database": next(iter(alone.stores))},
        )
        for number in (1, 2)
    ]
    deploy, again = alone.actors
    return replace(alone, actors=(deploy, *writers, again))


def restores(draw: random.Random, plan: Plan) -> Plan:
    """A deployment that migrates, restores of what it backed up, and who uses the databases meanwhile."""
    swapped, in_place = {"agent_core": "prisma"}, {"platform": "sql"}
    kinds = draw.choice((swapped, swapped, in_place, in_place, {**swapped, **in_place}))
    words = draw.choice(("the ledger is garbled", "orders are gone"))
    actors = [replace(named_actor(draw, 0, "deploy_stores"), options={"wait": 60, "force": False})]
    restore = replace(named_actor(draw, 1, "restore"), options={"reason": words})
    actors.append(replace(restore, begins=draw.choice((draw.uniform(5.0, 60.0), 2 * DEPLOYED))))
    again = Actor(AGAIN, "restore", AT_LAST, "build-1", {"reason": words})
    if draw.random() < 0.3:
        # Its 12th write fills the copy, and its 23rd is the commit that puts it in the place of the database.
        nth = draw.choice((12, 23, 23, draw.randint(8, 24)))
        once = Fault("restore-1", draw.choice(sorted(MILD)), WRITE, nth)
        actors[1] = replace(actors[1], begins=2 * DEPLOYED)
        planned = with_actors(plan, [*actors, again], [once])
        return replace(planned, services={"agent-core": 1}, stores=swapped)
    if draw.random() < 0.4:
        stands, others = _overtaken_restore(draw, actors[1])
        planned = with_actors(plan, [*actors, *others, again], stands)
        return replace(planned, services={"agent-core": 1}, stores=kinds)
    beside = ("restore", "restore", "look", "write_rows", "migrate_alone", "deploy_stores")
    for number in range(2, draw.choice((2, 3, 3, 4))):
        begins = actors[1].begins + draw.choice((draw.uniform(0.0, 5.0), draw.uniform(0.0, 120.0)))
        other = replace(named_actor(draw, number, draw.choice(beside)), begins=begins)
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
    planned = with_actors(plan, [*actors, again], faults)
    return replace(planned, services={"agent-core": 1}, stores=kinds)


_LASTING = (LATE, SLOW, PAUSE_BEFORE, PAUSE_AFTER, CLOCK_JUMPS)


def _overtaken_restore(draw: random.Random, restore: Actor) -> tuple[list[Fault], list[Actor]]:
    """A restore that takes its time or stands still while its lock is freed and somebody deploys."""
    after, stands = draw.uniform(10.0, 190.0), []
    if draw.random() < 0.7:
        after = draw.uniform(40.0, 130.0)
        # Its 93rd to 133rd call fill a copy and put it in place, the 135th to 162nd do it in place.
        of, nth = draw.choice(((WRITE, draw.randint(3, 23)), (CALL, draw.randint(90, 165))))
        stands.append(Fault(restore.name, PAUSE_AFTER, of, nth, 150.0))
    begins = restore.begins + after
    unlock = replace(named_actor(draw, 2, "unlock", force=True), begins=begins)
    deploys = replace(named_actor(draw, 3, "deploy_stores"), begins=begins + 5.0)
    return stands, [unlock, replace(deploys, options={"wait": 600, "force": False})]


def functions(draw: random.Random, plan: Plan) -> Plan:
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
        actors.append(replace(any_actor(draw, number, command), begins=begins))
        begins += draw.choice((draw.uniform(0.0, 5.0), draw.uniform(0.0, 30.0), DEPLOYED))
    names = [one.name for one in actors]
    for number in range(len(actors), len(actors) + draw.choice((0, 0, 1, 2))):
        begins = draw.choice((draw.uniform(0.0, 6.0), draw.uniform(0.0, 2 * DEPLOYED)))
        actors.append(replace(any_actor(draw, number, "supabase"), begins=begins))
    faults = []
    for _ in range(draw.choice((0, 1, 1, 2, 3, 5))):
        fault = any_fault(draw, draw.choice(names))
        if fault.of != WATCH:
            of, most = draw.choice(((WRITE, 12), (WRITE, 25), (CALL, 60)))
            fault = replace(fault, of=of, nth=draw.randint(1, most))
        faults.append(fault)
    if not any(one in ("ill", "refused") for one in before.values()):
        actors.append(Actor(AGAIN, "deploy_functions", AT_LAST, "build-1", {"wait": 600}))
    return replace(with_actors(plan, actors, faults), services={"agent-core": 1}, functions=before)
