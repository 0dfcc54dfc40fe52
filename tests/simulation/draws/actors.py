"""Who acts and what befalls them: what all draws are made of."""

import random
import typing as t
from dataclasses import replace

from ..plan import (
    AT_CALLS,
    AT_WATCHES,
    CALL,
    CLOCK_JUMPS,
    EXEC,
    LATE,
    PAUSE_AFTER,
    PAUSE_BEFORE,
    REVERTS,
    SLOW,
    WATCH,
    WRITE,
    Actor,
    Fault,
    Plan,
)

HOLDERS = ("deploy", "rollback", "ramp")
SCRIPTS = ("deploy", "rollback", "kill_switch", "ramp", "reset", "unlock", "kubectl")
BAD = ("crashes", "never-ready", "absent", "slow")
SERVICES = (
    *("agent-core", "wallet", "orders", "gateway", "catalog", "payments"),
    *("search", "media", "notifier", "reports", "users", "webhooks"),
)
DEPLOYED = 90.0
"""Seconds after which a deployment that nothing disturbed is over, most of the time."""
STEP = 75.0
"""Seconds that a step of the ramp takes, with its watch."""


def with_actors(
    plan: Plan,
    actors: t.Iterable[Actor],
    faults: t.Iterable[Fault],
    *,
    bad: t.Mapping[str, str] | None = None,
) -> Plan:
    return replace(plan, actors=tuple(actors), faults=tuple(faults), bad_images=bad or {})


def bad_image(draw: random.Random, plan: Plan, chance: float) -> dict[str, str]:
    return {draw.choice(list(plan.services)): draw.choice(BAD)} if draw.random() < chance else {}


_BY_HAND = {
    "hotfix": "image", "newer": "new", "paused": "pause", "scaled": "scale",
    "freeze": "freeze", "thaw": "thaw", "lease": "lease", "percentage": "percentage", "others": "flags",
    "labels": "labels", "on": "on", "off": "off",
}  # fmt: skip
"""What somebody does with kubectl, by what it is to the others."""


def named_actor(draw: random.Random, number: int, command: str, *, force: bool = False) -> Actor:
    """Who gives this command: the name of a script, or what is done by hand."""
    if command in _BY_HAND:
        return replace(any_actor(draw, number, "kubectl"), options={"does": _BY_HAND[command]})
    if command == "lowered":
        actor = any_actor(draw, number, "kill_switch")
        return replace(actor, options={"percentage": draw.choice((0, 1, 10))})
    if command in ("approve", "reject"):
        return replace(any_actor(draw, number, "decide"), options={"decision": command})
    if command == "asks":
        return replace(any_actor(draw, number, "unlock"), options={"force": False})
    actor = any_actor(draw, number, command)
    return replace(actor, options={**actor.options, "force": True}) if force else actor


def reverter(draw: random.Random) -> Actor:
    does = draw.choice(REVERTS)
    by_itself = any_actor(draw, 0, "kubectl")
    begins = draw.uniform(0.0, 2 * DEPLOYED)
    return replace(by_itself, name="kubectl-git", begins=begins, options={"does": does})


def any_actor(draw: random.Random, number: int, script: str) -> Actor:
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


def any_fault(draw: random.Random, actor: str) -> Fault:
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
