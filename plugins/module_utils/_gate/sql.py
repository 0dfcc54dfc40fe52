# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Ask a PostgreSQL database for one number."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .. import _postgres
from .._errors import DeployError, InputError
from .._postgres import PostgresTarget, SqlError
from .models import Sample, failed_sample


@dataclass(frozen=True)
class SqlSource:
    target: PostgresTarget
    timeout: float

    def sample(self, query: str) -> Sample:
        """InputError when the query itself is wrong (class 42); everything else is a missing sample."""
        try:
            with _postgres.connected(
                self.target, application_name="easymo.deploy metrics_gate"
            ) as session:
                session.execute("SET default_transaction_read_only = on")
                session.rows(
                    "SELECT pg_catalog.set_config('statement_timeout', %s, false)",
                    (str(int(self.timeout * 1000)),),
                )
                rows = session.rows(query)
        except SqlError as exc:
            if exc.sqlstate.startswith("42"):
                raise InputError(f"{self.target.where} rejects the query: {exc}.") from exc
            return failed_sample(f"the database refused the query ({exc})")
        except DeployError as exc:
            return failed_sample(str(exc).rstrip("."))
        return read_rows(rows)


def read_rows(rows: list[_postgres.Row]) -> Sample:
    """One row with one number, or why there is none."""
    if len(rows) != 1 or len(rows[0]) != 1:
        return failed_sample(f"{len(rows)} rows where one value is expected")
    value = rows[0][0]
    if value is None:
        return Sample(None, "the value is NULL")
    try:
        number = float(value)
    except (TypeError, ValueError):
        return failed_sample("the value is no number")
    if math.isfinite(number):
        return Sample(number)
    return Sample(None, f"the value is {number}", error=math.isinf(number))
