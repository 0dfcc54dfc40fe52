"""playbooks/rollback.yml --tags database: services stopped, each database from its backup, services back."""

import typing as t

from ..bucket import CONNECTION as BUCKET
from ..platform import CLUSTER
from ..tasks import Result
from .flags import keep_off
from .rollback import close
from .script import Script, StopError
from .stores import CONNECTION, on_each

APPROVED_BY = "Jane Doe"
METHODS = {"agent_core": "swap", "platform": "in_place"}
"""By the database. Supabase's own services stay connected to theirs, which is restored in place."""
SCRATCH = "look_at_it"
LEFT = "the databases are restored: "


def restore(script: Script) -> None:
    names = [*script.world.plan.stores]
    checks = on_each(script, names, lambda name: _check(script, name))
    for check in checks.values():
        script.require(check)
    needed = any(one["changed"] for one in checks.values())
    script.lock("undo")
    if needed:
        script.require(_begin(script))
    script.require(keep_off(script, f"{LEFT}{_reason(script)}"))
    ended = _restore(script, checks, needed=needed)
    outcome = script.do(
        "database_restore/conclude",
        "Note that the restore has ended, or find why it failed",
        name=script.version,
        by=APPROVED_BY,
        ended=[{"host": name, **ended[name]} for name in names],
        tests={},
        fence=script.epoch,
    )
    if outcome["causes"]:
        script.task(
            "database_restore/conclude",
            "Write the causes into the release record",
            name=script.version,
            notes=outcome["causes"],
        )
        raise StopError(outcome["sentence"])
    close(script, "database")
    script.unlock("undo")


def _begin(script: Script) -> Result:
    return script.task(
        "database_restore/begin",
        "Note that the restore begins",
        name=script.version,
        by=APPROVED_BY,
        reason=_reason(script),
        fence=script.epoch,
    )


def _order(script: Script, name: str) -> dict[str, t.Any]:
    """What the play's module_defaults say of the database."""
    return {
        **CONNECTION,
        **BUCKET,
        "login_db": name,
        "record": True,
        "name": name,
        "release": script.version,
        "method": METHODS[name],
        "approved_by": APPROVED_BY,
        "reason": _reason(script),
        "kubernetes": CLUSTER,
    }


def _check(script: Script, name: str) -> Result:
    return script.task(
        "database_restore/check",
        "Check the approval, the backup, and what would be lost",
        module_defaults=_order(script, name),
    )


def _restore(
    script: Script, checks: dict[str, Result], *, needed: bool
) -> dict[str, dict[str, Result]]:
    """The results of each database, by what was done: whatever fails, the services start again."""
    ended: dict[str, dict[str, Result]] = {
        name: {"checked": one, "kept": {}, "restored": {}} for name, one in checks.items()
    }
    stopped: Result = {}
    if needed:
        stopped = _scale(script, "Stop all writers of the databases", fence=script.epoch)
    if not stopped.get("failed"):
        kept = on_each(
            script,
            [one for one in checks if METHODS[one] == "in_place" and checks[one]["changed"]],
            lambda name: _keep_failed(script, name, checks[name]),
        )
        asked = [name for name in checks if not kept.get(name, {}).get("failed")]
        restored = on_each(
            script, asked, lambda name: _put_back(script, name, checks[name], kept.get(name, {}))
        )
        for part, results in (("kept", kept), ("restored", restored)):
            for name, result in results.items():
                ended[name][part] = result
    started = _scale(script, "Start the services with their previous pod counts")
    for one in ended.values():
        one |= {"stopped": stopped, "started": started}
    return ended


def _keep_failed(script: Script, name: str, check: Result) -> Result:
    """In place keeps nothing."""
    return script.task(
        "database_restore/main",
        "Back up the failed data",
        name=f"{name}_failed",
        release=f"{script.version}-{check['request']}",
        pg_dump="pg_dump",
        pg_restore="pg_restore",
        module_defaults={**CONNECTION, "login_db": name, **BUCKET},
    )


def _put_back(script: Script, name: str, check: Result, kept: Result) -> Result:
    return script.task(
        "database_restore/main",
        "Restore the database",
        checked=check,
        failed_data=(kept.get("backup") or {}).get("uri", ""),
        fence=script.epoch,
        module_defaults=_order(script, name),
    )


def _scale(script: Script, task: str, **fence: int) -> Result:
    return script.task("database_restore/main", task, deployments=script.services, **fence)


def look(script: Script) -> None:
    """Somebody who reads a backup in a database made for that, and drops it."""
    connection = {**CONNECTION, "login_db": SCRATCH, **BUCKET}
    name = next(iter(script.world.plan.stores))
    words = {"method": "scratch", "name": name, "release": script.version}
    script.require(script.task.act("pg_restore", {**words, **connection}))
    script.world.sleep(script.actor.options["holds"])
    gone = {"method": "scratch", "state": "absent", **connection}
    script.require(script.task.act("pg_restore", gone))


def _reason(script: Script) -> str:
    return str(script.actor.options["reason"])
