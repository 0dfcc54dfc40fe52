# SPDX-License-Identifier: GPL-3.0-or-later
"""What a release keeps of functions: the sources that ran before it, in one JSON file, and the versions it knows."""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import json
import typing as t
from dataclasses import asdict, dataclass, field, fields

from .._decode import restored_each
from .._errors import ConflictError, InputError, VerificationError
from .._kubernetes import actor_of
from .._lock.apply import Check, no_check
from .._release.pins import LIMIT
from .._release.plan import RecordChange
from .._release.store import Attachment, ReleaseStore
from .._release.task import plain
from .._s3 import S3Bucket
from .._time import utc_now
from .models import Deployed, FunctionSource, Knowledge, KnownVersion


@dataclass(frozen=True)
class Archive:
    sources: tuple[FunctionSource, ...]
    absent: tuple[str, ...]
    """Functions that did not exist when the archive was made: going back deletes them."""
    versions: t.Mapping[str, KnownVersion] = field(default_factory=dict)
    """Which version the sources are of, by function."""

    def dump(self) -> bytes:
        """The same sources always give the same bytes."""
        entries = []
        for source in sorted(self.sources, key=lambda source: source.slug):
            files = {path: base64.b64encode(body).decode() for path, body in source.files.items()}
            known = self.versions.get(source.slug)
            version = {"version": known.version, "sha256": known.sha256} if known else {}
            entries.append({**asdict(source), "files": files, **version})
        content = {"absent": sorted(self.absent), "functions": entries}
        return json.dumps(content, indent=1, sort_keys=True).encode()

    @classmethod
    def load(cls, content: bytes, *, where: str) -> Archive:
        try:
            parsed = json.loads(content)
            sources = tuple(_load(entry) for entry in parsed["functions"])
            return cls(
                sources=sources,
                absent=tuple(parsed["absent"]),
                versions={
                    source.slug: KnownVersion(entry["version"], entry["sha256"], source.fingerprint)
                    for source, entry in zip(sources, parsed["functions"], strict=True)
                    if "version" in entry
                },
            )
        except (ValueError, KeyError, TypeError, AttributeError) as exc:
            raise InputError(
                f"{where} is not an archive of edge functions ({type(exc).__name__}): restore it from a backup."
            ) from exc


def checked(content: bytes, sha256: str | None, where: str) -> Archive:
    """`sha256`: the one that it must have to be restored, None for whichever it has."""
    if sha256 and hashlib.sha256(content).hexdigest() != sha256:
        raise InputError(
            f"{where} is another archive: its sha256 differs from {sha256}. Nothing was deployed."
        )
    return Archive.load(content, where=where)


def _load(entry: dict[str, t.Any]) -> FunctionSource:
    given = {each.name: entry[each.name] for each in fields(FunctionSource)}
    given["static_patterns"] = tuple(given["static_patterns"])
    given["files"] = {path: base64.b64decode(each) for path, each in given["files"].items()}
    return FunctionSource(**given)


def store_archive(bucket: S3Bucket, folder: str, content: bytes) -> str:
    """Returns its key, which is made of the content: one that is there already has it. Read back either way."""
    sha256 = hashlib.sha256(content).hexdigest()
    key = f"{folder}{sha256[:16]}.json"
    with contextlib.suppress(ConflictError):
        bucket.put_new(key, content)
    stored = hashlib.sha256(b"".join(bucket.read(key))).hexdigest()
    if stored != sha256:
        raise VerificationError(
            f"{key} in bucket {bucket.name} does not have the stored archive: find out who else "
            "writes to the bucket. Nothing was activated.",
            activated=False,
        )
    return key


@dataclass
class FunctionsMemory:
    """Sources of earlier tasks, valid as long as the list shows the same versions. By itself it remembers nothing."""

    known: Knowledge = field(default_factory=dict)
    archive: Archive | None = None

    def knows(self, deployed: Deployed, source: FunctionSource) -> bool:
        """That these are the sources of this very version."""
        return any(
            version.holds(deployed) and version.fingerprint == source.fingerprint
            for version in self.known.get(deployed.slug, ())
        )

    def source(self, deployed: Deployed) -> FunctionSource | None:
        version = self.archive.versions.get(deployed.slug) if self.archive else None
        if self.archive is None or version is None or not version.holds(deployed):
            return None
        return next(source for source in self.archive.sources if source.slug == deployed.slug)

    def write(self, known: Knowledge, archive: Archive | None = None) -> dict[str, str]:  # noqa: ARG002
        """Keep the versions, and with `archive` what is about to be replaced. Returns where that was saved."""
        return {}


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
        """What a rollback deploys. None where nothing was to change, so that nothing was saved."""
        if self.archive is None and (content := Attachment(self._store, BEFORE_FACTS).read()):
            return checked(content, None, self._attached(BEFORE_FACTS))
        return self.archive

    def write(self, known: Knowledge, archive: Archive | None = None) -> dict[str, str]:
        """After the attachment and by one write: a rollback after a crash must find what ran, and must tell what this
        release will deploy from what somebody else does."""
        saved = self._save(archive) if archive else {}
        if saved or known != self.known:
            facts = {
                "known": {slug: [version.to_json() for version in known[slug]] for slug in known},
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
        packed = len(gzip.compress(content, compresslevel=9, mtime=0)) * 4 // 3 + 4
        name = f"functions-{sha256[:8]}" if packed <= LIMIT else ""
        if not (name or key):
            raise InputError(
                "The running sources are too large for the release record, and there is no bucket: nothing was "
                "activated. Set a bucket in module_defaults of the group easymo.deploy.s3.",
                activated=False,
            )
        if name:
            self._check_lock()
            file = Attachment(self._store, name)
            if file.read() is None or file.attempt != self._attempt:
                file.write(self._attempt, content)
        place = {"bucket": bucket.name if bucket else "", "key": key}
        return {"attachment": name, **place, "sha256": sha256}

    def _load(self) -> Archive:
        name, key = self._saved["attachment"], self._saved.get("key", "")
        if name:
            stored, where = Attachment(self._store, name).read(), self._attached(name)
            if stored is None:
                raise InputError(f"{where} is not there.")
            content = stored
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
                slug: tuple(restored_each(KnownVersion, entries, slug))
                for slug, entries in facts.items()
            }
        except ValueError as exc:
            raise VerificationError(
                f"The record of release {self._store.version!r} has no valid versions of functions ({exc}): restore "
                "it, or begin a new release."
            ) from exc
