#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: pg_restore
short_description: Bring a backup of pg_backup back, beside the live database, in its place, or for a rehearsal
version_added: 0.2.0
description:
  - Streams a backup of M(easymo.deploy.pg_backup) from S3 straight into C(pg_restore). No dump is written to a disk.
  - Nothing goes live before the SHA-256 of every byte is the manifest's, and every table has exactly the rows that were
    counted in the backup's own snapshot.
  - Nor before owners, grants, row security, policies and default privileges are those of that snapshot. They are given
    back where they differ, and what this user cannot give back stops the restore.
  - Whatever fails, a database serves afterwards, and the failure says which one, what else is there and what to do.
    A run that was killed at any point is put right by running it again.
  - With O(fence) the deploy lock is looked at before anything is changed, and again right before what was restored goes
    live. A run that lost it meanwhile leaves the database as it was. An API server that is out of reach is asked again
    for ten minutes.
  - Sessions of others that are in the way are ended.
  - What was written after the backup was begun is lost to the application. With O(method=swap) it is still in the
    database that is kept.
extends_documentation_fragment:
  - easymo.deploy._module.changes_in_controller
  - easymo.deploy._action_groups.postgres_and_s3
  - easymo.deploy._lock.fence_elsewhere
  - easymo.deploy._postgres
  - easymo.deploy._s3
  - easymo.deploy._libraries.boto3
options:
  state:
    description:
      - V(present) means that the backup is restored.
      - V(absent) drops a scratch database that this module made, and nothing else. It goes with O(method=scratch) only.
    type: str
    choices: [present, absent]
    default: present
  method:
    description:
      - V(swap) restores into a twin of O(login_db), with the same owner, encoding, locale, connection limit, settings,
        grants and comment, while the live one serves. Then it refuses new connections to the live one, ends its
        sessions and renames both in one transaction. The failed one is kept as
        C(<login_db>_failed_<YYYYMMDD_HHMMSS>), in UTC.
        Needs the right to create databases, and O(login_user) to own O(login_db). A backup of a database in which other
        roles own schemas, as on Supabase, is refused.
      - V(in_place) restores over O(login_db) in one transaction, for servers where databases can't be made or renamed.
        Objects in the backup's schemas that the backup does not know are dropped in it. Schemas that the backup does
        not have are left alone. Checksum and rows are compared before the COMMIT. Tables are locked until then.
        For a user who is no superuser, so is what other roles own, see RV(left_out).
      - V(scratch) restores into a new database named O(login_db), for a rehearsal or to look something up.
    type: str
    choices: [swap, in_place, scratch]
    required: true
  name:
    description: Logical name of the backed up database, as given to M(easymo.deploy.pg_backup). Goes with O(release).
    type: str
  release:
    description: The release the backup was taken for. The newest valid backup of O(name) and this release is restored.
    type: str
  key:
    description: The key of exactly this backup, instead of O(name) and O(release).
    type: str
  approved_by:
    description: Who approved the restore, a person's name. Required unless O(method=scratch).
    type: str
  reason:
    description: Why the database has to be restored. Required unless O(method=scratch).
    type: str
  request:
    description:
      - A word that names this restore. When the restore of this name was carried out before, nothing is changed.
      - Without it, the same backup with the same O(approved_by) and O(reason) is the same restore.
    type: str
  maintenance_db:
    description:
      - Database to connect to while O(login_db) is made, renamed or dropped.
      - C(template1) is used instead when O(login_db) has that very name. O(method=in_place) has no need of it.
    type: str
    default: postgres
  owners:
    description:
      - V(keep) restores owners and grants, whose roles must exist.
      - V(skip) makes O(login_user) the owner of everything and grants nothing, for scratch databases on other servers.
    type: str
    choices: [keep, skip]
    default: keep
  pg_restore:
    description: Name or path of C(pg_restore). It must not be older than the C(pg_dump) that wrote the backup.
    type: str
    default: pg_restore
  psql:
    description: Name or path of C(psql), for O(method=in_place). It must not be older than O(pg_restore).
    type: str
    default: psql
  timeout:
    description: Seconds the restore may take before it is given up.
    type: int
    default: 3600
  record:
    description:
      - Whether it goes by the record of O(release) in O(kubernetes). That says which backup of O(name) it is, unless
        O(key) does, the one from before the first migration or else the last. It says what was restored already by the
        same words, and is not restored again. What is restored is kept there.
      - Without O(approved_by) and O(reason) it is refused with what to add to the command.
    type: bool
    default: false
  checked:
    description: With O(record), what the same task returned in check mode. Its rows are kept as those from before.
    type: dict
    default: {}
  failed_data:
    description: With O(record), where a backup of what is restored over lies.
    type: str
    default: ""
notes:
  - In check mode nothing is written. It names the backup and its age, counts the rows there are now beside those in the
    backup. Counting reads every table.
  - The mark by which a restore is known again is the last line of a database's comment.
  - Replication slots and subscriptions stay with the database that is kept by O(method=swap).
"""

EXAMPLES = r"""
- name: Put the backup in the place of a database that a release has spoilt
  easymo.deploy.pg_restore:
    method: swap
    name: checkout_prod
    release: 2.0.0
    approved_by: Jane Doe
    reason: The migration of 2.0.0 garbled the ledger
    login_host: prod-checkout-db.example.com
    login_user: deployer
    login_password: "{{ vault_checkout_db_password }}"
    login_db: checkout_prod
    bucket: shop-backups
    prefix: v2-migration/

- name: Restore over a hosted database, which can be neither made nor renamed
  easymo.deploy.pg_restore:
    method: in_place
    key: v2-migration/supabase_prod_20251111_060012_5e1f0a.dump
    approved_by: Jane Doe
    reason: The migration of 2.0.0 dropped the drivers
    request: incident-4711
    login_host: db.lhbowpbcpwoiparwnwgt.supabase.co
    login_user: postgres
    login_password: "{{ vault_supabase_db_password }}"
    login_db: postgres
    bucket: shop-backups

- name: Look at what was backed up, in a database of its own
  easymo.deploy.pg_restore:
    method: scratch
    name: checkout_prod
    release: 2.0.0
    login_host: prod-checkout-db.example.com
    login_user: deployer
    login_password: "{{ vault_checkout_db_password }}"
    login_db: look_at_checkout
    bucket: shop-backups
    prefix: v2-migration/
"""

RETURN = r"""
live:
  description: The database that serves under O(login_db) now. Empty when a scratch database was dropped.
  returned: success
  type: str
  sample: checkout_prod
kept:
  description: Under which name the failed database is kept. Empty unless O(method=swap) was carried out, now or before.
  returned: success
  type: str
  sample: checkout_prod_failed_20251111_101500
request:
  description: The word that names this restore, given or made.
  returned: when O(state=present)
  type: str
  sample: 3f1c0a9be2d4
backup:
  description: What M(easymo.deploy.pg_backup) returned of the backup, and its C(age) in seconds.
  returned: when O(state=present)
  type: dict
  sample: {age: 5400, key: v2-migration/checkout_prod_20251111_060012_5e1f0a.dump, size: 102301444}
rows:
  description:
    - By C(table), as schema.table, how many rows it had C(before), how many are in the C(backup), and how many it had
      C(after).
    - C(before) is counted in check mode and with C(--diff). It is null when it was not, or could not be, counted, or
      when there was no such table. C(backup) is null for a table that the backup does not have, C(after) when nothing
      was restored in this run.
  returned: when O(state=present)
  type: list
  elements: dict
  sample: [{table: public.orders, before: 11873, backup: 12000, after: 12000}]
dropped:
  description:
    - Objects that the backup does not know and O(method=in_place) drops.
    - In check mode those that it would drop.
  returned: when O(state=present)
  type: list
  elements: str
  sample: [TABLE public.orders]
left_out:
  description:
    - What of the backup is not restored, because O(login_user) is no superuser and it belongs to other roles.
    - With O(method=in_place) it stays as it is, and check mode lists the same.
    - With O(method=scratch) the new database is without it, and everything in it belongs to O(login_user). Check mode
      does not list it.
  returned: when O(state=present)
  type: list
  elements: str
  sample: ["schemas of other roles: auth, storage", "event triggers: pgrst_ddl_watch"]
rights_compared:
  description:
    - Of how many objects owners, grants and row security were compared with the backup's, and are equal now.
    - 0 for a backup of an older version, and when nothing was restored in this run. So it is with O(owners=skip), but
      for O(method=in_place), which always restores owners.
  returned: when O(state=present)
  type: int
  sample: 312
rights_given_back:
  description: The objects whose rights differed until they were given back.
  returned: when O(state=present)
  type: list
  elements: str
  sample: [TABLE public.secrets]
standing:
  description: Which database serves after the failure and what else is there. The message ends in it, too.
  returned: when it failed after it had begun
  type: str
  sample: Database 'checkout_prod' serves as before and no copy is left.
differences:
  description: Tables whose restored rows are not those of the backup, each with C(table), C(backup) and C(restored).
  returned: when the rows differ
  type: list
  elements: dict
  sample: [{backup: 12000, restored: 11999, table: public.orders}]
"""

from ..module_utils import _postgres, _s3
from ..module_utils._module import Module, Result, documented, execute
from ..module_utils._restore.apply import carry_out
from ..module_utils._restore.recorded import restore_recorded

module_spec = documented(
    DOCUMENTATION,
    needs=(_s3.BOTO3, _postgres.PSYCOPG2),
    required_if=[("record", True, ("name", "release", "kubernetes"))],
)


def run(module: Module) -> Result:
    return restore_recorded(module) if module.params["record"] else carry_out(module)


def main() -> None:
    execute(module_spec, run)


if __name__ == "__main__":
    main()
