"""playbooks/rollback.yml --tags database: services stopped, each database from its backup, services back."""

import hashlib
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
    orders = on_each(script, names, lambda name: _order(script, name))
    checks = on_each(script, names, lambda name: _check(script, name, orders[name]))
    script.lock("undo")
    if any(one["changed"] for one in checks.values()):
        begun = {"by": APPROVED_BY, "reason": _reason(script), "at": "", "open": True}
        _note(
            script, "announce_start", "Note that the restore begins", facts={"restore_asked": begun}
        )
    script.require(keep_off(script, f"{LEFT}{_reason(script)}"))
    causes = _restore(script, orders, checks)
    _start(script, causes)
    if causes:
        script.task(
            "database_restore/conclude", "Record why it failed", name=script.version, notes=causes
        )
        raise StopError(" ".join(causes))
    _note(script, "conclude", "Note that the restore has ended")
    close(script, "database")
    script.unlock("undo")


def _note(script: Script, file: str, task: str, **written: t.Any) -> None:
    place = f"database_restore/{file}"
    script.require(script.task(place, task, name=script.version, fence=script.epoch, **written))


def _order(script: Script, name: str) -> Result:
    """Which backup, by the record; and whether the record says that these words were carried out."""
    found = script.require(
        script.task(
            "database_restore/check",
            "Find the release's backup of the database",
            name=script.version,
        )
    )
    record = found.get("record") or {}
    facts = record.get("facts") or {}
    recorded = (facts.get("restore_points") or {}).get(name) or (record.get("backups") or {}).get(
        name, {}
    )
    if not recorded.get("key"):
        raise StopError(f"there is no backup of {name} in the record")
    words = "\n".join((recorded["key"], APPROVED_BY, _reason(script)))
    request = hashlib.sha256(words.encode()).hexdigest()[:12]
    known = (facts.get("database_restores") or {}).get(name, {}).get(request, {})
    return {"key": recorded["key"], "request": request, "known": "live" in known}


def _asked(script: Script, name: str, order: Result) -> dict[str, t.Any]:
    return {
        "key": order["key"],
        "method": METHODS[name],
        "approved_by": APPROVED_BY,
        "reason": _reason(script),
        "request": order["request"],
        "pg_restore": "pg_restore",
        "psql": "psql",
        "module_defaults": {**CONNECTION, "login_db": name, **BUCKET},
    }


def _check(script: Script, name: str, order: Result) -> Result:
    if order["known"]:
        return {"changed": False}
    return script.require(
        script.task(
            "database_restore/check",
            "Check that the backup can be restored, and what would be lost",
            **_asked(script, name, order),
        )
    )


def _restore(script: Script, orders: dict[str, Result], checks: dict[str, Result]) -> list[str]:
    """Why it failed, of each database by itself."""
    try:
        script.lock("undo")
        if any(one["changed"] for one in checks.values()):
            script.require(_scale(script, "stop", "Stop all writers of the databases"))
        asked = [name for name, one in orders.items() if not one["known"]]
        kept = on_each(
            script,
            [one for one in asked if METHODS[one] == "in_place" and checks[one]["changed"]],
            lambda name: _keep_failed(script, name, orders[name]),
        )
    except StopError as exc:
        return [str(exc)]
    asked = [name for name in asked if not kept.get(name, {}).get("failed")]
    restored = on_each(script, asked, lambda name: _put_back(script, name, orders[name]))
    well = [name for name, one in restored.items() if not one.get("failed")]
    recorded = on_each(script, well, lambda name: _record(script, name, orders[name], restored))
    ended = [*kept.values(), *restored.values(), *recorded.values()]
    return [str(one.get("msg")) for one in ended if one.get("failed")]


def _keep_failed(script: Script, name: str, order: Result) -> Result:
    """In place keeps nothing."""
    return script.task(
        "database_restore/keep",
        "Back up the failed data",
        name=f"{name}_failed",
        release=f"{script.version}-{order['request']}",
        pg_dump="pg_dump",
        pg_restore="pg_restore",
        module_defaults={**CONNECTION, "login_db": name, **BUCKET},
    )


def _put_back(script: Script, name: str, order: Result) -> Result:
    return script.task(
        "database_restore/main",
        "Restore the database",
        fence=script.epoch,
        kubernetes=CLUSTER,
        **_asked(script, name, order),
    )


def _record(script: Script, name: str, order: Result, restored: dict[str, Result]) -> Result:
    entry = {
        **{one: restored[name][one] for one in ("method", "live", "kept")},
        "approved_by": APPROVED_BY,
        "reason": _reason(script),
        "backup": order["key"],
    }
    return script.task(
        "database_restore/main",
        "Record the approval, the backup and the failed database",
        name=script.version,
        facts={"database_restores": {name: {order["request"]: entry}}},
        notes=[f"{name} was restored from {order['key']}, approved by {APPROVED_BY}"],
    )


def _start(script: Script, causes: list[str]) -> None:
    started = _scale(script, "start", "Start the services with their previous pod counts")
    if started.get("failed"):
        causes.append(f"Not all services are back: {started.get('msg')}")


def _scale(script: Script, file: str, task: str) -> Result:
    return script.task(f"database_restore/{file}", task, deployments=script.services)


def look(script: Script) -> None:
    """Somebody who reads a backup in a database made for that, and drops it."""
    connection = {**CONNECTION, "login_db": SCRATCH, **BUCKET}
    name = next(iter(script.world.plan.stores))
    words = {"method": "scratch", "name": name, "release": script.version}
    script.require(script.task.act("by hand: look", "pg_restore", {**words, **connection}))
    script.world.sleep(script.actor.options["holds"])
    gone = {"method": "scratch", "state": "absent", **connection}
    script.require(script.task.act("by hand: drop it", "pg_restore", gone))


def _reason(script: Script) -> str:
    return str(script.actor.options["reason"])
