# SPDX-License-Identifier: GPL-3.0-or-later
"""What a release record keeps of the functions: the sources that ran before it, and the versions that are known."""

from __future__ import annotations

import hashlib
import typing as t

from .._errors import InputError, VerificationError
from .._kubernetes import actor_of
from .._lock.apply import Check, no_check
from .._release.plan import RecordChange
from .._release.store import ReleaseStore
from .._release.task import plain
from .._s3 import S3Bucket
from .._time import utc_now
from .archive import Archive, attachable, checked, store_archive
from .models import Knowledge, KnownVersion
from .prepare import FunctionsMemory

BEFORE_FACTS = "functions"
"""The attachment of a release by version 0.1, whose facts say nothing of it."""


class FunctionsRecord(FunctionsMemory):
    """`key`: of the record's facts. `bucket` opens the one that keeps archives below `folder`, None without one."""

    def __init__(
        self,
        store: ReleaseStore,
        key: str,
        bucket: t.Callable[[], S3Bucket | None],
        folder: str,
        *,
        fence: int = 0,
        check_lock: Check = no_check,
    ) -> None:
        self._store = store
        self._key = key
        self._bucket = bucket
        self._folder = folder
        self._fence = fence
        self._check_lock = check_lock
        record = store.read()
        self._attempt = record.attempt if record else 1
        facts = (record.body["facts"].get(key) if record else None) or {}
        self._saved: dict[str, str] = facts.get("saved") or {}
        super().__init__(
            self._known(facts.get("known") or {}), self._load() if self._saved else None
        )

    def before(self) -> Archive | None:
        """What a way back deploys. None where nothing was to change, so that nothing was saved."""
        if self.archive is None and (found := self._store.attachment(BEFORE_FACTS)):
            return checked(found.content, None, self._attached(BEFORE_FACTS))
        return self.archive

    def write(self, known: Knowledge, archive: Archive | None = None) -> dict[str, str]:
        """After the attachment and by one write: a rollback after a crash must find what ran, and must tell what this
        release will deploy from what somebody else does."""
        saved = self._save(archive) if archive else {}
        if saved or known != self.known:
            facts = {
                "known": {slug: [one.to_json() for one in known[slug]] for slug in known},
                **({"saved": saved} if saved else {}),
            }
            change = RecordChange(
                version=self._store.version,
                actor=actor_of({"actor": ""}),
                now=utc_now(),
                fence=self._fence,
                facts=plain({self._key: facts}),
            )
            self._check_lock()
            self._store.change(change, check_mode=False)
            self.known = known
        return saved

    def _save(self, archive: Archive) -> dict[str, str]:
        """As the record has it; empty where it has these sources already."""
        content = archive.dump()
        sha256 = hashlib.sha256(content).hexdigest()
        if sha256 == self._saved.get("sha256"):
            return {}
        bucket = self._bucket()
        key = store_archive(bucket, self._folder, content) if bucket else ""
        # A name that tells its content: a run that was killed before it wrote the record may have left another.
        name = f"functions-{sha256[:8]}" if attachable(content) else ""
        if not (name or key):
            raise InputError(
                "The running sources are too large for the release record, and there is no bucket: nothing was "
                "activated. Set a bucket in module_defaults of the group easymo.deploy.s3.",
                activated=False,
            )
        if name:
            self._check_lock()
            self._store.attach(self._attempt, name, content, check_mode=False)
        place = {"bucket": bucket.name if bucket else "", "key": key}
        return {"attachment": name, **place, "sha256": sha256}

    def _load(self) -> Archive:
        name, key = self._saved["attachment"], self._saved.get("key", "")
        if name:
            content, where = self._store.fetch(name), self._attached(name)
        elif bucket := self._bucket():
            content, where = b"".join(bucket.read(key)), f"{key} in bucket {bucket.name}"
        else:
            raise InputError(
                f"What ran before release {self._store.version!r} is in a bucket alone: set 'bucket'."
            )
        return checked(content, self._saved.get("sha256"), where)

    def _attached(self, name: str) -> str:
        return f"The attachment {name!r} of release {self._store.version!r}"

    def _known(self, facts: t.Mapping[str, t.Any]) -> Knowledge:
        try:
            return {
                slug: tuple(KnownVersion.from_json(entry) for entry in entries)
                for slug, entries in facts.items()
            }
        except (KeyError, TypeError, ValueError) as exc:
            raise VerificationError(
                f"The record of release {self._store.version!r} has no valid versions of functions ({exc}): restore "
                "it, or begin a new release."
            ) from exc
