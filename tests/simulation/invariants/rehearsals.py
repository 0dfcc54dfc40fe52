"""What holds of rehearsals, by the copy in which one was done and by what is applied after it."""

import typing as t
from contextlib import suppress

import psycopg2

from ..scheduler import Process
from ..stores import COUNTED, REHEARSAL, VERSIONS, Stores
from ..tasks import Did
from .history import History, Write
from .sentences import REHEARSED_FIRST, TRUE_CLAIMS
from .stores import MODULE, seen_in, version_of


class RehearsalInvariants:
    def __init__(self, history: History) -> None:
        self._history = history
        self._rehearsed: dict[tuple[str, str], frozenset[str]] = {}
        """Which versions a run applied to the copy of a database, since its last backups."""

    def written(self, write: Write) -> None:
        """Nothing of the cluster's is about these."""

    def claimed(self, process: Process, did: Did) -> None:
        by = process.name
        if did.module == "pg_backup":
            self._rehearsed = {key: one for key, one in self._rehearsed.items() if key[0] != by}
        if did.module == "health_check" and not did.failed:
            for one in did.params["checks"] or ():
                if one["kind"] == "postgres":
                    self._check_answer(process, one["postgres"])
        if did.module != MODULE:
            return
        applied = frozenset(version_of(one) for one in did.result.get("applied") or ())
        name = did.params["login_db"]
        if name.startswith(REHEARSAL):
            self._rehearsed[by, name.removeprefix(REHEARSAL)] = applied
            if not did.failed:
                self._check_copy(process, name)
        elif self._history.world.plan.rehearsed and self._history.script_of(by).startswith(
            "deploy"
        ):
            rehearsed = self._rehearsed.get((by, name), frozenset())
            self._history.check(
                REHEARSED_FIRST,
                applied <= rehearsed,
                f"{by} applied {sorted(applied)} to {name}, and rehearsed {sorted(rehearsed)}",
            )
            expected = self._history.world.plan.expected.get(name, COUNTED)
            self._history.check(
                REHEARSED_FIRST,
                not applied or expected == COUNTED,
                f"{by} applied {sorted(applied)} to {name}, whose copy does not hold {expected}",
            )

    def _check_answer(self, process: Process, asked: t.Mapping[str, t.Any]) -> None:
        stores = t.cast("Stores", self._history.world.stores)
        with suppress(psycopg2.Error), stores.databases.eye(asked["login_db"]).cursor() as cursor:
            cursor.execute(asked["query"])
            found = str(cursor.fetchall()[0][0])
            self._history.check(
                TRUE_CLAIMS,
                found == asked["expect"],
                f"{process.name} found {asked['expect']} in {asked['login_db']}, which has {found}",
            )

    def _check_copy(self, process: Process, name: str) -> None:
        stores = t.cast("Stores", self._history.world.stores)
        kind = stores.kinds[name.removeprefix(REHEARSAL)]
        with suppress(psycopg2.OperationalError):
            seen = seen_in(stores.databases.eye(name), kind)
            half = [one for one in VERSIONS if not seen.applied[one] or not seen.whole(one)]
            self._history.check(
                TRUE_CLAIMS, not half, f"{process.name} rehearsed {name}, and it lacks {half}"
            )
