# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Where an accepted message leaves a trace: the function's log at the Management API, and the database."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .. import _postgres
from .._errors import InputError
from .._functions.log import FunctionLog
from .._postgres import PostgresTarget


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
