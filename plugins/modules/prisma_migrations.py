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
  - With O(engine=native), Prisma itself is not needed. Rows, checksums, order, advisory lock and the conditions that
    stop a deploy are those of Prisma up to version 7.
  - With O(engine=command), the workspace's own command is run when something is pending, and what it did is verified.
  - Looks at the history afterwards. Anything still pending is a failure.
author:
  - EasyMO (@easymo)
extends_documentation_fragment:
  - easymo.deploy._attributes
  - easymo.deploy._migrations
  - easymo.deploy._postgres
options:
  state:
    description: V(applied) means that every migration of O(directory) is applied.
    type: str
    choices: [applied]
    default: applied
  directory:
    description: Folder with the migrations, a folder each with a C(migration.sql).
    type: path
    required: true
  schema:
    description: The schema Prisma is connected to, its C(?schema=).
    type: str
    default: public
  engine:
    description: Who applies the migrations, this module or O(command).
    type: str
    choices: [native, command]
    default: native
  command:
    description:
      - The workspace's command as a list of arguments. Needed with O(engine=command).
      - The URL of the database reaches it in the environment variable E(DATABASE_URL) only.
    type: list
    elements: str
  chdir:
    description: Folder to run O(command) in.
    type: path
  command_timeout:
    description: Seconds O(command) may take.
    type: float
    default: 600
  url_parameters:
    description:
      - Parameters of E(DATABASE_URL) to add or replace.
      - Needed with driver adapters, which have other names for TLS than Prisma's own engine.
    type: dict
    default: {}
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
    description: Seconds a statement waits for a lock at most with O(engine=native). V(0) is no limit.
    type: float
    default: 5
  statement_timeout:
    description: Seconds a statement runs at most with O(engine=native). V(0) is no limit.
    type: float
    default: 0
  advisory_lock_timeout:
    description: Seconds to wait for another run that is migrating this database. Prisma waits 10.
    type: float
    default: 10
requirements:
  - psycopg2-binary >= 2.9.10
  - pglast >= 8.8, unless O(additive_only=false)
notes:
  - The diff shows the SQL of pending migrations whole, so use C(--diff) only where the SQL may be shown.
  - The advisory lock belongs to a session. Connect to the database itself, not to a pooler in transaction mode.
seealso:
  - module: easymo.deploy.supabase_migrations
"""

EXAMPLES = r"""
- name: Apply the pending migrations of agent-core
  easymo.deploy.prisma_migrations:
    directory: packages/db/prisma/migrations
    login_host: prod-agent-db.easymo.com
    login_user: easymo_admin
    login_password: "{{ vault_agent_core_db_password }}"
    login_db: agent_core_prod

- name: Let the workspace's own command apply them
  easymo.deploy.prisma_migrations:
    directory: packages/db/prisma/migrations
    engine: command
    command: [pnpm, --filter, "@easymo/db", prisma:migrate:deploy]
    chdir: /srv/easymo
    login_host: prod-agent-db.easymo.com
    login_user: easymo_admin
    login_password: "{{ vault_agent_core_db_password }}"
    login_db: agent_core_prod
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
missing_locally:
  description: Applied migrations that the folder has not. Prisma goes on, and so does this module, with a warning.
  returned: success
  type: list
  elements: str
  sample: []
drift:
  description: Applied migrations that were edited since, by file.
  returned: success, and when it is the reason of a failure
  type: dict
  sample: {}
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
      sample: 20251105090000_agent_preferences/migration.sql
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
waived:
  description: What was let through by O(waivers), by file. Each has C(reason) and C(findings).
  returned: success, and when the reason of a failure is RV(findings)
  type: dict
  sample: {}
verdicts:
  description: By file that was pending, how many of its statements are V(additive), V(destructive) and V(unknown).
  returned: success, and when the reason of a failure is RV(findings)
  type: dict
  sample: {20251105090000_agent_preferences/migration.sql: {additive: 6, destructive: 0, unknown: 0}}
reason:
  description: One word for why the task failed.
  returned: failure
  type: str
  sample: FailedMigration
code:
  description: Prisma's code for the same condition.
  returned: when Prisma has one
  type: str
  sample: P3009
output:
  description: The last lines of what O(command) said, without the password.
  returned: when the command failed
  type: list
  elements: str
  sample: ["Error: P3018"]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.easymo.deploy.plugins.module_utils._errors import InputError
from ansible_collections.easymo.deploy.plugins.module_utils._migration.guard.options import Guard
from ansible_collections.easymo.deploy.plugins.module_utils._migration.prisma_apply import Command
from ansible_collections.easymo.deploy.plugins.module_utils._migration.prisma_deploy import (
    Order,
    migrate,
    predict,
)
from ansible_collections.easymo.deploy.plugins.module_utils._migration.prisma_folder import (
    read_folder,
)
from ansible_collections.easymo.deploy.plugins.module_utils._migration.prisma_history import (
    use_schema,
)
from ansible_collections.easymo.deploy.plugins.module_utils._migration.session import (
    Limits,
    migrating,
)
from ansible_collections.easymo.deploy.plugins.module_utils._module import execute, refuse_below
from ansible_collections.easymo.deploy.plugins.module_utils._options import (
    migrations_options,
    postgres_options,
)
from ansible_collections.easymo.deploy.plugins.module_utils._postgres import (
    PSYCOPG2,
    PostgresTarget,
)


def argument_spec() -> dict[str, t.Any]:
    return {
        "state": {"type": "str", "choices": ["applied"], "default": "applied"},
        "directory": {"type": "path", "required": True},
        "schema": {"type": "str", "default": "public"},
        "engine": {"type": "str", "choices": ["native", "command"], "default": "native"},
        "command": {"type": "list", "elements": "str"},
        "chdir": {"type": "path"},
        "command_timeout": {"type": "float", "default": 600},
        "url_parameters": {"type": "dict", "default": {}},
        "expect_tables": {"type": "list", "elements": "str", "default": []},
        "drift": {"type": "str", "choices": ["fail", "warn"], "default": "fail"},
        "lock_timeout": {"type": "float", "default": 5},
        "statement_timeout": {"type": "float", "default": 0},
        "advisory_lock_timeout": {"type": "float", "default": 10},
        **migrations_options(),
        **postgres_options(),
    }


def run(module: AnsibleModule) -> dict[str, t.Any]:
    params = module.params
    refuse_below(params, lock_timeout=0, statement_timeout=0)
    refuse_below(params, advisory_lock_timeout=0, command_timeout=0)
    if params["engine"] == "command" and not params["command"]:
        raise InputError("Option 'command' is empty; engine 'command' runs it.")
    order = to_order(params)
    with migrating(order.target) as session:
        use_schema(session, order.schema)
        outcome = (predict if module.check_mode else migrate)(session, order)
    for warning in outcome.warnings:
        module.warn(warning)
    result = outcome.to_result()
    if module._diff:
        result["diff"] = outcome.plan.to_diff()
    return result


def to_order(params: t.Mapping[str, t.Any]) -> Order:
    schema = params["schema"]
    local = read_folder(params["directory"])
    return Order(
        local=tuple(local),
        schema=schema,
        expect_tables=tuple(
            name if "." in name else f"{schema}.{name}" for name in params["expect_tables"]
        ),
        refuse_drift=params["drift"] == "fail",
        limits=Limits(params["lock_timeout"], params["statement_timeout"]),
        guard=Guard.from_params(params, [migration.file for migration in local]),
        advisory_lock_timeout=params["advisory_lock_timeout"],
        target=PostgresTarget.from_params(params),
        command=to_command(params) if params["engine"] == "command" else None,
    )


def to_command(params: t.Mapping[str, t.Any]) -> Command:
    return Command(
        argv=tuple(params["command"]),
        directory=params["chdir"],
        timeout=params["command_timeout"],
        url_parameters={name: str(value) for name, value in params["url_parameters"].items()},
    )


def main() -> None:
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    execute(module, run, needs=[PSYCOPG2])


if __name__ == "__main__":
    main()
