"""A folder of Prisma migrations and a database for it, and runs of the module that die on the way."""

import json
import os
import signal
import time
import typing as t
from pathlib import Path

from ansible_collections.easymo.deploy.plugins.module_utils import _postgres
from tests.integration.migration_folders import MigrationFolder

Result = dict[str, t.Any]
_ROWS = """
SELECT migration_name, finished_at IS NOT NULL, rolled_back_at IS NOT NULL, applied_steps_count
FROM _prisma_migrations ORDER BY migration_name, started_at
"""


def applied_as(name: str, statements: int = 1) -> Result:
    """An entry of `applied`, which has one shape whether the run succeeded or failed."""
    file = f"{name}/migration.sql"
    return {"file": file, "version": name, "name": name, "statements": statements, "atomic": True}


class PrismaProject(MigrationFolder):
    kind = "prisma"

    def __init__(self, folder: Path, database: dict[str, t.Any]) -> None:
        super().__init__(folder, database)
        folder.mkdir(exist_ok=True)

    def write(self, **scripts: str | bytes) -> None:
        for name, sql in scripts.items():
            (self.folder / name).mkdir(exist_ok=True)
            raw = sql if isinstance(sql, bytes) else sql.encode()
            (self.folder / name / "migration.sql").write_bytes(raw)

    def resolve(self, resolution: str, *names: str, **options: t.Any) -> Result:
        return self.run(state="resolved", resolution=resolution, migrations=names, **options)

    def info(self) -> Result:
        described = self.run(state="described")
        return {**described, **described.get("history", {})}

    def rows(self) -> list[tuple[t.Any, ...]]:
        """Name, finished, rolled back and steps of each row; none without the table."""
        return self.query(_ROWS) if self.has("_prisma_migrations") else []


class Child:
    """A run of the module in a process of its own, which may be killed; `result` waits for its end."""

    def __init__(
        self, project: PrismaProject, *, kill_at: int | None = None, **options: t.Any
    ) -> None:
        self._answer = project.folder.parent / f"answer-{time.monotonic_ns()}.json"
        self.pid = os.fork()
        if self.pid == 0:
            try:
                if kill_at is not None:
                    die_at(kill_at)
                self._answer.write_text(json.dumps(project.run(**options)))
            finally:
                os._exit(0)

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)

    def ended(self) -> bool:
        """Whether it came to its end; False when it was killed."""
        _pid, status = os.waitpid(self.pid, 0)
        return os.WIFEXITED(status)

    def result(self) -> Result:
        assert self.ended()
        return json.loads(self._answer.read_text())


def die_at(number: int) -> None:
    """Have this process killed at a statement: 2n - 1 before the nth is sent, 2n after its answer."""
    sent = _postgres.Session._run
    count = 0

    def counted(*arguments: t.Any, **options: t.Any) -> t.Any:
        nonlocal count
        count += 1
        if count == number:
            os.kill(os.getpid(), signal.SIGKILL)
        answer = sent(*arguments, **options)
        count += 1
        if count == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    _postgres.Session._run = counted  # type: ignore[method-assign]
