"""What holds of the databases, as somebody sees them who looks by himself."""

import typing as t
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass

import psycopg2
import psycopg2.errors
from psycopg2.extensions import connection

from ..scheduler import Process, sender_of
from ..stores import INDEXED, VERSIONS, Kind
from ..tasks import Did
from .history import RECORD, History, Part, Write, record_of

_EFFECTS = "SELECT version, at, count(*) FROM effects.applied GROUP BY version, at"
_INDEX = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('shop.orders_note')"
_NO_TRANSACTION = "order_notes_index"
"""In the name of each kind's migration that is none, and so is not begun again."""
_THERE_ALREADY = ("42P07", "42701", "23505")
"""What a server says to what is there: duplicate_table, duplicate_column, unique_violation."""
_OF_LOCKS = ("55P03", "25P02")
"""And to a lock that does not come (lock_not_available), or in the transaction that waited for it."""
MODULE = "migrations"


@dataclass(frozen=True)
class Seen:
    """`applied`: how often the history has each version; `effects`: how often it began and ended."""

    applied: Counter[str]
    effects: t.Mapping[tuple[str, str], int]
    index: bool | None
    """Whether it is valid; None when there is none."""

    def whole(self, version: str) -> bool:
        if version == INDEXED:
            return self.index is True
        return all(self.effects.get((version, at)) == 1 for at in ("begin", "end"))

    def left(self, version: str) -> bool:
        """Whether something of it is there."""
        return version != INDEXED and any(of == version for of, _at in self.effects)


class StoreInvariants(Part):
    def __init__(self, history: History) -> None:
        super().__init__(history)
        self._seen: dict[str, Seen] = {}
        self._looked: dict[str, tuple[str, Seen]] = {}
        """What was seen last, and the place in the log of all writes at which."""
        self._by: dict[tuple[str, str], str] = {}
        """Whose commit put a version into the history."""
        self._applied: dict[tuple[str, str], float] = {}
        """When each run applied its last migration to each database."""
        self._gave_up: Counter[tuple[str, float]] = Counter()
        """How often a task waited for a lock until its time was over, by the process and when the task began."""
        if self._world.stores is not None:
            self._stores.databases.observers.append(self._committed)
            self._stores.databases.waited.append(self._waited)

    def written(self, write: Write) -> None:
        if write.name != RECORD or write.after is None or self._world.stores is None:
            return
        before = record_of(write.before)["phases"] if write.before else {}
        phases = record_of(write.after)["phases"]
        for phase, one in phases.items():
            if one["status"] == "done" and before.get(phase, {}).get("status") != "done":
                self._finished(phase, write.by)

    def claimed(self, process: Process, did: Did) -> None:
        if did.module != MODULE or did.params["rehearsal"]:
            return
        database = did.params["login_db"]
        seen = self._look(database)
        if seen is None:
            return
        for one in did.result.get("applied") or ():
            version = version_of(one)
            by = self._by.get((database, version))
            self._check(
                "applied_once",
                by == process.name,
                f"{process.name} says it applied {version} to {database}, and {by} did",
            )
        if did.result.get("reason") == "MigrationFailed":
            self._check_failure(process, did)
        if did.result.get("reason") == "MigrationFailed" and did.result["atomic"]:
            version = version_of({"version": did.result["file"].partition("_")[0]})
            self._check(
                "true_claims",
                self._by.get((database, version)) != process.name,
                f"{process.name} says that {version} was rolled back in {database}, and it was applied",
            )
        if not did.failed and did.params["state"] == "applied":
            missing = [one for one in VERSIONS if not seen.applied[one]]
            self._check(
                "true_claims", not missing, f"{did.module} of {database} ended without {missing}"
            )

    def _check_failure(self, process: Process, did: Did) -> None:
        file, sqlstate = did.result["file"], did.result["sqlstate"]
        self._check(
            "applied_once",
            sqlstate not in _THERE_ALREADY,
            f"{process.name} began {file} of {did.params['login_db']}, which is there: {sqlstate}",
        )
        if sqlstate in _OF_LOCKS and _NO_TRANSACTION not in file:
            times, retries = self._gave_up[process.name, did.began], did.params["lock_retries"]
            self._check(
                "tries_again",
                times > retries,
                f"{process.name} gave {file} up after {times} tries, and may make {retries + 1}",
            )

    def _waited(self, process: Process, seconds: float) -> None:
        module, params = self._history.doing(process.name)
        if module == MODULE and not params["rehearsal"]:
            if seconds >= params["lock_timeout"] - 0.001:
                self._gave_up[process.name, self._history.began(process.name)] += 1
            self._check(
                "holds_nobody_up",
                seconds <= params["lock_timeout"] + 0.001,
                f"{process.name} waited {seconds:.1f} s for a lock, and others behind it",
            )

    def _finished(self, phase: str, by: str) -> None:
        if phase != "database":
            return
        for database in self._stores.kinds:
            seen = self._look(database)
            wanting = seen and [one for one in VERSIONS if not seen.applied[one]]
            self._check(
                "done_is_done", not wanting, f"{by} closed {phase}, and {database} lacks {wanting}"
            )

    def _committed(self, database: str, process: Process | None) -> None:
        seen, before = self._look(database), self._seen.get(database)
        if seen is None:
            return
        self._seen[database] = seen
        check = self._check
        for version in VERSIONS:
            times = seen.applied[version]
            if times and not (before and before.applied[version]):
                self._by[database, version] = sender_of(process)
                self._check_lock(database, version, sender_of(process))
            often = [seen.effects.get((version, at), 0) for at in ("begin", "end")]
            check(
                "applied_once",
                times <= 1 and max(often) <= 1,
                f"{database}: {version} is {times} times in the history, its effects {often} times",
            )
            if times:
                check(
                    "never_half",
                    seen.whole(version) or self._is_stated(database, version),
                    f"{database}: {version} is half there: {seen}",
                )
            else:
                check("never_half", not seen.left(version), f"{database}: {version} left {seen}")

    def _is_stated(self, database: str, version: str) -> bool:
        """Whether it is there because a person said so."""
        by = self._by.get((database, version), "")
        return self._history.script_of(by) == "resolve_migrations"

    def _check_lock(self, database: str, version: str, by: str) -> None:
        now = self._world.scheduler.now
        since = max(self._history.began(by), self._applied.get((by, database), 0.0))
        self._applied[by, database] = now
        self._check(
            "asks_first",
            self._history.knew_its_lock(by, since),
            f"{by} lost the lock, and applied {version} to {database}",
        )
        self._check(
            "asks_first",
            self._history.knew_of_no_freeze(by, since),
            f"{by} applied {version} to {database} in a freeze",
        )

    def _look(self, database: str) -> Seen | None:
        """None where somebody holds what would be looked at, or nobody may look."""
        stores = self._stores
        kind = stores.kinds.get(database)
        if kind is None:
            return None
        place = stores.databases.server.place()
        known = self._looked.get(database)
        if known is not None and known[0] == place:
            return known[1]
        # A restore closes a database for a moment, which is an operational error.
        with suppress(psycopg2.OperationalError):
            seen = seen_in(stores.databases.eye(database), kind)
            if stores.databases.at_rest:
                self._looked[database] = place, seen
            return seen
        return None


def seen_in(eye: connection, kind: Kind) -> Seen:
    with eye.cursor() as cursor:
        cursor.execute(_EFFECTS)
        effects = {(version, at): count for version, at, count in cursor.fetchall()}
        cursor.execute(_INDEX)
        index = cursor.fetchall()
        applied: Counter[str] = Counter()
        with suppress(psycopg2.errors.UndefinedTable):
            cursor.execute(kind.ledger)
            applied.update(row[0] for row in cursor.fetchall())
    return Seen(applied, effects, index[0][0] if index else None)


def version_of(migration: t.Mapping[str, t.Any]) -> str:
    """Of what a task says that it applied; the last digit of each kind's version is ours."""
    found = str(migration.get("version") or migration["name"]).partition("_")[0]
    return found[-1]
