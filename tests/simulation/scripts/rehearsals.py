"""roles/migration_rehearsal: what is pending is applied to a copy that is made of the backup, and dropped again."""

import typing as t

from ..bucket import CONNECTION as BUCKET
from ..stores import QUERY, REHEARSAL
from ..tasks import Result
from .script import Script
from .stores import CONNECTION, failed_of, migrate, on_each, refuse


def rehearse(script: Script, phase: str) -> list[str]:
    """Which databases have pending migrations."""
    names = [*script.world.plan.stores]
    seen = on_each(script, names, lambda name: migrate(script, name, check=True))
    refuse(script, phase, seen)
    due = [name for name in names if seen[name]["pending"]]
    others = [name for name in names if name not in due]
    _drop(script, "main", "Drop a copy that an interrupted rehearsal left", others)
    ended = on_each(script, due, lambda name: _copy(script, name))
    if not failed_of(ended):
        ended = on_each(script, due, lambda name: migrate(script, name, f"{REHEARSAL}{name}"))
    if not failed_of(ended):
        asked = [name for name in due if name in script.world.plan.expected]
        ended |= on_each(script, asked, lambda name: _verify(script, name))
    refuse(script, phase, _drop(script, "rehearse", "Drop the scratch database", due))
    failed = failed_of(ended)
    entry = {"status": "failed" if failed else "passed"}
    recorded = on_each(script, due, lambda name: _record(script, name, entry))
    refuse(script, phase, {**recorded, **failed})
    return due


def _copy(script: Script, name: str) -> Result:
    return script.task(
        "migration_rehearsal/rehearse",
        "Restore the backup into the scratch database",
        name=name,
        release=script.version,
        request=f"{script.world.wall():.6f}",
        owners="keep",
        pg_restore="pg_restore",
        module_defaults=_scratch(name),
    )


def _verify(script: Script, name: str) -> Result:
    question = {"query": QUERY, "expect": script.world.plan.expected[name]}
    asked = {**CONNECTION, "login_db": f"{REHEARSAL}{name}", **question}
    return script.task(
        "migration_rehearsal/rehearse",
        "Run the verification queries",
        checks=[{"name": "applied", "kind": "postgres", "postgres": asked}],
    )


def _drop(script: Script, where: str, task: str, names: list[str]) -> dict[str, Result]:
    return on_each(
        script,
        names,
        lambda name: script.task(
            f"migration_rehearsal/{where}", task, module_defaults=_scratch(name)
        ),
    )


def _record(script: Script, name: str, entry: dict[str, str]) -> Result:
    return script.task(
        "migration_rehearsal/due",
        "Record the rehearsal, or why there was none",
        name=script.version,
        evidence={"rehearsals": {name: entry}},
        fence=script.epoch,
    )


def _scratch(name: str) -> dict[str, t.Any]:
    return {**CONNECTION, "login_db": f"{REHEARSAL}{name}", **BUCKET}
