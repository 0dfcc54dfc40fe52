"""playbooks/database.yml, both databases at a time as Ansible's hosts are; and others beside it."""

import typing as t

import psycopg2

from ..bucket import CONNECTION as BUCKET
from ..platform import CLUSTER
from ..stores import KINDS, QUERY, REHEARSAL
from ..tasks import Result
from .script import Script, StopError

CONNECTION = {
    "login_host": "db.example.com",
    "login_user": "deployer",
    "login_password": "not-a-secret",
    "ssl_mode": "require",
}
_LEFT_OUT = ("include_all", "baseline", "schema", "chdir", "generate_command")
"""Options that the inventory does not set."""


def database(script: Script) -> None:
    phase = "database"
    script.begin(phase)
    backups = _back_up_all(script, phase)
    stores = script.world.stores
    assert stores is not None
    if script.world.plan.rehearsed:
        pending = _rehearse(script, phase)
    else:
        pending = [name for name in script.world.plan.stores if stores.pending(name)]
    _record_points(script, phase, pending, backups)
    changed = False
    for name in script.world.plan.stores:
        migrated = migrate(script, name)
        refuse(script, phase, {name: migrated})
        changed = changed or migrated["changed"]
    script.close(phase, changed=changed)


def _back_up_all(script: Script, phase: str) -> dict[str, Result]:
    names = [*script.world.plan.stores]
    taken = on_each(script, names, lambda name: _back_up(script, name))
    refuse(script, phase, taken)
    recorded = on_each(script, names, lambda name: _record(script, name, taken[name]))
    refuse(script, phase, recorded)
    return {name: {**taken[name], **recorded[name]} for name in names}


def _record_points(
    script: Script, phase: str, pending: list[str], backups: dict[str, Result]
) -> None:
    pointed = on_each(script, pending, lambda name: _record_point(script, name, backups[name]))
    refuse(script, phase, pointed)


def _back_up(script: Script, name: str) -> Result:
    return script.task(
        "db_backup/main",
        "Back up the database and verify the backup",
        name=name,
        pg_dump="pg_dump",
        pg_restore="pg_restore",
        max_age=3600,
        not_before=None,
        module_defaults={
            **CONNECTION,
            "login_db": name,
            **BUCKET,
            "release": script.version,
        },
    )


def _record(script: Script, name: str, taken: Result) -> Result:
    return script.task(
        "db_backup/main",
        "Record the backup",
        name=script.version,
        backups={name: taken["backup"]},
        fence=script.epoch,
    )


def _record_point(script: Script, name: str, backup: Result) -> Result:
    facts = backup["record"]["facts"]
    restores = len((facts.get("database_restores") or {}).get(name, {}))
    points = facts.get("restore_points") or {}
    if points.get(name, {}).get("restores", -1) == restores:
        return backup
    return script.task(
        "db_backup/restore_point",
        "Record the backup from before the first migration as restore point",
        name=script.version,
        facts={"restore_points": {name: {"key": backup["backup"]["key"], "restores": restores}}},
        fence=script.epoch,
    )


def migrate(script: Script, name: str, rehearsal: dict[str, t.Any] | None = None) -> Result:
    """The database `name`, or with a `rehearsal` a copy of it."""
    kind = KINDS[script.world.plan.stores[name]]
    return script.task(
        "migration_rehearsal/migrate",
        "Apply the pending migrations",
        kind=kind.name,
        directory=kind.folder,
        waivers={},
        expect_tables=["loyalty", "coupons"],
        fence=script.epoch,
        kubernetes=CLUSTER,
        rehearsal=rehearsal,
        **dict.fromkeys(_LEFT_OUT),
        module_defaults={**CONNECTION, "login_db": name, **BUCKET},
    )


def _rehearse(script: Script, phase: str) -> list[str]:
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


def migrate_alone(script: Script) -> None:
    """Somebody's own playbook or job, which knows nothing of releases and their lock."""
    for name in script.world.plan.stores:
        script.require(migrate(script, name))


def write_rows(script: Script) -> None:
    """The application, in a transaction that takes its time."""
    world = script.world
    assert world.stores is not None
    name = script.actor.options.get("database", "platform")
    try:
        session = world.stores.databases.connect(dbname=name, application_name="shop").cursor()
        session.execute("BEGIN")
        session.execute("UPDATE shop.orders SET user_id = user_id WHERE id = 1")
        world.sleep(script.actor.options["holds"])
        session.execute("COMMIT")
    except psycopg2.Error as exc:
        raise StopError(str(exc)) from exc


def on_each(script: Script, names: list[str], act: t.Callable[[str], Result]) -> dict[str, Result]:
    """At once; the next task begins when all are through."""
    return dict(zip(names, script.world.side_by_side(act, names, len(names)), strict=True))


def refuse(script: Script, phase: str, results: dict[str, Result]) -> None:
    failures = [one for one in results.values() if one.get("failed")]
    if not failures:
        return
    for failure in failures:
        script.failed(phase, failure)
    raise StopError("; ".join(str(one.get("msg")) for one in failures))
