"""What operators run: the playbooks, task by task and in their order, and what a person does by hand."""

import typing as t
from functools import partial

from . import (
    by_hand,
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


def _deploy(script: Script) -> None:
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
COMMANDS: dict[str, t.Callable[[Script], object]] = {
    "deploy": _deploy,
    "rollback": rollback.rollback,
    "ramp": ramp.ramp,
    "guard": guard.guard,
    "decide": watch.decide,
    "kill_switch": flags.kill_switch,
    "reset": partial(flags.kill_switch, state="reset"),
    "flags": flags.feature_flags,
    "lock": by_hand.lock,
    "unlock": by_hand.unlock,
    "kubectl": by_hand.kubectl,
    "deploy_stores": stores.database,
    "deploy_functions": functions.edge_functions,
    "supabase": functions.supabase,
    "restore": restores.restore,
    "look": restores.look,
    "migrate_alone": stores.migrate_alone,
    "write_rows": stores.write_rows,
    "last": Script.lock,
}

__all__ = ["COMMANDS", "PLAY", "Script", "StopError"]
