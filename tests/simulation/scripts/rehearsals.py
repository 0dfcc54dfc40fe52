"""roles/migration_rehearsal: what is pending is applied to a copy that is made of the backup, and dropped again."""

import typing as t

from ..stores import QUERY, REHEARSAL
from .script import Script
from .stores import CONNECTION, migrate, refuse


def rehearse(script: Script, phase: str) -> list[str]:
    """Which databases have pending migrations."""
    due = []
    # One after the other: the kinds of their migrations differ, and with them the role that is included.
    for name in script.world.plan.stores:
        ended = migrate(script, name, _rehearsal(script, name))
        refuse(script, phase, {name: ended})
        due += [name] if ended["rehearsal"]["pending"] else []
    return due


def _rehearsal(script: Script, name: str) -> dict[str, t.Any]:
    expected = script.world.plan.expected.get(name)
    query = {"name": "applied", "query": QUERY, "expect": expected}
    return {
        "backup": name,
        "release": script.version,
        "copy": {**CONNECTION, "login_db": f"{REHEARSAL}{name}"},
        "queries": [query] if expected else [],
    }
