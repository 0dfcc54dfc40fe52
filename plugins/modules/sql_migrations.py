#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: sql_migrations
short_description: Apply pending plain SQL migrations, with the history that Flyway keeps
version_added: 0.3.0
description:
  - Applies the versioned SQL files of a folder that the database has not seen yet, and records them in
    C(public.flyway_schema_history) with the checksum that Flyway has of them.
    Flyway need not be there. Where it is, either one is meant to find up to date what the other migrated, as long as
    the folder has nothing but versioned SQL, and both take the same advisory lock.
  - Files are named C(V<version>__<description>.sql), as C(V7__orders.sql) or C(V1.10__orders.sql), and run in the order
    of the numbers in their versions. Subfolders are searched too.
  - Each file runs in one transaction together with its row in the history. Statements that PostgreSQL refuses in a
    transaction, such as C(CREATE INDEX CONCURRENTLY), run alone, and files with transactions of their own one by one;
    both are reported as not atomic.
  - Refuses, before anything runs, what cannot end well. That is a version only the database knows, a file older than
    the newest applied one, an applied file whose checksum differs, two files of one version, an earlier failed
    migration, and files that are empty, not UTF-8 or have psql meta-commands.
  - Refuses too what only Flyway can do. That is repeatable (C(R__)), undo (C(U)) and baseline (C(B)) migrations,
    migrations in Java or scripts that the history has, callbacks, files like C(V1__x.sql.conf), placeholders like
    C(${name}), and a history in another schema than C(public).
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
    description: Folder with the migrations. SQL files of other names are passed over with a warning.
    type: path
    required: true
  baseline:
    description:
      - The version that a database is at which has tables in C(public) and no history yet. It is recorded with the
        first migration, and files up to it do not run, as with C(flyway baseline).
      - Without it such a database is refused. With a history, or without tables, it does nothing.
    type: str
requirements:
  - pglast, unless O(additive_only=false)
notes:
  - Table, checksum and lock are by Flyway's source, and the checksum also by what Flyway wrote for others. No Flyway
    runs in the tests of this collection, so rehearse a change from one to the other.
seealso:
  - module: easymo.deploy.pg_backup
  - module: easymo.deploy.prisma_migrations
  - module: easymo.deploy.supabase_migrations
  - name: Flyway's history table
    description: What its columns mean.
    link: https://documentation.red-gate.com/fd/flyway-schema-history-table-273973417.html
"""

EXAMPLES = r"""
- name: Apply the pending migrations
  easymo.deploy.sql_migrations:
    directory: db/migrations
    login_host: db.example.com
    login_user: app
    login_password: "{{ vault_db_password }}"
    login_db: app

- name: Take over a database that has had files 1 to 41 by hand
  easymo.deploy.sql_migrations:
    directory: db/migrations
    baseline: "41"
    login_host: db.example.com
    login_user: app
    login_password: "{{ vault_db_password }}"
    login_db: app
"""

RETURN = r"""
applied:
  description: The migrations this run applied, in order.
  returned: success
  type: list
  elements: dict
  contains: &migration
    file:
      description: Name of the file, relative to O(directory).
      type: str
      sample: V7__order_lines.sql
    version:
      description: Its version, without zeros that mean nothing. V(7) is that of V07, V7.0 and V7.
      type: str
      sample: "7"
    name:
      description: The description it has in the history.
      type: str
      sample: order lines
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
  description: All versions in the history now, in order, a baseline among them.
  returned: success
  type: list
  elements: str
  sample: ["7"]
tables:
  description: Those of O(expect_tables) that are there, as M(easymo.deploy.supabase_migrations) returns them.
  returned: success
  type: list
  elements: dict
  sample: [{name: orders, created: true, rows: 0}]
durations:
  description: Seconds each applied file took, by its name.
  returned: success
  type: dict
  sample: {V7__order_lines.sql: 0.041}
locks:
  description: The same as RV(easymo.deploy.supabase_migrations#module:locks).
  returned: success, and when a migration failed
  type: dict
  sample: {V7__order_lines.sql: [{relation: public.orders, mode: SHARE ROW EXCLUSIVE}]}
locks_unknown:
  description: The same as RV(easymo.deploy.supabase_migrations#module:locks_unknown).
  returned: success, and when a migration failed
  type: list
  elements: str
  sample: []
passed_over:
  description: SQL files of the folder whose names are none of a migration. They are warned of.
  returned: success
  type: list
  elements: str
  sample: []
drift:
  description: Applied files that were edited since, each with both checksums.
  returned: success, and when it is the reason of a failure
  type: dict
  sample: {}
drift_diff:
  description: The same files, each with an empty text. The history has checksums and no SQL to compare with.
  returned: success, and when RV(drift) is the reason of a failure
  type: dict
  sample: {}
findings:
  description: Statements that are not additive and are not waived, as in
    RV(easymo.deploy.supabase_migrations#module:findings). When there is one, the task fails and nothing is applied.
  returned: success, and when it is the reason of a failure
  type: list
  elements: dict
  sample: []
guard_warnings:
  description: The same as RV(easymo.deploy.supabase_migrations#module:guard_warnings).
  returned: success, and when the reason of a failure is RV(findings) or RV(problems)
  type: list
  elements: dict
  sample: []
problems:
  description: The same as RV(easymo.deploy.supabase_migrations#module:problems), or the files that only Flyway can run.
  returned: when it is the reason of a failure
  type: list
  elements: str
  sample: ["R__views.sql is a repeatable migration"]
foreign_versions:
  description: What the history has after the run and this run did not write.
  returned: when it is the reason of a failure
  type: list
  elements: str
  sample: ["8"]
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
  sample: {V7__order_lines.sql: {additive: 6, warning: 0, destructive: 0, unknown: 0}}
reason:
  description: One word for why the task failed.
  returned: failure
  type: str
  sample: MigrationFailed
failed:
  description: The files whose rows say that they failed.
  returned: when it is the reason of a failure
  type: list
  elements: str
  sample: [V8__index.sql]
file:
  description: The file that failed. It comes with RV(statement), RV(line) and RV(sqlstate) where they are known.
  returned: when a migration failed
  type: str
  sample: V7__order_lines.sql
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
from ..module_utils._errors import InputError
from ..module_utils._migration import flyway
from ..module_utils._migration.flyway import FlywayHistory
from ..module_utils._migration.task import Kind, apply_files
from ..module_utils._module import Module, execute
from ..module_utils._postgres import PSYCOPG2

NEEDS = (PSYCOPG2,)


module_spec = documented(DOCUMENTATION)


def run(module: Module) -> dict[str, t.Any]:
    baseline = module.params["baseline"] or ""
    if baseline and not flyway.is_version(baseline):
        raise InputError(f"Option 'baseline' is {baseline!r}: give a version, as '41' or '1.2'.")
    kind = Kind(
        read_folder=flyway.read_folder,
        history=FlywayHistory(baseline.replace("_", ".")),
        problems_of=flyway.problems_of,
        named=flyway.NAMED,
        role_of=lambda _user: None,
    )
    return apply_files(module, kind)


def main() -> None:
    execute(module_spec, run, needs=NEEDS)


if __name__ == "__main__":
    main()
