#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: pg_query_info
short_description: Ask a PostgreSQL database a question
version_added: 0.2.0
description:
  - Runs one query in a transaction that may only read, and returns its rows.
extends_documentation_fragment:
  - easymo.deploy._module.reads_in_controller
  - easymo.deploy._action_groups.postgres
  - easymo.deploy._postgres
options:
  query:
    description: The query. C(%s) in it stands for one of O(values).
    type: str
    required: true
  values:
    description: What the query's C(%s) stand for, bound by the driver.
    type: list
    elements: raw
    default: []
  timeout:
    description: Seconds that the query may take.
    type: int
    default: 10
"""

EXAMPLES = r"""
- name: See who met most errors
  easymo.deploy.pg_query_info:
    login_host: db.example.com
    login_user: postgres
    login_password: "{{ secret_supabase_db_password }}"
    login_db: postgres
    query: SELECT phone, count(*) FROM order_notes WHERE reason = %s GROUP BY phone ORDER BY 2 DESC LIMIT 10
    values: [error]
"""

RETURN = r"""
rows:
  description: Each row as the texts of its columns; null stays null.
  returned: success
  type: list
  elements: list
  sample: [["250780000001", "3"]]
reason: {description: One word for why the task failed., returned: failure, type: str, sample: Refused}
"""

import typing as t

from ..module_utils import _postgres
from ..module_utils._errors import RefusedError
from ..module_utils._module import Module, documented, execute, refuse_below
from ..module_utils._postgres import PSYCOPG2, PostgresTarget, SqlError

NEEDS = (PSYCOPG2,)

module_spec = documented(DOCUMENTATION)


def run(module: Module) -> dict[str, t.Any]:
    params = module.params
    refuse_below(params, timeout=1)
    target = PostgresTarget.from_params(params)
    with _postgres.connected(target, application_name="easymo.deploy pg_query_info") as session:
        session.execute("SET default_transaction_read_only = on")
        session.rows(
            "SELECT pg_catalog.set_config('statement_timeout', %s, false)",
            (str(params["timeout"] * 1000),),
        )
        try:
            rows = session.rows(params["query"], params["values"] or None)
        except SqlError as exc:
            raise RefusedError(
                f"{target.where} refused the query: {exc}. Correct 'query'."
            ) from exc
    texts = [[None if value is None else str(value) for value in row] for row in rows]
    return {"changed": False, "rows": texts}


def main() -> None:
    execute(module_spec, run, needs=NEEDS)


if __name__ == "__main__":
    main()
