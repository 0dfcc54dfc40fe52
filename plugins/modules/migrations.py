#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: migrations
short_description: Apply pending migrations as the Supabase CLI, Prisma or Flyway does
version_added: 0.3.0
description:
  - Applies the migrations of a folder that the database does not have yet, and records them in the history of the tool
    that O(kind) names. The tool itself is not needed, and either one finds up to date what the other migrated.
  - With O(kind=supabase) the history is that of the Supabase CLI (3.1), statement by statement as the CLI splits them.
  - With O(kind=prisma) it is C(_prisma_migrations). Rows, checksums, order, advisory lock and the conditions that stop
    a deploy are those of Prisma up to version 7.
  - With O(kind=sql) it is C(public.flyway_schema_history), with the checksums that Flyway has, as long as the folder
    has nothing but versioned SQL. They run in the order of the numbers in their versions. What only Flyway can do is
    refused. That is repeatable (C(R__)), undo (C(U)) and baseline (C(B)) migrations, migrations in Java or scripts that
    the history has, callbacks, files like C(V1__x.sql.conf), placeholders like C(${name}), and a history in another
    schema than C(public).
  - Each file runs in one transaction together with its row in the history. So a run that was cut off anywhere, even by
    C(SIGKILL), has applied a file and recorded it, or has done neither, and is simply run again. Statements that
    PostgreSQL refuses in a transaction, such as C(CREATE INDEX CONCURRENTLY), and files with transactions of their own
    run as the tool runs them, and are reported as not atomic.
  - Holds the tool's advisory lock while it works, so two operators cannot collide. Looks at the history afterwards.
  - Refuses, before anything runs, what cannot end well. That is an applied file that was edited, an earlier failed
    migration, and files that are not UTF-8 or have psql meta-commands. With O(kind=supabase) and O(kind=sql) it is also
    a version only the database has, a file older than the newest applied one, two files of one version, and an empty
    file.
  - With O(state=resolved) it records what a person decided on migrations, as C(prisma migrate resolve) does.
  - With O(rehearsal) it tries them on a copy first.
extends_documentation_fragment:
  - easymo.deploy._module.changes_in_controller
  - easymo.deploy._action_groups.postgres_and_s3
  - easymo.deploy._lock.fence_elsewhere
  - easymo.deploy._postgres
  - easymo.deploy._s3
  - easymo.deploy._rehearsal
  - easymo.deploy._libraries.pglast
options:
  kind:
    description: The tool that the folder and the history belong to. V(sql) is plain SQL with the history of Flyway.
    type: str
    choices: [supabase, prisma, sql]
    required: true
  state:
    description:
      - V(applied) means that every migration of O(directory) is applied.
      - V(resolved) runs no script. It settles O(migrations) in the history, which is the way out of C(P3009) (an
        earlier migration failed) and of C(P3005) (tables and no history). Only with O(kind=prisma).
      - V(described) changes nothing, takes no lock and returns RV(history). What would stop a deploy fails nothing
        here. Only with O(kind=prisma).
    type: str
    choices: [applied, resolved, described]
    default: applied
  directory:
    description:
      - Folder with the migrations. With O(kind=supabase) files named C(<digits>_<name>.sql), with O(kind=prisma) a
        folder each with a C(migration.sql).
      - With O(kind=sql) files named C(V<version>__<description>.sql), as C(V7__orders.sql) or C(V1.10__orders.sql),
        also in subfolders.
      - SQL files of other names are passed over with a warning.
    type: path
    required: true
  expect_tables:
    description:
      - Tables that must be there afterwards, as C(schema.table), or as C(table) in O(schema).
      - Those that this run made must be empty.
    type: list
    elements: str
    default: []
  drift:
    description:
      - What to do about an applied migration whose file was edited since.
      - Flyway stops too, the Supabase CLI and C(prisma migrate deploy) do not notice. V(warn) goes on with a warning.
    type: str
    choices: [fail, warn]
    default: fail
  additive_only:
    description:
      - Whether every pending file must only add. Before anything runs, in check mode too, each statement is classed
        with PostgreSQL's own parser, the bodies of C(DO) and of functions that the migrations call included.
      - A statement that destroys, breaks what still runs or blocks it behind a heavy lock stops the run, and so does
        one of which that cannot be told. See C(docs/migration-guard.md).
      - V(false) applies files unseen and needs no pglast.
    type: bool
    default: true
  waivers:
    description:
      - Files that may run although they are not additive, each with the reason. The name of the file as results and
        errors show it, to a sentence. It is in RV(waived) with what it let through.
      - A file the folder has not is refused, and so is an empty reason. A waiver of an applied file does nothing.
    type: dict
    default: {}
  include_all:
    description:
      - Whether files that are older than the newest applied one, and not applied, run too. They run first, in their
        order, as with C(supabase db push --include-all) or C(outOfOrder) of Flyway.
      - V(false) refuses them, since a newer file may have been written without knowing of them. With O(kind=prisma)
        they always run, as with Prisma.
    type: bool
    default: false
  baseline:
    description:
      - With O(kind=sql), the version that a database is at which has tables in C(public) and no history yet. It is
        recorded with the first migration, and files up to it do not run, as with C(flyway baseline).
      - Without it such a database is refused. With a history, or without tables, it does nothing.
    type: str
  schema:
    description: With O(kind=prisma), the schema that Prisma is connected to, its C(?schema=).
    type: str
    default: public
  migrations:
    description: Names of the migrations to settle with O(state=resolved). All of them are settled, or none.
    type: list
    elements: str
  resolution:
    description:
      - What became of O(migrations).
      - V(applied) means that all of each is in the database. One that is recorded as applied already, which Prisma
        refuses with C(P3008), is left as it is.
      - V(rolled_back) means that nothing of each failed one stayed, so that the next deploy runs it again. A migration
        that never ran is refused (C(P3011)), and so is one that did not fail (C(P3012)).
    type: str
    choices: [applied, rolled_back]
  generate_command:
    description:
      - With O(kind=prisma), the workspace's command that generates the Prisma client, as a list of arguments. None by
        default.
      - It runs after the migrations are applied and verified. The URL of the database reaches it in the environment
        variable E(DATABASE_URL) only.
    type: list
    elements: str
  generate:
    description:
      - When O(generate_command) runs, with V(after_migrations) only in a run that applied something.
      - V(always) is for workspaces that are made anew for each run.
    type: str
    choices: [after_migrations, always]
    default: after_migrations
  chdir:
    description: Folder to run O(generate_command) in. A path with a slash in it is looked for from there.
    type: path
  command_timeout:
    description: Seconds O(generate_command) may take. Then it is killed with all it started.
    type: float
    default: 600
  lock_timeout:
    description:
      - Seconds a statement waits for a lock at most, so that it never stands in front of everybody else behind one
        long transaction. V(0) is no limit. A migration may set another.
    type: float
    default: 5
  lock_retries:
    description:
      - How often to try again when another transaction's lock was in the way for longer than O(lock_timeout), or both
        waited for each other. The waits between grow from one second to fifteen.
      - Only what was rolled back whole is tried again. That is a file that is one transaction, and in other files the
        transaction or the statement that failed.
    type: int
    default: 5
  statement_timeout:
    description: Seconds a statement runs at most. V(0) is no limit. A migration may set another.
    type: float
    default: 0
  advisory_lock_timeout:
    description:
      - Seconds to wait for another run that is migrating this database. By default 10 with O(kind=prisma), as Prisma
        waits, and 30 otherwise.
    type: float
  bucket:
    description: The bucket of the backup that is rehearsed on. Needed with O(rehearsal), beside O(kubernetes).
    type: str
    required: false
requirements:
  - pglast, unless O(additive_only=false)
  - boto3 and kubernetes, only with O(rehearsal)
notes:
  - With O(fence) the deploy lock is looked at before each file. A run that lost it applies no further one.
  - The diff shows the SQL of pending files whole, but for the literals that stand behind words like C(PASSWORD). Use
    C(--diff) only where the SQL may be shown. All other results have literals masked.
  - The advisory lock belongs to a session. Connect to the database itself, or to a pooler in session mode; one in
    transaction mode is refused.
  - Of the role's own C(statement_timeout), C(transaction_timeout) and idle timeouts none holds for a run; what holds is
    O(statement_timeout).
  - Statements of one transaction go to the server together, in messages of up to 64 KB. For a trigger that records
    C(current_query()) that is the whole message.
  - Table, checksum and lock of O(kind=sql) are by Flyway's source, and the checksum also by what Flyway wrote for
    others. No Flyway runs in the tests of this collection, so rehearse a change from one to the other.
seealso:
  - module: easymo.deploy.pg_backup
  - name: Flyway's history table
    description: What its columns mean.
    link: https://documentation.red-gate.com/fd/flyway-schema-history-table-273973417.html
"""

EXAMPLES = r"""
- name: Apply the pending migrations and look at the tables of the release
  easymo.deploy.migrations:
    kind: supabase
    directory: supabase/migrations
    expect_tables: [orders, order_lines, order_metrics, order_notes]
    statement_timeout: 120
    login_host: db.lhbowpbcpwoiparwnwgt.supabase.co
    login_user: postgres
    login_password: "{{ vault_supabase_db_password }}"
    login_db: postgres
    ca_cert: /etc/ssl/certs/supabase-ca.crt

- name: Apply the pending migrations of checkout, and generate its client
  easymo.deploy.migrations:
    kind: prisma
    directory: packages/db/prisma/migrations
    generate_command: [pnpm, --filter, "@shop/db", prisma:generate]
    chdir: /srv/shop
    login_host: prod-checkout-db.example.com
    login_user: deployer
    login_password: "{{ vault_checkout_db_password }}"
    login_db: checkout_prod

- name: Record that what the first migration makes is there already (P3005)
  easymo.deploy.migrations:
    kind: prisma
    state: resolved
    migrations: [20250310083000_init]
    resolution: applied
    directory: packages/db/prisma/migrations
    login_host: prod-checkout-db.example.com
    login_user: deployer
    login_password: "{{ vault_checkout_db_password }}"
    login_db: checkout_prod

- name: Take over a database that has had files 1 to 41 by hand
  easymo.deploy.migrations:
    kind: sql
    directory: db/migrations
    baseline: "41"
    login_host: db.example.com
    login_user: app
    login_password: "{{ vault_db_password }}"
    login_db: app
"""

RETURN = r"""
applied:
  description:
    - The migrations this run applied, in order. After a failure, those applied before it, in the same shape.
    - C(file) is relative to O(directory), C(version) and C(name) are as in the history. C(statements) is how many it
      has, and C(atomic) whether a failure leaves nothing of it behind.
  returned: with O(state=applied), and when a migration or the generator failed
  type: list
  elements: dict
  sample:
    - {file: 20251104080000_orders.sql, version: "20251104080000", name: orders, statements: 6, atomic: true}
pending:
  description: The migrations that are not applied, as RV(applied). In check mode those that would be, otherwise empty.
  returned: with O(state=applied)
  type: list
  elements: dict
versions:
  description: All versions in the history now, in order, a baseline among them. With O(kind=prisma) those applied.
  returned: success, unless O(state=described)
  type: list
  elements: str
  sample: ["20251104080000"]
tables:
  description: Those of O(expect_tables) that are there, and how many rows those have that this run made.
  returned: with O(state=applied)
  type: list
  elements: dict
  sample: [{name: orders, created: true, rows: 0}, {name: users, created: false, rows: null}]
durations:
  description: Seconds each applied file took, by its name.
  returned: with O(state=applied)
  type: dict
  sample: {20251104080000_orders.sql: 0.041}
locks:
  description:
    - For each applied file the locks it held just before it committed, on what was there before it. The strongest of
      each relation. What it locked in order to read system catalogs is left out.
    - RV(durations) bounds how long they were held.
  returned: with O(state=applied), and when a migration failed
  type: dict
  sample: {20251104080000_orders.sql: [{relation: public.users, mode: SHARE ROW EXCLUSIVE}]}
locks_unknown:
  description:
    - Applied files of which RV(locks) does not tell all, since statements of theirs committed by themselves or the
      server gave no second connection to look from.
  returned: with O(state=applied), and when a migration failed
  type: list
  elements: str
passed_over:
  description: SQL files of the folder whose names are none of a migration. They are warned of.
  returned: with O(state=applied)
  type: list
  elements: str
missing_locally:
  description: Applied migrations that the folder has not. Prisma goes on, and so does this module, with a warning.
  returned: with O(kind=prisma) and O(state=applied), and when it is the reason of a failure
  type: list
  elements: str
drift:
  description: Applied files that were edited since, each with the first statement that differs, or both checksums.
  returned: with O(state=applied), and when it is the reason of a failure
  type: dict
findings:
  description:
    - Statements that are not additive and are not waived. When there is one, the task fails and nothing is applied.
    - C(line) is where the statement begins, C(statement) its number in the file, from 1. C(verdict) is V(destructive)
      or V(unknown). C(rule) is one word of the table in C(docs/migration-guard.md), C(what) and C(safe_way) are clauses
      on what it does and how to write it so that it is additive. C(excerpt) is its first line, its literals masked.
  returned: with O(state=applied), and when it is the reason of a failure
  type: list
  elements: dict
  sample:
    - file: 20251104080000_orders.sql
      line: 3
      verdict: destructive
      rule: drop-table
      what: it drops table users and the rows in it
      safe_way: keep it until nothing uses it, and drop it in a later release with a waiver
guard_warnings:
  description:
    - Statements that only add and may all the same break code that runs, such as a constraint that refuses rows it
      writes. They stop nothing, and each is a warning of the task too.
    - Shaped as RV(findings), with V(warning) as C(verdict).
  returned: with O(state=applied), and when the reason of a failure is RV(findings) or RV(problems)
  type: list
  elements: dict
problems:
  description:
    - Sentences on files that cannot run, or that only Flyway can run. When there is one, the task fails and nothing is
      applied. RV(findings) of the same folder come with them.
  returned: when it is the reason of a failure
  type: list
  elements: str
  sample: ["20251104080000_orders.sql has no statement: delete it, or write the migration."]
foreign_versions:
  description: What the history has after the run and this run did not write.
  returned: when it is the reason of a failure
  type: list
  elements: str
  sample: ["20251104080000"]
waived:
  description: What was let through by O(waivers), by file. Each has C(reason) and C(findings).
  returned: with O(state=applied), and when the reason of a failure is RV(findings)
  type: dict
verdicts:
  description: By file that was pending, how many of its statements are V(additive), V(warning), V(destructive) and
    V(unknown).
  returned: with O(state=applied), and when the reason of a failure is RV(findings)
  type: dict
  sample: {20251104080000_orders.sql: {additive: 6, warning: 0, destructive: 0, unknown: 0}}
resolved:
  description: The migrations whose record this run changed, or would.
  returned: with O(state=resolved)
  type: list
  elements: str
  sample: [20251105090000_agent_preferences]
history:
  description:
    - Where the folder and the database stand to each other. Its C(status) is V(up_to_date), V(pending), V(failed) when
      an earlier migration waits to be settled, or V(needs_baseline) when the schema has tables and no history. Its
      C(code) is C(P3005) or C(P3009), null when nothing would stop a deploy.
    - C(pending) and C(missing_locally) have names, C(drift) both checksums by file. C(applied), C(failed_migrations)
      and C(rolled_back) have C(name), C(checksum), C(started_at) and C(seconds), and what failed has its C(logs),
      without values and secrets.
  returned: with O(state=described)
  type: dict
  sample: {status: pending, code: null, pending: [20251105090000_agent_preferences], applied: [], rolled_back: [],
    failed_migrations: [], missing_locally: [], drift: {}}
generated:
  description: Whether O(generate_command) ran, or would.
  returned: with O(kind=prisma) and O(state=applied)
  type: bool
output:
  description: The last lines that O(generate_command) printed, without secrets.
  returned: with O(kind=prisma) and O(state=applied), and when the generator failed
  type: list
  elements: str
  sample: [Generated Prisma Client]
rehearsal:
  description:
    - What the record has of it under this C(name). C(status) is V(passed), V(failed), V(waived), V(nothing_pending), or
      in check mode V(due).
    - C(durations) and C(locks) of a rehearsal that passed are as RV(durations) and RV(locks), C(checks) as
      RV(easymo.deploy.health_check#module:results), C(left_out) as RV(easymo.deploy.pg_restore#module:left_out).
  returned: with O(rehearsal), and when it failed
  type: dict
  sample: {name: supabase_prod, status: passed, pending: [orders], durations: {20251104080000_orders.sql: 0.041},
    locks: {}, checks: [], left_out: [], backup: "s3://shop-backups/supabase_prod_20251111_060012_5e1f0a.dump",
    failure: "", waiver: "", waived_by: ""}
remarks:
  {description: What would be or cannot be rehearsed., returned: with O(rehearsal), type: list, elements: str}
failed:
  description: The files whose rows in the history of Flyway are of failures.
  returned: with O(kind=sql), when it is the reason of a failure
  type: list
  elements: str
  sample: [V8__index.sql]
file:
  description:
    - The file that failed. Where they are known, C(statement) is which of its statements did, from 1, C(line) where.
      C(sqlstate) is PostgreSQL's code for it, and C(code) that of Prisma.
  returned: when a migration failed
  type: str
  sample: 20251104080000_orders.sql
"""

from ..module_utils._migration.task import migrate
from ..module_utils._module import Module, Result, documented, execute
from ..module_utils._postgres import PSYCOPG2
from ..module_utils._rehearsal import rehearse

module_spec = documented(
    DOCUMENTATION,
    needs=(PSYCOPG2,),
    required_by={"rehearsal": ["bucket", "kubernetes"]},
    required_if=[("state", "resolved", ("migrations", "resolution"))],
)


def run(module: Module) -> Result:
    return rehearse(module) if module.params["rehearsal"] else migrate(module)


def main() -> None:
    execute(module_spec, run)


if __name__ == "__main__":
    main()
