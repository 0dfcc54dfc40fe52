#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: supabase_migrations
short_description: Apply pending Supabase migrations as the Supabase CLI does
version_added: 0.1.0
description:
  - Applies the files of a folder that the database has not seen yet, and records them in the history table of the
    Supabase CLI, statement by statement as the CLI (3.1) splits them.
    Either one finds up to date what the other migrated.
  - Each file runs in one transaction together with its row in the history. Statements that PostgreSQL refuses in a
    transaction, such as C(CREATE INDEX CONCURRENTLY), and files with transactions of their own run as the CLI runs
    them, and are reported as not atomic.
  - Holds an advisory lock while it works, so two operators cannot collide.
  - Refuses, before anything runs, what cannot end well. That is a version only the database knows, a file older than
    the newest applied one, an applied file that was edited, two files of one version, and files that are empty,
    not UTF-8 or have psql meta-commands.
extends_documentation_fragment:
  - easymo.deploy._module.changes_in_controller
  - easymo.deploy._action_groups.postgres
  - easymo.deploy._file_migrations
  - easymo.deploy._lock_check
  - easymo.deploy._migrations
  - easymo.deploy._postgres
  - easymo.deploy._libraries.pglast
options:
  directory:
    description: Folder with the migrations, files named C(<digits>_<name>.sql). Other files are passed over.
    type: path
    required: true
requirements:
  - pglast, unless O(additive_only=false)
seealso:
  - module: easymo.deploy.pg_backup
  - module: easymo.deploy.prisma_migrations
  - module: easymo.deploy.sql_migrations
"""

EXAMPLES = r"""
- name: Apply the pending migrations
  easymo.deploy.supabase_migrations:
    directory: supabase/migrations
    login_host: db.lhbowpbcpwoiparwnwgt.supabase.co
    login_user: postgres
    login_password: "{{ vault_supabase_db_password }}"
    login_db: postgres
    ca_cert: /etc/ssl/certs/supabase-ca.crt

- name: Apply them and look at the tables of the release
  easymo.deploy.supabase_migrations:
    directory: supabase/migrations
    expect_tables: [orders, order_lines, order_metrics, order_notes]
    statement_timeout: 120
    login_host: db.lhbowpbcpwoiparwnwgt.supabase.co
    login_user: postgres
    login_password: "{{ vault_supabase_db_password }}"
    login_db: postgres
"""

RETURN = r"""
applied:
  description: The migrations this run applied, in order.
  returned: success
  type: list
  elements: dict
  contains: &migration
    file:
      description: Name of the file.
      type: str
      sample: 20251104080000_orders.sql
    version:
      description: The version it has in the history.
      type: str
      sample: "20251104080000"
    name:
      description: The name it has in the history.
      type: str
      sample: orders
    statements:
      description: Number of its statements.
      type: int
      sample: 6
    atomic:
      description: Whether a failure leaves nothing of it behind.
      type: bool
      sample: true
pending:
  description: The migrations that are not applied. In check mode those that would be, otherwise empty.
  returned: success
  type: list
  elements: dict
  contains: *migration
versions:
  description: All versions in the history now, in order.
  returned: success
  type: list
  elements: str
  sample: ["20251104080000"]
tables:
  description: Those of O(expect_tables) that are there.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The name as given.
      type: str
      sample: orders
    created:
      description: Whether this run made it.
      type: bool
      sample: true
    rows:
      description: Its number of rows when this run made it, otherwise null. It was not counted then.
      type: int
      sample: 0
durations:
  description: Seconds each applied file took, by its name.
  returned: success
  type: dict
  sample: {20251104080000_orders.sql: 0.041}
locks:
  description:
    - For each applied file the locks it held just before it committed, on what was there before it. The strongest of
      each relation. What it locked in order to read system catalogs is left out.
    - RV(durations) bounds how long they were held.
  returned: success, and when a migration failed
  type: dict
  sample: {20251104080000_orders.sql: [{relation: public.users, mode: SHARE ROW EXCLUSIVE}]}
  version_added: 0.2.0
locks_unknown:
  description:
    - Applied files of which RV(locks) does not tell all, since statements of theirs committed by themselves or the
      server gave no second connection to look from.
  returned: success, and when a migration failed
  type: list
  elements: str
  sample: []
  version_added: 0.2.0
passed_over:
  description: SQL files of the folder whose names are none of a migration. They are warned of.
  returned: success
  type: list
  elements: str
  sample: []
drift:
  description: Applied files that were edited since, each with the first statement that differs.
  returned: success, and when it is the reason of a failure
  type: dict
  sample: {}
drift_diff:
  description:
    - For each file of RV(drift) a unified diff, from the statements that were run to those of the file now. Literals
      are masked, and only its first lines are there when it is long.
  returned: success, and when RV(drift) is the reason of a failure
  type: dict
  sample: {}
  version_added: 0.2.0
findings:
  description:
    - Statements that are not additive and are not waived. When there is one, the task fails and nothing is applied.
    - Its C(rule) is one word of the table in C(docs/migration-guard.md), its C(safe_way) a clause on how to write it
      otherwise.
  returned: success, and when it is the reason of a failure
  type: list
  elements: dict
  contains:
    file:
      description: The file.
      returned: always
      type: str
      sample: 20251104080000_orders.sql
    line:
      description: The line the statement begins in.
      returned: always
      type: int
      sample: 3
    statement:
      description: Which statement of the file, from 1.
      returned: always
      type: int
      sample: 2
    verdict:
      description: V(destructive) or V(unknown).
      returned: always
      type: str
      sample: destructive
    rule:
      description: One word for why.
      returned: always
      type: str
      sample: drop-table
    what:
      description: What the statement does.
      returned: always
      type: str
      sample: it drops table users and the rows in it
    safe_way:
      description: How to write it so that it is additive.
      returned: always
      type: str
      sample: keep the table until nothing reads it, and drop it in a later release with a waiver
    excerpt:
      description: The first line of the statement, its literals masked.
      returned: always
      type: str
      sample: DROP TABLE users
guard_warnings:
  description:
    - Statements that only add and may all the same break code that runs, such as a constraint that refuses rows it
      writes. They stop nothing, and each is a warning of the task too.
    - Shaped as RV(findings), with V(warning) as C(verdict).
  returned: success, and when the reason of a failure is RV(findings) or RV(problems)
  type: list
  elements: dict
  sample: []
  version_added: 0.2.0
problems:
  description:
    - Sentences on pending files that cannot run. When there is one, the task fails and nothing is applied. RV(findings)
      of the same folder come with them.
  returned: when it is the reason of a failure
  type: list
  elements: str
  sample: ["20251104080000_orders.sql has no statement: delete it, or write the migration."]
  version_added: 0.2.0
foreign_versions:
  description: What the history has after the run and this run did not write.
  returned: when it is the reason of a failure
  type: list
  elements: str
  sample: ["20251104080000"]
  version_added: 0.2.0
waived:
  description: What was let through by O(waivers), by file. Each has C(reason) and C(findings).
  returned: success, and when the reason of a failure is RV(findings)
  type: dict
  sample: {}
verdicts:
  description: By file that was pending, how many of its statements are V(additive), V(warning), V(destructive) and
    V(unknown).
  returned: success, and when the reason of a failure is RV(findings)
  type: dict
  sample: {20251104080000_orders.sql: {additive: 6, warning: 0, destructive: 0, unknown: 0}}
reason:
  description: One word for why the task failed.
  returned: failure
  type: str
  sample: MigrationFailed
file:
  description: The file that failed. It comes with RV(statement), RV(line) and RV(sqlstate) where they are known.
  returned: when a migration failed
  type: str
  sample: 20251104080000_orders.sql
statement:
  description: Which statement of the file failed, from 1.
  returned: when a statement failed
  type: int
  sample: 3
line:
  description: The line of the file it failed in.
  returned: when a statement failed
  type: int
  sample: 17
sqlstate:
  description: PostgreSQL's code for what went wrong.
  returned: when a statement failed
  type: str
  sample: "42P07"
"""

import typing as t

from ..module_utils._documentation import documented
from ..module_utils._migration.task import Kind, apply_files
from ..module_utils._module import Module, execute
from ..module_utils._postgres import PSYCOPG2

NEEDS = (PSYCOPG2,)


module_spec = documented(DOCUMENTATION)


def run(module: Module) -> dict[str, t.Any]:
    return apply_files(module, Kind())


def main() -> None:
    execute(module_spec, run, needs=NEEDS)


if __name__ == "__main__":
    main()
