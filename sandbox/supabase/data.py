# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the project's database as PostgREST would: in the role of the caller's key, so policies hold."""

from __future__ import annotations

import asyncio
import json
import re
import typing as t
from dataclasses import dataclass

import asyncpg

from sandbox.supabase.errors import RefusedError

CONNECT_SECONDS = 3.0
MAX_ROWS = 1_000
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Compared as text, whatever the column's type: so there is no order to ask for.
OPERATORS = {"eq": "=", "neq": "<>"}
RESERVED = ("select", "order", "limit", "offset", "apikey")
TABLES = """
SELECT relname FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v', 'p') ORDER BY relname
"""


@dataclass(frozen=True)
class TableQuery:
    sql: str
    values: tuple[str, ...]


class Data:
    def __init__(self, url: str) -> None:
        self._url = url
        self._pool: asyncpg.Pool | None = None
        self._opening = asyncio.Lock()

    async def tables(self) -> list[str]:
        rows = await self._fetch("service_role", TableQuery(TABLES, ()))
        return [row["relname"] for row in rows]

    async def select(
        self, table: str, parameters: t.Iterable[tuple[str, str]], *, role: str
    ) -> t.Any:
        """The rows as JSON values; raises RefusedError in PostgREST's shapes."""
        rows = await self._fetch(role, table_query(table, parameters))
        return json.loads(rows[0]["rows"])

    async def error(self) -> str | None:
        """Why the database cannot be asked; None when it can."""
        try:
            await self._fetch("service_role", TableQuery("SELECT 1", ()))
        except RefusedError as exc:
            return str(exc.body["message"])
        return None

    async def close(self) -> None:
        if self._pool is not None:
            self._pool.terminate()

    async def _fetch(self, role: str, query: TableQuery) -> list[t.Any]:
        try:
            pool = await self._opened()
            async with (
                pool.acquire(timeout=CONNECT_SECONDS) as connection,
                connection.transaction(),
            ):
                await connection.execute(f"SET LOCAL ROLE {role}")
                return t.cast("list[t.Any]", await connection.fetch(query.sql, *query.values))
        except asyncpg.PostgresError as exc:
            raise refusal_of(exc.sqlstate, str(exc), role=role) from exc
        except (OSError, TimeoutError, asyncpg.InterfaceError) as exc:
            message = "Database connection error. Retrying the connection."
            raise RefusedError(503, {"code": "PGRST000", "message": message}) from exc

    async def _opened(self) -> asyncpg.Pool:
        async with self._opening:
            if self._pool is None:
                self._pool = await asyncpg.create_pool(
                    self._url, min_size=0, max_size=2, timeout=CONNECT_SECONDS
                )
            return self._pool


def refusal_of(sqlstate: str | None, message: str, *, role: str) -> RefusedError:
    """PostgREST's answer to what PostgreSQL says: 401 asks the anonymous to come with a key."""
    denied = 401 if role == "anon" else 403
    status = {"42501": denied, "42P01": 404, "42703": 400}.get(sqlstate or "", 500)
    body = {"code": sqlstate, "message": message, "details": None, "hint": None}
    return RefusedError(status, body)


def table_query(table: str, parameters: t.Iterable[tuple[str, str]]) -> TableQuery:
    """The SELECT of ?select=a,b&column=eq.value&order=column.desc&limit=10&offset=5."""
    parameters = list(parameters)
    options = {key: value for key, value in parameters if key in RESERVED}
    chosen = options.get("select", "*")
    columns = "*" if chosen == "*" else ", ".join(_quoted(name) for name in chosen.split(","))
    values: list[str] = []
    conditions = []
    for column, value in parameters:
        if column not in RESERVED:
            values.append(value)
            conditions.append(_condition(column, values))
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    order = f" ORDER BY {_order(options['order'])}" if "order" in options else ""
    limit = min(_number(options.get("limit", str(MAX_ROWS))), MAX_ROWS)
    offset = _number(options.get("offset", "0"))
    # Every name is one by `_quoted`, every number one by `_number`.
    inner = (
        f"SELECT {columns} FROM public.{_quoted(table)}{where}{order} LIMIT {limit} OFFSET {offset}"  # noqa: S608
    )
    sql = f"SELECT coalesce(json_agg(selected), '[]')::text AS rows FROM ({inner}) AS selected"  # noqa: S608
    return TableQuery(sql, tuple(values))


def _condition(column: str, values: list[str]) -> str:
    operator, _, operand = values[-1].partition(".")
    if operator == "is" and operand in ("null", "true", "false"):
        values.pop()
        return f"{_quoted(column)} IS {operand.upper()}"
    if operator not in OPERATORS:
        raise _unreadable(f"failed to parse filter ({values[-1]})")
    values[-1] = operand
    return f"{_quoted(column)}::text {OPERATORS[operator]} ${len(values)}"


def _order(text: str) -> str:
    terms = []
    for term in text.split(","):
        column, _, direction = term.partition(".")
        if direction not in ("", "asc", "desc"):
            raise _unreadable(f"failed to parse order ({text})")
        terms.append(f"{_quoted(column)} {direction.upper()}".rstrip())
    return ", ".join(terms)


def _quoted(name: str) -> str:
    if not NAME.fullmatch(name):
        raise _unreadable(f"failed to parse identifier ({name})")
    return f'"{name}"'


def _number(text: str) -> int:
    if not text.isdecimal():
        raise _unreadable(f"failed to parse number ({text})")
    return int(text)


def _unreadable(message: str) -> RefusedError:
    return RefusedError(
        400, {"code": "PGRST100", "message": message, "details": None, "hint": None}
    )
