"""A folder of Supabase or plain SQL migrations, a database for it, and other sessions that are in the way."""

from __future__ import annotations

import threading
import time
import typing as t

from tests.integration.migration_folders import MigrationFolder
from tests.integration.running import opened


class Project(MigrationFolder):
    kind = "supabase"

    def write(self, **files: str) -> None:
        for name, sql in files.items():
            (self.folder / f"{name.lstrip('v')}.sql").write_text(sql)


class SqlProject(Project):
    kind = "sql"


class HasDatabase(t.Protocol):
    @property
    def database(self) -> dict[str, t.Any]: ...


class Holder:
    """Another session in a transaction that has run `sql`, until the block ends or `seconds` are over."""

    def __init__(self, project: HasDatabase, sql: str, *, seconds: float = 30) -> None:
        self._project = project
        self._sql = sql
        self._seconds = seconds
        self._holds = threading.Event()
        self._release = threading.Event()
        self._thread = threading.Thread(target=self._hold)

    def __enter__(self) -> Holder:
        self._thread.start()
        assert self._holds.wait(60)
        return self

    def __exit__(self, *_exc: object) -> None:
        self.let_go()
        self._thread.join()

    def let_go(self) -> None:
        self._release.set()

    def _hold(self) -> None:
        with opened(self._project.database) as session, session.cursor() as cursor:
            cursor.execute("SET application_name = 'long report'")
            cursor.execute("BEGIN")
            cursor.execute(self._sql)
            self._holds.set()
            self._release.wait(self._seconds)


def seconds_of(act: t.Callable[[], object]) -> float:
    started = time.monotonic()
    act()
    return time.monotonic() - started
