"""What operators run: the playbooks, task by task and in their order, and what a person does by hand."""

import typing as t
from dataclasses import dataclass

from . import (
    by_hand,
    database,
    flags,
    functions,
    guard,
    ramp,
    restores,
    rollback,
    services,
    stores,
    watch,
)
from .script import Script, StopError


@dataclass(frozen=True)
class Command:
    """`playbooks`: whose tasks it carries out, in their order."""

    act: t.Callable[[Script], None]
    playbooks: tuple[str, ...] = ()


def _deploy(script: Script) -> None:
    if script.world.plan.stores:
        database.database(script)
    if script.world.plan.functions:
        functions.edge_functions(script)
    services.microservices(script)
    flags.feature_flags(script)
    if script.world.plan.watched:
        watch.monitoring(script)
    else:
        watch.watched_elsewhere(script)
    if script.actor.options.get("signs_off", True):
        script.sign_off()


PLAY = "play"
"""Of an actor whose options name a playbook, which plays/ adds."""
COMMANDS: dict[str, Command] = {
    "deploy": Command(
        _deploy,
        (
            *("database", "edge_functions", "microservices"),
            *("feature_flags", "monitoring", "sign_off"),
        ),
    ),
    "rollback": Command(rollback.rollback, ("rollback",)),
    "ramp": Command(ramp.ramp, ("ramp",)),
    "guard": Command(guard.guard, ("guard",)),
    "decide": Command(watch.decide, ("decide",)),
    "kill_switch": Command(flags.kill_switch, ("kill_switch",)),
    "reset": Command(flags.reset, ("kill_switch",)),
    "flags": Command(flags.feature_flags, ("feature_flags",)),
    "lock": Command(by_hand.lock, ("lock",)),
    "unlock": Command(by_hand.unlock, ("unlock",)),
    "kubectl": Command(by_hand.kubectl),
    "deploy_stores": Command(database.database, ("database",)),
    "deploy_functions": Command(functions.edge_functions, ("edge_functions",)),
    "supabase": Command(functions.supabase),
    "restore": Command(restores.restore, ("restore_databases", "rollback")),
    "look": Command(restores.look),
    "migrate_alone": Command(stores.migrate_alone),
    "write_rows": Command(stores.write_rows),
    "last": Command(Script.lock, ("microservices",)),
}

__all__ = ["COMMANDS", "PLAY", "Command", "Script", "StopError"]
