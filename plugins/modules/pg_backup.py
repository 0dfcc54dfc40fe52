#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: pg_backup
short_description: Take a PostgreSQL backup into S3 and prove it by reading it back
version_added: 0.1.0
description:
  - Streams C(pg_dump) in custom format straight into an S3 object. No dump is written to a disk.
  - Reads the object back from S3, compares its SHA-256 with what was sent and lets C(pg_restore --list) read it.
    Only then the manifest is written beside it, as C(<key>.manifest.json).
    A dump without a manifest is no backup to this collection.
  - The manifest tells how many rows of each table are in the dump, counted in the snapshot that C(pg_dump) reads. When
    the dump does not hold the rows of just these tables, the backup fails.
  - A table that the user may not read, or that row security hides rows of, is refused before the dump.
  - Never overwrites. The key holds the UTC time and a random part.
  - Does nothing when a valid backup of the same O(release) and O(name) exists that is young enough.
extends_documentation_fragment:
  - easymo.deploy._module.changes
  - easymo.deploy._action_groups.postgres_and_s3
  - easymo.deploy._postgres
  - easymo.deploy._s3
  - easymo.deploy._libraries.boto3
options:
  name:
    description: Logical name of the database, the first part of the key, for example V(supabase_prod).
    type: str
    required: true
  release:
    description: The release this backup is taken for.
    type: str
    required: true
  max_age:
    description:
      - A valid backup of the same release and name that is at most this many seconds old serves; no new one is taken.
      - V(0) accepts one of any age.
    type: int
    default: 0
  not_before:
    description:
      - A time in ISO 8601, as V(2026-11-24T06:00:00Z). A backup that was begun before it does not serve, for example
        because somebody has put the database right since.
    type: str
  pg_dump:
    description: Name or path of C(pg_dump). It must be of the server's major version or later.
    type: str
    default: pg_dump
  pg_restore:
    description: Name or path of C(pg_restore). It must be of the major version of O(pg_dump) or later.
    type: str
    default: pg_restore
  compression:
    description:
      - How the dump is compressed.
      - V(auto) is zstd when O(pg_dump) was built with it, else gzip.
    type: str
    choices: [auto, zstd, gzip, none]
    default: auto
  lock_timeout:
    description: Seconds C(pg_dump) may wait for the lock of a table before the backup fails.
    type: int
    default: 60
  timeout:
    description: Seconds the dump may take, and as many again reading it back.
    type: int
    default: 3600
notes:
  - A backup that fails or is killed, by SIGKILL too, leaves nothing behind. A second process of this module waits
    beside it, and removes what it left in S3. What a lost machine leaves is no backup, and stays until somebody or a
    lifecycle rule of the bucket removes it.
  - With a local connection it tells every few seconds how far it is.
  - Memory stays below 150 MB for dumps of up to 87 GiB. Above that the parts S3 takes must be larger than 32 MiB, for
    there may be 10,000 of them.
  - Beside what reading and writing objects needs, the key to S3 should be allowed C(s3:AbortMultipartUpload),
    C(s3:ListBucketMultipartUploads) and C(s3:DeleteObject), for removing what was not finished.
seealso:
  - module: easymo.deploy.pg_restore
"""

EXAMPLES = r"""
- name: Back up the Supabase database before its migrations
  easymo.deploy.pg_backup:
    name: supabase_prod
    release: 2.0.0
    max_age: 3600 # unless there is one less than an hour old
    login_host: db.lhbowpbcpwoiparwnwgt.supabase.co
    login_user: postgres
    login_password: "{{ vault_supabase_db_password }}"
    login_db: postgres
    ca_cert: /etc/ssl/certs/supabase-ca.crt
    bucket: shop-backups
    prefix: v2-migration/
"""

RETURN = r"""
backup:
  description:
    - The backup that serves now, as its manifest has it. Empty in check mode when one would be taken.
    - C(started) and C(finished) are in UTC, C(duration) in seconds between them, C(size) in bytes. C(entries) is the
      number of entries in the dump's table of contents.
    - C(rows) is how many rows of each table are in the dump, by V(schema.table), counted in the snapshot of the dump.
      Partitioned tables count in their leaves. A name that holds a dot or a quote is quoted as in SQL.
    - C(schemas_of_others) are schemas that other roles than the one that backed up own, as a hosted platform's do. They
      are in the dump as far as they could be read, less C(left_out), and a restore in place leaves them alone.
  returned: success
  type: dict
  sample:
    uri: s3://shop-backups/v2-migration/supabase_prod_20251111_060012_5e1f0a.dump
    key: v2-migration/supabase_prod_20251111_060012_5e1f0a.dump
    size: 102301444
    started: "2025-11-11T06:00:12Z"
    duration: 7
    entries: 214
    rows: {public.orders: 48120, public.users: 9034}
    schemas_of_others: [auth, storage]
    left_out: [table auth.schema_migrations]
left_out:
  description:
    - What of other roles the backup lacks, in check mode would lack, because O(login_user) may not read it.
    - Only a role that owns the database may leave something out, and only in schemas that others own, as on Supabase.
  returned: success
  type: list
  elements: str
  sample: [table auth.schema_migrations, table storage.migrations]
left_behind:
  description: What may be left in S3 after a failure, and why. A process of its own still tries to remove it.
  returned: failure, when S3 did not let it be removed
  type: str
  sample: "Perhaps parts of v2-migration/supabase_prod_20251111_060012_5e1f0a.dump: S3 at AWS cannot be reached."
"""

import secrets
import typing as t
from datetime import UTC, datetime

from ..module_utils import _postgres, _s3
from ..module_utils._backup import programs
from ..module_utils._backup.apply import BackupRequest, take_backup
from ..module_utils._backup.catalog import read_catalog
from ..module_utils._backup.plan import (
    GZIP,
    NAME,
    ZSTD,
    Backup,
    dump_key,
    find_sufficient,
    refuse_older_programs,
)
from ..module_utils._backup.programs import BackupProgress, Reporter
from ..module_utils._backup.tables import list_dumped, refuse_unreadable
from ..module_utils._errors import InputError
from ..module_utils._module import (
    Module,
    Result,
    documented,
    emit_progress,
    execute,
    refuse_below,
)
from ..module_utils._postgres import PostgresTarget
from ..module_utils._s3 import S3Bucket
from ..module_utils._time import read_time

Params = t.Mapping[str, t.Any]

_METHODS = {"zstd": ZSTD, "gzip": GZIP, "none": "none"}

module_spec = documented(DOCUMENTATION, needs=(_s3.BOTO3, _postgres.PSYCOPG2))


def look(module: Module) -> Result:
    """The result where a backup serves already, without `backup` where one has to be taken."""
    refuse_bad_input(module.params)
    existing = serving(module.params, connect(module.params), datetime.now(UTC))
    return to_result(module, existing, existing, existing.manifest.left_out) if existing else {}


def run(module: Module) -> Result:
    params = module.params
    refuse_bad_input(params)
    bucket, now = connect(params), datetime.now(UTC)
    existing = backup = serving(params, bucket, now)
    left_out = existing.manifest.left_out if existing else []
    if existing is None:
        request = request_of(
            params, now, bucket, lambda *event: emit_progress(module, "BackupProgress", *event)
        )
        left_out = list(request.left_out)
        if not module.check_mode:
            backup = take_backup(request, lambda: connect(params))
    return to_result(module, existing, backup, left_out)


def serving(params: Params, bucket: S3Bucket, now: datetime) -> Backup | None:
    not_before = read_not_before(params["not_before"])
    bucket.check()
    return find_sufficient(
        read_catalog(bucket, prefix=params["prefix"], name=params["name"]).backups,
        release=params["release"],
        max_age=params["max_age"],
        now=now,
        not_before=not_before,
    )


def to_result(
    module: Module, existing: Backup | None, backup: Backup | None, left_out: t.Sequence[str]
) -> Result:
    params = module.params
    described = backup.to_result() if backup else {}
    would = "would be" if module.check_mode else "is"
    lacks = f"{params['name']} {would} backed up without objects that its user may not read: "
    result: Result = {"changed": existing is None, "backup": described, "left_out": [*left_out]}
    result["remarks"] = [f"{lacks}{', '.join(left_out)}."] if left_out else []
    predicted = {"name": params["name"], "release": params["release"]}
    before = existing.to_result() if existing else {}
    result["diff"] = {"before": before, "after": described or predicted}
    return result


def read_not_before(text: str | None) -> datetime | None:
    try:
        return read_time(text) if text else None
    except ValueError as exc:
        raise InputError(f"Option 'not_before' is no time in ISO 8601: {exc}.") from exc


def connect(params: t.Mapping[str, t.Any]) -> S3Bucket:
    return S3Bucket.from_params(params, patience=params["timeout"])


def refuse_bad_input(params: t.Mapping[str, t.Any]) -> None:
    if not NAME.fullmatch(params["name"]):
        raise InputError(
            f"Option 'name' is {params['name']!r}; it begins with a letter or a digit and has only "
            "letters, digits, dots, underscores and hyphens."
        )
    if not params["release"].strip():
        raise InputError("Option 'release' is empty: a backup belongs to a release.")
    refuse_below(params, max_age=0, lock_timeout=1, timeout=1)


def request_of(
    params: t.Mapping[str, t.Any], now: datetime, bucket: S3Bucket, report: Reporter
) -> BackupRequest:
    """Find the programs, ask the server, and refuse what cannot work."""
    target = PostgresTarget.from_params(params)
    pg_dump = programs.find(params["pg_dump"], "pg_dump")
    pg_restore = programs.find(params["pg_restore"], "pg_restore")
    with _postgres.connected(target, application_name="easymo.deploy pg_backup") as session:
        _postgres.refuse_pooler(session, target)
        _postgres.lift_timeouts(session)
        server = session.server_version
        refuse_older_programs(server=server, pg_dump=pg_dump.numbers, pg_restore=pg_restore.numbers)
        tables, others = list_dumped(session)
        refuse_unreadable(tables, target)
    method = params["compression"]
    return BackupRequest(
        name=params["name"],
        release=params["release"],
        key=dump_key(params["prefix"], params["name"], now, secrets.token_hex(3)),
        target=target,
        left_out=others.left_out,
        server_version=server[1],
        pg_dump=pg_dump,
        pg_restore=pg_restore,
        compression=_METHODS.get(method) or programs.best_compression(pg_dump),
        lock_timeout=params["lock_timeout"],
        timeout=params["timeout"],
        bucket=bucket,
        progress=BackupProgress(params["name"], report),
    )


def main() -> None:
    execute(module_spec, run)


if __name__ == "__main__":
    main()
