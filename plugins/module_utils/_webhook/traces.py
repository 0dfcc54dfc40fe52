# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Where an accepted message leaves a trace: the function's log at the Management API, and the database."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field
from datetime import timedelta

from .. import _postgres
from .._errors import InputError, UnreachableError
from .._http import ask, bearer, good
from .._postgres import PostgresTarget
from .._time import now

MESSAGE_ID = re.compile(r"[A-Za-z0-9._-]+")
SKEW = timedelta(minutes=5)
"""The platform's clock may differ from ours by so much."""
LINES = 1000


@dataclass(frozen=True)
class FunctionLog:
    """The log of a project's functions, as the Management API gives it."""

    api_url: str
    project_ref: str
    access_token: str = field(repr=False)
    ca_cert: str | None = None
    timeout: int = 30

    def lines(self, about: t.Collection[str]) -> list[str]:
        """Lines since shortly before now that name one of the ids."""
        found = self._ask(log_query(about), since=SKEW)
        return [str(line.get("event_message", "")) for line in found]

    def of_function(self, function_id: str, *, limit: int, since: timedelta) -> list[LogEntry]:
        """The newest lines of one function, the oldest of them first."""
        found = self._ask(function_query(function_id, limit), since=since)
        return [LogEntry.from_json(line) for line in reversed(found)]

    def _ask(self, sql: str, *, since: timedelta) -> list[dict[str, t.Any]]:
        where = "The Supabase Management API, asked for the functions' log,"
        answer = ask(
            where,
            "GET",
            f"{self.api_url.rstrip('/')}/v1/projects/{self.project_ref}/analytics/endpoints/logs.all",
            params={
                "sql": sql,
                "iso_timestamp_start": (now() - since).isoformat(),
                "iso_timestamp_end": (now() + SKEW).isoformat(),
            },
            authorization=bearer(self.access_token),
            timeout=self.timeout,
            ca_cert=self.ca_cert,
        )
        good(
            answer,
            where,
            forbidden="check 'access_token' and that it may read analytics",
            otherwise=(UnreachableError, "check 'api_url' and 'project_ref'"),
        )
        try:
            document = answer.json()
            if document.get("error"):
                raise UnreachableError(f"{where} returned an error instead: try again later.")
            return list(document.get("result") or [])
        except (ValueError, AttributeError):
            raise UnreachableError(f"{where} did not answer with JSON: check 'api_url'.") from None


@dataclass(frozen=True)
class LogEntry:
    """One line of a function's log; `at` in seconds since the epoch, 0 when it was not told."""

    at: float
    level: str
    message: str

    @classmethod
    def from_json(cls, line: t.Mapping[str, t.Any]) -> LogEntry:
        """The level stands in the line or in its metadata, which the API gives as a list."""
        metadata = line.get("metadata")
        inner = metadata[0] if isinstance(metadata, list) and metadata else metadata
        level = line.get("level") or (inner or {}).get("level") or ""
        try:
            at = float(line.get("timestamp") or 0) / 1_000_000
        except (TypeError, ValueError):
            at = 0.0
        return cls(at, str(level), str(line.get("event_message", "")).rstrip())


def function_query(function_id: str, limit: int) -> str:
    """Refuses an id that could end the literal it stands in."""
    if not MESSAGE_ID.fullmatch(function_id):
        raise InputError(f"The log can't be asked for a function of the id {function_id!r}.")
    return (
        "select t.timestamp, t.event_message, m.level from function_logs as t "  # noqa: S608
        f"cross join unnest(metadata) as m where m.function_id = '{function_id}' "
        f"order by timestamp desc limit {limit}"
    )


def log_query(about: t.Collection[str]) -> str:
    """The log's SQL takes no values apart from its text, so only what can't end a literal gets in."""
    for one in about:
        if not MESSAGE_ID.fullmatch(one):
            raise InputError(f"The message id {one!r} has characters that the log can't search.")
    pattern = "|".join(one.replace(".", "[.]") for one in sorted(about))
    return (
        "select timestamp, event_message from function_logs "  # noqa: S608
        f"where regexp_contains(event_message, '{pattern}') order by timestamp desc limit {LINES}"
    )


@dataclass(frozen=True)
class PlatformSightings:
    """Sightings in a real platform. What is None can't be looked into. `column` has a message's id, in every table."""

    log: FunctionLog | None
    database: PostgresTarget | None
    column: str = "message_id"

    def logged(self, message_ids: t.Collection[str]) -> frozenset[str]:
        if self.log is None:
            raise InputError("Option 'logs' is missing, but messages must be seen there.")
        text = "\n".join(self.log.lines(message_ids))
        return frozenset(one for one in message_ids if one in text)

    def recorded(self, table: str, message_ids: t.Collection[str]) -> frozenset[str]:
        if self.database is None:
            raise InputError("Option 'database' is missing, but messages must be seen there.")
        with _postgres.connected(
            self.database, application_name="easymo.deploy webhook_check"
        ) as session:
            session.execute("SET default_transaction_read_only = on")
            # The server quotes the names: what is no table of its search path is an error of ours.
            quoted = session.rows(
                "SELECT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname), "
                "pg_catalog.quote_ident(a.attname) "
                "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
                "LEFT JOIN pg_catalog.pg_attribute a "
                "ON a.attrelid = c.oid AND a.attname = %s AND a.attnum > 0 AND NOT a.attisdropped "
                "WHERE c.oid = pg_catalog.to_regclass(pg_catalog.quote_ident(%s))",
                (self.column, table),
            )
            if not quoted:
                raise InputError(f"{self.database.where} has no table {table!r} to search.")
            ((relation, column),) = quoted
            if not column:
                raise InputError(
                    f"Table {table!r} of {self.database.where} has no column {self.column!r}: "
                    "name the one with a message's id in 'message_column'."
                )
            rows = session.rows(
                f"SELECT {column} FROM {relation} WHERE {column} = ANY(%s)",  # noqa: S608
                (list(message_ids),),
            )
        return frozenset(str(row[0]) for row in rows)
