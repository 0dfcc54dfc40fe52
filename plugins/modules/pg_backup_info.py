#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: pg_backup_info
short_description: Look up the newest valid backups in S3
version_added: 0.1.0
description:
  - Lists the newest valid backup that M(easymo.deploy.pg_backup) made of each database and release, with its age.
  - A backup is valid when its manifest is there and the dump beside it has the size the manifest says.
extends_documentation_fragment:
  - easymo.deploy._module.reads_in_controller
  - easymo.deploy._action_groups.s3
  - easymo.deploy._s3
  - easymo.deploy._libraries.boto3
options:
  name:
    description: Only backups of this logical database, for example V(supabase_prod).
    type: str
  release:
    description: Only backups taken for this release.
    type: str
seealso:
  - module: easymo.deploy.pg_backup
"""

EXAMPLES = r"""
- name: Look up the newest backups of the Supabase database
  easymo.deploy.pg_backup_info:
    name: supabase_prod
    bucket: shop-backups
    prefix: v2-migration/
  register: found

- name: Refuse to go on without a backup that is less than an hour old
  ansible.builtin.assert:
    that: found.newest.supabase_prod.age | default(3600) < 3600
    fail_msg: No backup of supabase_prod is less than an hour old.
"""

RETURN = r"""
backups:
  description:
    - The newest valid backup of each database and release, the newest first.
    - Each has the keys of RV(easymo.deploy.pg_backup#module:backup), and its age.
  returned: success
  type: list
  elements: dict
  contains:
    age:
      description: Seconds since it was begun. What was written later is not in it.
      type: int
      sample: 1260
newest:
  description: The newest valid backup of each database whatever its release, by the database's logical name.
  returned: success
  type: dict
  version_added: 0.2.0
  sample:
    supabase_prod:
      name: supabase_prod
      release: 2.0.0
      uri: s3://shop-backups/v2-migration/supabase_prod_20251111_060012_5e1f0a.dump
      age: 1260
broken:
  description:
    - Manifests that do not describe the dump beside them, each with why. One that is damaged or was edited never fails
      the task.
  returned: success
  type: list
  elements: str
  sample: []
reason:
  description: One word for why the task failed.
  returned: failure
  type: str
  sample: Refused
"""

import typing as t
from datetime import UTC, datetime

from ..module_utils import _s3
from ..module_utils._backup.catalog import read_catalog
from ..module_utils._backup.plan import newest_per_release
from ..module_utils._documentation import documented
from ..module_utils._module import Module, execute
from ..module_utils._s3 import S3Bucket

NEEDS = (_s3.BOTO3,)


module_spec = documented(DOCUMENTATION)


def run(module: Module) -> dict[str, t.Any]:
    params = module.params
    bucket = S3Bucket.from_params(params)
    bucket.check()
    catalog = read_catalog(bucket, prefix=params["prefix"], name=params["name"])
    now = datetime.now(UTC)
    wanted = params["release"]
    backups = [
        {**backup.to_result(), "age": backup.age(now)}
        for backup in newest_per_release(catalog.backups)
        if wanted in (None, backup.manifest.release)
    ]
    # The newest comes first, so it is the last to be put here.
    newest = {backup["name"]: backup for backup in reversed(backups)}
    return {
        "changed": False,
        "backups": backups,
        "newest": newest,
        "broken": list(catalog.broken),
    }


def main() -> None:
    execute(module_spec, run, needs=NEEDS)


if __name__ == "__main__":
    main()
