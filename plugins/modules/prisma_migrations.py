#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: prisma_migrations
short_description: Apply pending Prisma migrations as prisma migrate deploy does
version_added: 0.1.0
description:
  - Applies the migrations of a folder that the database has not seen yet, and records them in C(_prisma_migrations).
  - Prisma itself is not needed. Rows, checksums, order, advisory lock and the conditions that stop a deploy are those
    of Prisma up to version 7.
  - A script that can be a transaction commits together with its row. A run that was cut off anywhere, even by
    C(SIGKILL), has applied a migration and recorded it, or has done neither, and is simply run again. Scripts that
    begin and commit by themselves, or cannot be in a transaction, are recorded before and after, as Prisma does it.
  - Looks at the history afterwards. Anything still pending is a failure.
  - With O(state=resolved) it writes down what a person says became of migrations, as C(prisma migrate resolve) does.
extends_documentation_fragment:
  - easymo.deploy._module.changes_in_controller
  - easymo.deploy._action_groups.postgres
  - easymo.deploy._lock_check
  - easymo.deploy._migrations
  - easymo.deploy._postgres
  - easymo.deploy._libraries.pglast
options:
  state:
    description:
      - V(applied) means that every migration of O(directory) is applied.
      - V(resolved) runs no script. It settles O(migrations) in the history, which is the way out of C(P3009) (an
        earlier migration failed) and of C(P3005) (tables and no history). V(resolved) is new in 0.2.0.
    type: str
    choices: [applied, resolved]
    default: applied
  migrations:
    description: Names of the migrations to settle with O(state=resolved). All of them are settled, or none.
    type: list
    elements: str
    version_added: 0.2.0
  resolution:
    description:
      - What became of O(migrations).
      - V(applied) means that all of each is in the database. One that is recorded as applied already, which Prisma
        refuses with C(P3008), is left as it is.
      - V(rolled_back) means that nothing of each failed one stayed, so that the next deploy runs it again. A migration
        that never ran is refused (C(P3011)), and so is one that did not fail (C(P3012)).
    type: str
    choices: [applied, rolled_back]
    version_added: 0.2.0
  directory:
    description: Folder with the migrations, a folder each with a C(migration.sql).
    type: path
    required: true
  schema:
    description: The schema Prisma is connected to, its C(?schema=).
    type: str
    default: public
  chdir:
    description: Folder to run O(generate_command) in. A path with a slash in it is looked for from there.
    type: path
  command_timeout:
    description: Seconds O(generate_command) may take. Then it is killed with all it started.
    type: float
    default: 600
  generate_command:
    description:
      - The workspace's command that generates the Prisma client, as a list of arguments. None by default.
      - It runs after the migrations are applied and verified. The URL of the database reaches it in the environment
        variable E(DATABASE_URL) only.
    type: list
    elements: str
    version_added: 0.2.0
  generate:
    description:
      - When O(generate_command) runs, with V(after_migrations) only in a run that applied something.
      - V(always) is for workspaces that are made anew for each run.
    type: str
    choices: [after_migrations, always]
    default: after_migrations
    version_added: 0.2.0
  expect_tables:
    description:
      - Tables that must be there afterwards, as C(table) in O(schema) or as C(schema.table).
      - Those that this run made must be empty.
    type: list
    elements: str
    default: []
  drift:
    description:
      - What to do about an applied migration whose file has another checksum now.
      - C(prisma migrate deploy) does not look. V(warn) goes on with a warning.
    type: str
    choices: [fail, warn]
    default: fail
  lock_timeout:
    description: Seconds a statement waits for a lock at most. V(0) is no limit.
    type: float
    default: 5
  statement_timeout:
    description: Seconds a statement runs at most. V(0) is no limit.
    type: float
    default: 0
  advisory_lock_timeout:
    description: Seconds to wait for another run that is migrating this database. Prisma waits 10.
    type: float
    default: 10
requirements:
  - pglast, unless O(additive_only=false)
notes:
  - The diff shows the SQL of pending migrations whole, so use C(--diff) only where the SQL may be shown.
  - The advisory lock belongs to a session. Connect to the database itself, or to a pooler in session mode; one in
    transaction mode is refused.
  - Of the role's own C(statement_timeout), C(transaction_timeout) and idle timeouts none holds for a run; what
    holds is O(statement_timeout).
seealso:
  - module: easymo.deploy.prisma_migrations_info
  - module: easymo.deploy.supabase_migrations
"""

EXAMPLES = r"""
- name: Apply the pending migrations of checkout
  easymo.deploy.prisma_migrations:
    directory: packages/db/prisma/migrations
    login_host: prod-checkout-db.example.com
    login_user: deployer
    login_password: "{{ vault_checkout_db_password }}"
    login_db: checkout_prod

- name: Say that what the first migration makes is there already (P3005)
  easymo.deploy.prisma_migrations:
    state: resolved
    migrations: [20250310083000_init]
    resolution: applied
    directory: packages/db/prisma/migrations
    login_host: prod-checkout-db.example.com
    login_user: deployer
    login_password: "{{ vault_checkout_db_password }}"
    login_db: checkout_prod

- name: Say that nothing stayed of the migration that failed (P3009)
  easymo.deploy.prisma_migrations:
    state: resolved
    migrations: [20251105090000_agent_preferences]
    resolution: rolled_back
    directory: packages/db/prisma/migrations
    login_host: prod-checkout-db.example.com
    login_user: deployer
    login_password: "{{ vault_checkout_db_password }}"
    login_db: checkout_prod
"""

RETURN = r"""
applied:
  description: The migrations this run applied, in order. After a failure, those applied before it, in the same shape.
  returned: with O(state=applied), and when a migration or the generator failed
  type: list
  elements: dict
  contains: &migration
    file:
      description: Name of the file.
      returned: always
      type: str
      sample: 20251105090000_agent_preferences/migration.sql
    version:
      description: The name it has in the history.
      returned: always
      type: str
      sample: 20251105090000_agent_preferences
    name:
      description: The same.
      returned: always
      type: str
      sample: 20251105090000_agent_preferences
    statements:
      description: Number of its statements.
      returned: always
      type: int
      sample: 3
    atomic:
      description: Whether a failure leaves nothing of it behind.
      returned: always
      type: bool
      sample: true
pending:
  description: The migrations that are not applied. In check mode those that would be, otherwise empty.
  returned: success
  type: list
  elements: dict
  contains: *migration
versions:
  description: The names of all migrations that are applied now, in the order they were started.
  returned: success
  type: list
  elements: str
  sample: [20250310083000_init]
tables:
  description: Those of O(expect_tables) that are there, as M(easymo.deploy.supabase_migrations) returns them.
  returned: success
  type: list
  elements: dict
  sample: []
durations:
  description: Seconds each applied migration took, by its file.
  returned: success
  type: dict
  sample: {20251105090000_agent_preferences/migration.sql: 0.041}
locks:
  description:
    - For each applied file the locks it held just before it committed, on what was there before it, as
      M(easymo.deploy.supabase_migrations) returns them.
  returned: with O(state=applied), and when a migration failed
  type: dict
  sample: {20251105090000_agent_preferences/migration.sql: [{relation: public.agents, mode: SHARE ROW EXCLUSIVE}]}
  version_added: 0.2.0
locks_unknown:
  description:
    - Applied files of which RV(locks) does not tell, since they are no transaction, or the server gave no second
      connection to look from.
  returned: with O(state=applied), and when a migration failed
  type: list
  elements: str
  sample: []
  version_added: 0.2.0
missing_locally:
  description: Applied migrations that the folder has not. Prisma goes on, and so does this module, with a warning.
  returned: success
  type: list
  elements: str
  sample: []
passed_over:
  description: SQL files that lie in O(directory) itself, where Prisma looks at folders alone. They are warned of.
  returned: with O(state=applied)
  type: list
  elements: str
  sample: []
  version_added: 0.2.0
drift:
  description: Applied migrations that were edited since, by file.
  returned: success, and when it is the reason of a failure
  type: dict
  sample: {}
findings:
  description:
    - Statements that are not additive and are not waived. When there is one, the task fails and nothing is applied.
    - Each is as in RV(easymo.deploy.supabase_migrations#module:findings).
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
  version_added: 0.2.0
problems:
  description: The same as RV(easymo.deploy.supabase_migrations#module:problems).
  returned: when it is the reason of a failure
  type: list
  elements: str
  sample: []
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
  sample: {20251105090000_agent_preferences/migration.sql: {additive: 6, warning: 0, destructive: 0, unknown: 0}}
resolved:
  description: The migrations whose record this run changed, or would.
  returned: with O(state=resolved)
  type: list
  elements: str
  sample: [20251105090000_agent_preferences]
  version_added: 0.2.0
generated:
  description: Whether O(generate_command) ran, or would.
  returned: with O(state=applied)
  type: bool
  sample: false
  version_added: 0.2.0
reason:
  description: One word for why the task failed.
  returned: failure
  type: str
  sample: FailedMigration
file:
  description: The file that failed. It comes with RV(statement), RV(line) and RV(sqlstate) where they are known.
  returned: when a migration failed
  type: str
  sample: 20251105090000_agent_preferences/migration.sql
statement:
  description:
    - Which statement of the file failed, from 1. Not known of a script of several statements that is no transaction,
      unless the server points at it.
  returned: when it is known
  type: int
  sample: 3
  version_added: 0.2.0
line:
  description: The line of the file it failed in.
  returned: as RV(statement)
  type: int
  sample: 17
sqlstate:
  description: PostgreSQL's code for what went wrong.
  returned: when a statement failed
  type: str
  sample: "42P07"
code:
  description: Prisma's code for the same condition.
  returned: when Prisma has one
  type: str
  sample: P3009
output:
  description: The last lines that O(generate_command) printed, without secrets.
  returned: with O(state=applied), and when the generator failed
  type: list
  elements: str
  sample: ["Error: P3018"]
"""

from ..module_utils._documentation import documented
from ..module_utils._migration.prisma_folder import read_folder
from ..module_utils._migration.task import apply_prisma, resolve_prisma
from ..module_utils._module import Module, Result, execute, refuse_below
from ..module_utils._postgres import PSYCOPG2

NEEDS = (PSYCOPG2,)


module_spec = documented(
    DOCUMENTATION, required_if=[("state", "resolved", ("migrations", "resolution"))]
)


def run(module: Module) -> Result:
    params = module.params
    refuse_below(params, lock_timeout=0, statement_timeout=0)
    refuse_below(params, advisory_lock_timeout=0, command_timeout=0, lock_retries=0)
    local = read_folder(params["directory"])
    engine = resolve_prisma if params["state"] == "resolved" else apply_prisma
    return engine(module, local)


def main() -> None:
    execute(module_spec, run, needs=NEEDS)


if __name__ == "__main__":
    main()
