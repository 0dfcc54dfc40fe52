# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask a PostgreSQL server a question."""

from __future__ import annotations

from dataclasses import replace

from .. import _postgres
from .._options import postgres_options
from .._postgres import PSYCOPG2, PostgresTarget, SqlError
from .http import same
from .models import CheckError, Kind, Options


def probe(options: Options, timeout: float) -> str:
    target = PostgresTarget.from_params(options)
    patient = min(target.connect_timeout, max(2, int(timeout)))
    quick = replace(target, connect_timeout=patient)
    with _postgres.connected(quick, application_name="easymo.deploy health_check") as session:
        session.execute("SET default_transaction_read_only = on")
        session.rows(
            "SELECT pg_catalog.set_config('statement_timeout', %s, false)",
            (str(int(timeout * 1000)),),
        )
        try:
            rows = session.rows(options["query"])
        except SqlError as exc:
            raise CheckError(f"{target.where} refused the query: {exc}.") from exc
        value = rows[0][0] if rows and rows[0] else None
        version = session.server_version[1]
    if not same(value, options["expect"]):
        raise CheckError(
            f"{target.where} answered {value!r} to {options['query']!r} and not {options['expect']!r}."
        )
    return f"PostgreSQL {version} answers {value}"


KIND = Kind(
    probe,
    {
        **postgres_options(),
        "query": {"type": "str", "default": "SELECT 1"},
        "expect": {"type": "str", "default": "1"},
    },
    (PSYCOPG2,),
)
