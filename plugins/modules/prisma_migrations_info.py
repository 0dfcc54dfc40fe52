#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: prisma_migrations_info
short_description: Look up where a folder of Prisma migrations and a database stand to each other
version_added: 0.2.0
description:
  - Tells which migrations are applied, pending, failed, rolled back or edited since, as C(prisma migrate status) does,
    and with what Prisma leaves out.
  - What would stop a deploy is told in RV(status) and RV(code) and fails nothing here. It takes no lock.
extends_documentation_fragment:
  - easymo.deploy._module.reads_in_controller
  - easymo.deploy._action_groups.postgres
  - easymo.deploy._postgres
options:
  directory:
    description: Folder with the migrations, a folder each with a C(migration.sql).
    type: path
    required: true
  schema:
    description: The schema Prisma is connected to, its C(?schema=).
    type: str
    default: public
seealso:
  - module: easymo.deploy.prisma_migrations
"""

EXAMPLES = r"""
- name: Look up the migrations of checkout
  easymo.deploy.prisma_migrations_info:
    directory: packages/db/prisma/migrations
    login_host: prod-checkout-db.example.com
    login_user: deployer
    login_password: "{{ vault_checkout_db_password }}"
    login_db: checkout_prod
  register: migrations

- name: Show why the last one failed
  ansible.builtin.debug:
    var: migrations.failed_migrations
  when: migrations.status == 'failed'
"""

RETURN = r"""
status:
  description:
    - V(up_to_date), V(pending), V(failed) when an earlier migration waits to be settled, or V(needs_baseline) when the
      schema has tables and no history.
  returned: success
  type: str
  sample: failed
code:
  description: Prisma's code for what would stop a deploy, C(P3005) or C(P3009). Null when nothing would.
  returned: success
  type: str
  sample: P3009
applied:
  description: The migrations that are applied, in the order they were started.
  returned: success
  type: list
  elements: dict
  contains: &row
    name:
      description: The name of its folder.
      type: str
      sample: 20250310083000_init
    checksum:
      description: SHA-256 of the script that ran.
      type: str
      sample: 4d967a7d1c4e1f9bb8a9b3a2f5bd6b3a4f2a8c9d0e1f2a3b4c5d6e7f8a9b0c1d
    started_at:
      description: When it was started, in UTC.
      type: str
      sample: "2025-11-05T09:12:44Z"
    seconds:
      description: Seconds it took, null when it did not end.
      type: float
      sample: 0.041
pending:
  description: Names of the migrations the next deploy would apply, in order.
  returned: success
  type: list
  elements: str
  sample: [20251105090000_agent_preferences]
failed_migrations:
  description: Migrations that began, did not end and were not settled. C(logs) is why, without values and secrets.
  returned: success
  type: list
  elements: dict
  contains: *row
rolled_back:
  description: Attempts that were settled as rolled back.
  returned: success
  type: list
  elements: dict
  contains: *row
missing_locally:
  description: Applied migrations that the folder has not.
  returned: success
  type: list
  elements: str
  sample: []
drift:
  description: Applied migrations that were edited since, by file, with both checksums.
  returned: success
  type: dict
  sample: {}
reason:
  description: One word for why the task failed.
  returned: failure
  type: str
  sample: Unreachable
"""


from ..module_utils._documentation import documented
from ..module_utils._migration.prisma_folder import read_folder
from ..module_utils._migration.prisma_history import describe_status, read_history, use_schema
from ..module_utils._migration.session import migrating
from ..module_utils._module import Module, Result, execute
from ..module_utils._postgres import PSYCOPG2, PostgresTarget

NEEDS = (PSYCOPG2,)


module_spec = documented(DOCUMENTATION)


def run(module: Module) -> Result:
    params = module.params
    local = read_folder(params["directory"])
    with migrating(PostgresTarget.from_params(params)) as session:
        table = use_schema(session, params["schema"])
        history = read_history(session, params["schema"], table)
    return {"changed": False, **describe_status(history, local)}


def main() -> None:
    execute(module_spec, run, needs=NEEDS)


if __name__ == "__main__":
    main()
