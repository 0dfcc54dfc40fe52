"""A database session in memory: it remembers what was committed, and refuses what it is told to refuse."""

import contextlib
import re
import typing as t

from ansible_collections.easymo.deploy.plugins.module_utils._postgres import SqlError, Values


class NoWatch:
    """A BlockerMonitor that sees nothing."""

    blocker = ""
    waiting = contextlib.nullcontext

    def held(self) -> None:
        return None


class MemorySession:
    """Statements count as done when they were committed; BEGIN, COMMIT and ROLLBACK do what they say."""

    def __init__(self, refuse: str | None = None) -> None:
        self.done: list[str] = []
        self.role_changes = 0
        self.commits = 0
        self._refuse = refuse
        self._transaction: list[str] | None = None
        self._number = 0

    def execute(self, sql: str, values: Values = None) -> None:
        for statement in sql.split("\n;\n"):
            self._run(statement, values)

    def _run(self, sql: str, values: Values) -> None:
        if self._refuse is not None and self._refuse in sql:
            raise SqlError(
                sqlstate="42P01", message='relation "nope" does not exist', position=None
            )
        word = sql.upper().rstrip(";")
        if word == "BEGIN":
            self._transaction = []
        elif word == "COMMIT":
            self.done += self._transaction or []
            self._transaction = None
            self.commits += 1
        elif word == "ROLLBACK":
            self._transaction = None
        elif sql.startswith("SET SESSION ROLE"):
            self.role_changes += 1
        elif number := re.fullmatch(
            r"SELECT pg_catalog.pg_advisory_lock_shared\(\d+, (\d+)\).*", sql
        ):
            self._number = int(number[1])
        elif not re.match(r"RESET |SET \w+ =|SELECT pg_catalog.pg_advisory", sql):
            (self.done if self._transaction is None else self._transaction).append(
                "history" if values else sql
            )

    def rows(self, sql: str, values: Values = None) -> list[tuple[t.Any, ...]]:
        return [(self._number,)] if "pg_locks" in sql else []

    @property
    def in_transaction(self) -> bool:
        return self._transaction is not None
