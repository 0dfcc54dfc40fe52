"""What holds of restores, by the server's databases and by what the dump itself holds."""

import hashlib
import io
import typing as t
from contextlib import suppress
from dataclasses import dataclass

import psycopg2

from ..plan import AGAIN
from ..programs import content_of
from ..scheduler import GONE, Process, sender_of
from ..scripts.restores import METHODS, SCRATCH
from ..stores import REHEARSAL, Stores
from ..tasks import Did
from .history import History, Part

CONTROL = "postgres"
"""The database from which others are made and renamed."""
BYSTANDER = "agent_core_restore_20260101_000000"
"""Somebody's own, whatever its name is like."""
_DATABASES = "SELECT datname, oid, datallowconn FROM pg_database WHERE NOT datistemplate"
_TABLES = """
SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND left(n.nspname, 3) <> 'pg_' AND n.nspname <> 'information_schema'
"""
_OBJECTS = """
SELECT format('%s %I %I', CASE contype WHEN 'f' THEN 'FK CONSTRAINT' ELSE 'CONSTRAINT' END, nspname, conname)
FROM pg_constraint c JOIN pg_namespace n ON n.oid = c.connamespace
WHERE contype IN ('f', 'p', 'u') AND left(nspname, 3) <> 'pg_'
UNION ALL SELECT format('INDEX %I %I', nspname, relname)
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE left(nspname, 3) <> 'pg_' AND nspname <> 'information_schema'
AND NOT EXISTS (SELECT 1 FROM pg_constraint o WHERE o.conindid = i.indexrelid AND o.contype IN ('p', 'u'))
"""


@dataclass(frozen=True)
class Switch:
    """One database put in the place of another."""

    at: float
    by: str
    request: str
    oid: int
    kept: int
    """What served before."""


@dataclass(frozen=True)
class Standing:
    oid: int
    open: bool


class RestoreInvariants(Part):
    def __init__(self, history: History) -> None:
        super().__init__(history)
        self._switches: dict[str, list[Switch]] = {}
        self._first: dict[str, int] = {}
        """Which database had each name in the beginning."""
        self._before: dict[str, t.Any] = {}
        """What is in a database that is restored in place, as long as nobody else writes."""
        self._copies: dict[int, tuple[str, str, float]] = {}
        """Whatever else was made: its name, by whom and when."""
        if self._world.stores is None or not _restores(history):
            return
        self._stores.databases.server.make(BYSTANDER)
        self._first = {name: one.oid for name, one in self._standing().items()}
        self._stores.databases.observers.append(self._committed)

    def _standing(self) -> dict[str, Standing]:
        asked = self._stores.databases.server.ask(_DATABASES)
        return {name: Standing(oid, is_open) for name, oid, is_open in asked}

    def _committed(self, database: str, process: Process | None) -> None:
        if METHODS.get(database) == "in_place" and database in self._stores.kinds:
            self._committed_in_place(database, process)
        if database != CONTROL:
            return
        by, now = sender_of(process), self._world.scheduler.now
        standing = self._standing()
        served = {one.oid for one in standing.values()}
        known = {
            *self._first.values(),
            *(one.oid for switch in self._switches.values() for one in switch),
        }
        lost = [name for name in self._stores.kinds if name not in standing]
        lost += [name for name, oid in self._first.items() if oid not in served]
        lost += [
            name
            for name, switches in self._switches.items()
            if any(one.oid not in served for one in switches)
        ]
        self._check("never_gone", not lost, f"{by} has left nothing of {lost}")
        if lost:
            return
        for name in self._stores.kinds:
            before, oid = self._serves(name), standing[name].oid
            if oid != before:
                known.add(oid)
                self._switched(name, by, oid, before, now)
        for name, one in standing.items():
            if one.oid not in known:
                self._copies.setdefault(one.oid, (name, by, now))
        self._copies = {
            oid: made for oid, made in self._copies.items() if oid in served and oid not in known
        }

    def _committed_in_place(self, name: str, process: Process | None) -> None:
        by = sender_of(process)
        module, params = self._history.doing_to(by, name)
        if process is not None and module != "pg_restore":
            self._before.pop(name, None)
            return
        with suppress(psycopg2.OperationalError):
            found = _read(self._stores, name)
            if found == self._before.get(name):
                return
            key, request = self._asked(params)
            wrong = self._differs(name, key) if key else ""
            if name not in self._before and (wrong or not key):
                return  # what was there before is not known
            self._check("restored_whole", not wrong, f"{by} restored {name}, and it has {wrong}")
            self._check_lock(by, name, name)
            oid = self._first[name]
            switch = Switch(self._world.scheduler.now, by, request, oid, oid)
            self._switches.setdefault(name, []).append(switch)
            self._before[name] = found

    def _serves(self, name: str) -> int:
        switches = self._switches.get(name)
        return switches[-1].oid if switches else self._first[name]

    def _switched(self, name: str, by: str, oid: int, before: int, now: float) -> None:
        _module, params = self._history.doing_to(by, name)
        key, request = self._asked(params)
        self._switches.setdefault(name, []).append(Switch(now, by, request, oid, before))
        self._check_lock(by, name, self._copies.get(oid, (name, by, now))[0])
        if not key:
            return  # by a request that arrived when nobody waited for it
        wrong = self._differs(name, key)
        self._check("restored_whole", not wrong, f"{by} put into the place of {name} {wrong}")

    def _asked(self, params: t.Mapping[str, t.Any]) -> tuple[str, str]:
        """The backup that a task restores, by the record, and the word for that; both empty of another task."""
        if not params.get("record"):
            return "", ""
        record, name = self._history.record(params["release"]), params["name"]
        points = record["facts"].get("restore_points") or {}
        key = (points.get(name) or record["backups"][name])["key"]
        words = "\n".join((key, params["approved_by"], params["reason"]))
        return key, hashlib.sha256(words.encode()).hexdigest()[:12]

    def _check_lock(self, by: str, name: str, worked_in: str) -> None:
        """`worked_in`: the database that it had filled and compared right before."""
        done = self._stores.databases.done.get((by, worked_in), 0.0)
        self._check(
            "asks_first",
            self._history.knew_its_lock(by, done),
            f"{by} lost the lock, and restored {name}",
        )

    def _differs(self, name: str, key: str) -> str:
        """In what a database differs from the backup; "" when it does not."""
        rows, objects = content_of(self._stores.bucket.objects[key].body)
        found, made = _read(self._stores, name)
        wrong = [one for one in sorted({*rows, *found}) if rows.get(one) != found.get(one)]
        wrong += sorted(objects ^ made)
        return f"other {', '.join(wrong)}" if wrong else ""

    def claimed(self, process: Process, did: Did) -> None:
        name = did.params.get("login_db", "")
        if did.module == "pg_backup" and self._first and did.params["name"] != name:
            with suppress(psycopg2.OperationalError):
                self._before[name] = _read(self._stores, name)
        if did.module != "pg_restore" or not self._first:
            return
        if name == SCRATCH or name.startswith(REHEARSAL):
            self._check_scratch(process, did, name)
        elif did.failed:
            self._check_failure(process, did)
        else:
            standing = self._standing()
            known = not did.result["backup"]
            carried_out = [
                one
                for one in self._switches.get(name, ())
                if one.request in (did.result["request"], "")
                and (
                    known
                    or standing.get(did.result["kept"] or name, Standing(0, False)).oid == one.kept
                )
            ]
            self._check(
                "true_claims",
                self._looks_restored(name, did) or bool(carried_out),
                f"{process.name} says that {name} is restored and the failed one kept as {did.result['kept']}",
            )

    def _looks_restored(self, name: str, did: Did) -> bool:
        """What is restored in place once more looks as before."""
        return METHODS[name] == "in_place" and not self._differs(name, self._asked(did.params)[0])

    def _check_scratch(self, process: Process, did: Did, name: str) -> None:
        if did.failed:
            return
        there = name in self._standing()
        if did.params["state"] == "absent":
            self._check(
                "true_claims",
                self._others(process) or not there,
                f"{process.name} dropped {name}, and it is there",
            )
        elif there or not self._others(process):
            wrong = "nothing" if not there else self._differs(name, did.result["backup"]["key"])
            self._check("restored_whole", not wrong, f"{process.name} made {name} with {wrong}")

    def _others(self, process: Process) -> bool:
        """Who makes and drops a database of that name too."""
        script = self._history.script_of(process.name)
        return any(
            one.script == script and one.name != process.name for one in self._world.plan.actors
        )

    def _check_failure(self, process: Process, did: Did) -> None:
        """By what it says of where things stand now."""
        name, said = did.params["login_db"], str(did.result.get("msg"))
        standing = self._standing()
        since = [one for one in self._switches.get(name, ()) if one.at >= did.began]
        mine = [one for one in since if one.by in (process.name, GONE)]
        check = self._check
        serves = any(one in said for one in ("serves as before", "Nothing was committed"))
        if serves or "restored nothing yet" in said:
            check("true_claims", not mine, f"{process.name} restored {name}, and says: {said}")
        if serves:
            closed = not standing[name].open and not self._is_closed_by_others(process, name)
            check("true_claims", not closed, f"{name} is closed, and {process.name} says: {said}")
        if "the restored database serves" in said or "the restored data serves" in said:
            again = self._looks_restored(name, did)
            check(
                "true_claims",
                bool(since) or again,
                f"{process.name} did not restore {name}, and says: {said}",
            )
        if "no copy is left" in said:
            left = [
                copy
                for copy, by, at in self._copies.values()
                if by == process.name and at >= did.began and copy.startswith(name)
            ]
            check("true_claims", not left, f"{left} is there, and {process.name} says: {said}")

    def _is_closed_by_others(self, process: Process, name: str) -> bool:
        """Who restores it now."""
        for actor in self._world.plan.actors:
            module, _params = self._history.doing_to(actor.name, name)
            if actor.name != process.name and module == "pg_restore":
                return True
        return False

    def ended_again(self) -> None:
        """The last restore or rehearsal was done, whatever was killed before it."""
        plan = self._world.plan
        last = next((one.script for one in plan.actors if one.name == AGAIN), "")
        if self._first and plan.rehearsed and last == "deploy_stores":
            left = [name for name, _by, _at in self._copies.values() if name.startswith(REHEARSAL)]
            self._check("copy_goes", not left, f"left after a rehearsal: {left}")
        if not self._first or last != "restore":
            return
        standing = self._standing()
        wrong = [f"{name} is closed" for name in self._stores.kinds if not standing[name].open]
        wrong += [
            f"{name} is left"
            for name, _by, _at in self._copies.values()
            if name != SCRATCH and not name.startswith(REHEARSAL)
        ]
        for name in plan.services:
            found = self._history.find("deployments", name)
            replicas = found["spec"]["replicas"] if found else 0
            if replicas != plan.services[name]:
                wrong.append(f"{name} has {replicas} replicas")
        self._check("restore_ends", not wrong, ", ".join(wrong))


def _restores(history: History) -> bool:
    return history.world.plan.rehearsed or any(
        one.script in ("restore", "look") for one in history.world.plan.actors
    )


def _read(stores: Stores, name: str) -> tuple[dict[str, tuple[str, ...]], frozenset[str]]:
    """Its rows by table as COPY writes them, and its constraints and indexes."""
    eye = stores.databases.eye(name)
    found = {}
    with eye.cursor() as cursor:
        cursor.execute(_TABLES)
        for (table,) in cursor.fetchall():
            written = io.StringIO()
            cursor.copy_expert(f"COPY {table} TO STDOUT", written)
            found[table] = tuple(sorted(written.getvalue().splitlines()))
        cursor.execute(_OBJECTS)
        made = frozenset(row[0] for row in cursor.fetchall())
    return found, made
