"""What holds of backups, by what the bucket itself holds."""

import hashlib
import json
from contextlib import suppress

import psycopg2

from .. import plan
from ..programs import rows_in
from ..scheduler import Process
from ..stores import QUERY
from ..tasks import Did
from .history import RECORD, History, Part, Write, record_of

MANIFEST = ".manifest.json"
EFFECTS = "effects.applied"

SOURCES = "functions/"
"""Of what runs before a release's functions, by their content: no backup, so without a manifest."""


class BackupInvariants(Part):
    def __init__(self, history: History) -> None:
        super().__init__(history)
        self._sealed: dict[str, tuple[float, str]] = {}
        """When a manifest came, and whose it is."""
        self._before: dict[tuple[str, int], int] = {}
        """How many effects of migrations a database had when an attempt began after the first."""
        if self._world.stores is not None:
            self._stores.bucket.observers.append(self._stored)

    def written(self, write: Write) -> None:
        if write.name != RECORD or write.after is None or self._world.stores is None:
            return
        after = record_of(write.after)
        if after["attempt"] > 1:
            self._attempt_begun(after["attempt"])
        phase = after["phases"].get("database", {})
        for name in self._stores.kinds:
            point = (after["facts"].get("restore_points") or {}).get(name)
            if point:
                self._point(name, point["key"], after["attempt"])
            if phase.get("status") == "done":
                backup = after["backups"].get(name) or {}
                wrong = self._wrong(backup.get("key", ""))
                self._check("done_is_done", not wrong, f"{write.by}: the backup of {name} {wrong}")

    def claimed(self, process: Process, did: Did) -> None:
        if did.module != "pg_backup":
            return
        if not did.failed:
            wrong = self._wrong(did.result["backup"]["key"])
            self._check("true_claims", not wrong, f"{process.name} has a backup, which {wrong}")
            return
        made = [
            key
            for key, (at, by) in self._sealed.items()
            if by == process.name and at >= did.began and key.startswith(did.params["name"])
        ]
        self._check(
            "true_claims",
            not made or did.result.get("reason") == "Unreachable",
            f"{process.name} says that it made no backup ({did.result['msg']}), and {made} counts",
        )

    def at_the_end(self) -> None:
        """Of what was cut off by a lost machine, or arrived when nobody waited, only the next backup can know."""
        world = self._world
        if world.stores is None:
            return
        if {one.kind for one in world.befell} & {plan.MACHINE_LOST, plan.LATE}:
            return
        bucket = world.stores.bucket
        left = [f"upload of {one.key}" for one in bucket.uploads.values()]
        left += [
            key
            for key in bucket.objects
            if not key.endswith(MANIFEST)
            and key + MANIFEST not in bucket.objects
            and not key.startswith(SOURCES)
        ]
        self._check("nothing_left", not left, f"left in the bucket: {left}")

    def _stored(self, key: str, by: str) -> None:
        if not key.endswith(MANIFEST):
            return
        dump = key.removesuffix(MANIFEST)
        self._sealed[dump] = self._world.scheduler.now, by
        if dump in self._stores.bucket.objects:
            self._check("backup_counts", not self._wrong(dump), f"{by}: {self._wrong(dump)}")

    def _wrong(self, key: str) -> str:
        """Why the backup under this key is none; "" when it counts."""
        objects = self._stores.bucket.objects
        if key not in objects or key + MANIFEST not in objects:
            return f"is not in the bucket as {key!r} with its manifest"
        body, manifest = objects[key].body, json.loads(objects[key + MANIFEST].body)
        if (manifest["size"], manifest["sha256"]) != (len(body), hashlib.sha256(body).hexdigest()):
            return f"differs from its manifest: {len(body)} bytes"
        lines = rows_in(body)
        if lines is None:
            return "cannot be read to its end"
        rows = {table: len(of) for table, of in lines.items()}
        return (
            "" if rows == manifest["rows"] else f"has {rows}, and its manifest {manifest['rows']}"
        )

    def _attempt_begun(self, attempt: int) -> None:
        for name in self._stores.kinds:
            with suppress(psycopg2.OperationalError):
                if (name, attempt) not in self._before:
                    asked = self._stores.databases.eye(name).cursor()
                    asked.execute(QUERY)
                    self._before[name, attempt] = asked.fetchall()[0][0]

    def _point(self, name: str, key: str, attempt: int) -> None:
        """A job that migrates beside a release may have been first, and so may an attempt that was taken back."""
        if any(one.script == "migrate_alone" for one in self._world.plan.actors):
            return
        found = self._stores.bucket.objects.get(key + MANIFEST)
        rows = json.loads(found.body)["rows"].get(EFFECTS) if found else None
        before = self._before.get((name, attempt), 0)
        self._check(
            "restores_before",
            rows is not None and rows <= before,
            f"the restore point of {name} has {rows} effects in {key}, and there were {before}",
        )
