"""A folder of Supabase or plain SQL migrations, a database for it, and other sessions that are in the way."""

from __future__ import annotations

import threading
import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._migration import runner
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
    """Another session in a transaction that has run `sql`, until the block ends or it is let go."""

    def __init__(self, project: HasDatabase, sql: str) -> None:
        self._project = project
        self._sql = sql
        self._holds = threading.Event()
        self._release = threading.Event()
        self._thread = threading.Thread(target=self._hold)

    def __enter__(self) -> Holder:
        self._thread.start()
        assert self._holds.wait(60)
        return self

    def __exit__(self, *_exc: object) -> None:
        self.let_go()

    def let_go(self) -> None:
        """Nobody waits for it any longer when this returns."""
        self._release.set()
        self._thread.join()

    def _hold(self) -> None:
        with opened(self._project.database) as session, session.cursor() as cursor:
            cursor.execute("SET application_name = 'long report'")
            cursor.execute("BEGIN")
            cursor.execute(self._sql)
            self._holds.set()
            self._release.wait(120)
            cursor.execute("ROLLBACK")


def let_go_after_a_try(holder: Holder, patch: pytest.MonkeyPatch) -> None:
    """The holder ends in the pause that follows the first try, which waited in vain."""
    pause = runner.LockRetries._pause

    def ended(self: runner.LockRetries, *what: t.Any) -> None:
        holder.let_go()
        pause(self, *what)

    patch.setattr(runner.LockRetries, "_pause", ended)
