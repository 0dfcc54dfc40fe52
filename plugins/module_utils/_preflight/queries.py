# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a database understands queries and lets this user run them: its tables, columns and rights. None is run."""

from __future__ import annotations

import typing as t

from .._options import postgres_options
from .._postgres import PSYCOPG2, PostgresTarget, SqlError, connected
from .models import Finding, Ground, Kind, Options, failed, passed
from .options import names

NO_TABLE = "42P01"


def look(options: Options, _ground: Ground) -> t.Sequence[Finding]:
    target = PostgresTarget.from_params(options["connection"])
    answers: dict[str, SqlError | None] = {}
    with connected(target, application_name="easymo.deploy preflight_check") as session:
        session.execute("SET default_transaction_read_only = on")
        for name, query in options["queries"].items():
            try:
                session.rows(f"EXPLAIN {query}")
                answers[name] = None
            except SqlError as exc:
                answers[name] = exc
    return [judge(answers, options["new_tables"], target.where)]


def judge(
    answers: t.Mapping[str, SqlError | None], new_tables: t.Collection[str], where: str
) -> Finding:
    """`answers`: why the server refused each query, None when it did not."""
    later, wrong = [], []
    for name, error in answers.items():
        if error is None:
            continue
        if error.sqlstate == NO_TABLE and any(f'"{one}"' in error.message for one in new_tables):
            later.append(name)
        else:
            wrong.append(f"{where} refuses the query of {name}: {error}")
    if wrong:
        return failed("; ".join(wrong))
    seen = f"{len(answers) - len(later)} of {len(answers)} queries are understood and allowed"
    new = f"; the tables of {', '.join(later)} come with the release" if later else ""
    return passed(seen + new)


KIND = Kind(
    look,
    {
        "connection": {"type": "dict", "required": True, "options": postgres_options()},
        "queries": {"type": "dict", "required": True},
        "new_tables": names(),
    },
    (PSYCOPG2,),
)
