"""roles/migration_rehearsal: what is pending is applied to a copy that is made of the backup, and dropped again."""

import typing as t

from ..stores import QUERY, REHEARSAL
from .script import Script
from .stores import CONNECTION, migrate, on_each, refuse


def rehearse(script: Script, phase: str) -> list[str]:
    """Which databases have pending migrations."""
    names = [*script.world.plan.stores]
    ended = on_each(script, names, lambda name: migrate(script, name, _rehearsal(script, name)))
    refuse(script, phase, ended)
    return [name for name in names if ended[name]["rehearsal"]["pending"]]


def _rehearsal(script: Script, name: str) -> dict[str, t.Any]:
    expected = script.world.plan.expected.get(name)
    query = {"name": "applied", "query": QUERY, "expect": expected}
    return {
        "backup": name,
        "release": script.version,
        "copy": {**CONNECTION, "login_db": f"{REHEARSAL}{name}"},
        "queries": [query] if expected else [],
    }
