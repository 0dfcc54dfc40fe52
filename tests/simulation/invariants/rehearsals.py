"""What holds of rehearsals, by the copy in which one was done and by what is applied after it."""

from contextlib import suppress

import psycopg2

from ..scheduler import Process
from ..stores import COUNTED, QUERY, REHEARSAL, VERSIONS
from ..tasks import Did
from .history import History, Part
from .stores import MODULE, Seen, seen_in, version_of


class RehearsalInvariants(Part):
    def __init__(self, history: History) -> None:
        super().__init__(history)
        self._rehearsed: dict[tuple[str, str], frozenset[str]] = {}
        """Which versions a run applied to the copy of a database, since its last backups."""
        self._dropped: dict[tuple[str, str], tuple[Seen, str]] = {}
        """What was in each copy that a run dropped, and the answer to the query."""
        if self._world.stores is not None:
            self._stores.databases.dropping.append(self._dropping)

    def claimed(self, process: Process, did: Did) -> None:
        by = process.name
        if did.module == "pg_backup":
            self._rehearsed = {key: one for key, one in self._rehearsed.items() if key[0] != by}
        if did.module != MODULE:
            return
        name = did.params["login_db"]
        if did.params["rehearsal"]:
            self._check_rehearsal(process, name, did)
        elif self._world.plan.rehearsed and self._history.script_of(by).startswith("deploy"):
            applied = {version_of(one) for one in did.result.get("applied") or ()}
            rehearsed = self._rehearsed.get((by, name), frozenset())
            self._check(
                "rehearsed_first",
                applied <= rehearsed,
                f"{by} applied {sorted(applied)} to {name}, and rehearsed {sorted(rehearsed)}",
            )
            expected = self._world.plan.expected.get(name, COUNTED)
            self._check(
                "rehearsed_first",
                not applied or expected == COUNTED,
                f"{by} applied {sorted(applied)} to {name}, whose copy does not hold {expected}",
            )

    def _check_rehearsal(self, process: Process, name: str, did: Did) -> None:
        """By what the copy was when it was dropped: at the end of what is claimed, or never."""
        copy = f"{REHEARSAL}{name}"
        seen, answer = self._dropped.pop((process.name, copy), (None, ""))
        if did.failed or did.result["rehearsal"]["status"] != "passed" or seen is None:
            return
        half = [one for one in VERSIONS if not seen.applied[one] or not seen.whole(one)]
        self._check(
            "true_claims", not half, f"{process.name} rehearsed {name}, and its copy lacked {half}"
        )
        expected = self._world.plan.expected.get(name, answer)
        self._check(
            "true_claims",
            answer == expected,
            f"{process.name} found {expected} in {copy}, which had {answer}",
        )
        self._rehearsed[process.name, name] = frozenset(seen.applied)

    def _dropping(self, copy: str, process: Process | None) -> None:
        """Unless it is one that was left there, in which this task has done nothing yet."""
        if process is None or not copy.startswith(REHEARSAL):
            return
        stores = self._stores
        worked = stores.databases.done.get((process.name, copy), 0.0)
        if worked <= self._history.began(process.name):
            return
        kind = stores.kinds[copy.removeprefix(REHEARSAL)]
        with suppress(psycopg2.Error):
            seen = seen_in(stores.databases.eye(copy), kind)
            with stores.databases.eye(copy).cursor() as cursor:
                cursor.execute(QUERY)
                self._dropped[process.name, copy] = seen, str(cursor.fetchall()[0][0])
