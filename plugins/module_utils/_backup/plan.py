# SPDX-License-Identifier: GPL-3.0-or-later
"""What a backup and its manifest are, and whether one is needed; what programs and S3 can do for it."""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime

from .._errors import InputError
from .._time import read_time

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .._s3 import Storage


MANIFEST_SUFFIX = ".manifest.json"
# Microseconds, so that the newer of two backups of one second is the newer one.
TIME_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

_STAMP = r"_\d{8}_\d{6}_[0-9a-f]{6}\.dump"


@dataclass(frozen=True)
class Manifest:
    """The JSON object beside the dump. Times are UTC as in TIME_FORMAT, sizes in bytes."""

    name: str
    release: str
    database: str
    host: str
    key: str
    size: int
    sha256: str
    started: str
    finished: str
    server_version: str
    pg_dump_version: str
    compression: str
    entries: int
    """How many entries the dump's table of contents has."""
    rows: dict[str, int]
    """How many rows of each table are in it, by schema.table, counted in the dump's own snapshot."""
    schemas_of_others: list[str] = field(default_factory=list)
    """Schemas of roles other than the backup's: those roles must restore them."""
    left_out: list[str] = field(default_factory=list)
    """Their unreadable objects, which the dump lacks, for example `table auth.schema_migrations`."""

    @classmethod
    def from_json(cls, text: bytes) -> Manifest:
        """The manifest. Raises ValueError for a foreign document."""
        document = json.loads(text)
        if not isinstance(document, dict):
            raise ValueError("a manifest is an object")
        values = {
            entry.name: document.get(entry.name, _BEFORE.get(entry.name)) for entry in fields(cls)
        }
        for name, value in values.items():
            if not _FITS.get(name, _is_text)(value):
                raise ValueError(f"{name} is {value!r}")
        return cls(**values)

    def to_json(self) -> bytes:
        return json.dumps(asdict(self), indent=1, sort_keys=True).encode()


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_time(value: object) -> bool:
    return isinstance(value, str) and parse_time(value) is not None


def _are_counts(value: object) -> bool:
    return isinstance(value, dict) and all(map(_is_count, value.values()))


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


# Values of fields that older manifests lack.
_BEFORE: dict[str, object] = {"schemas_of_others": [], "left_out": []}
_FITS: dict[str, t.Callable[[object], bool]] = {
    "size": _is_count,
    "entries": _is_count,
    "started": _is_time,
    "finished": _is_time,
    "rows": _are_counts,
    "schemas_of_others": _are_texts,
    "left_out": _are_texts,
}


@dataclass(frozen=True)
class Backup:
    """A manifest whose dump is in the bucket with the recorded size."""

    bucket: str
    manifest: Manifest

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.manifest.key}"

    @property
    def begun(self) -> datetime:
        """The time of its snapshot: later writes are not in it."""
        return parse_time(self.manifest.started)

    @property
    def finished(self) -> datetime:
        return parse_time(self.manifest.finished)

    def age(self, now: datetime) -> int:
        return int((now - self.begun).total_seconds())

    def to_result(self) -> dict[str, t.Any]:
        duration = self.finished - self.begun
        described = asdict(self.manifest)
        return {**described, "uri": self.uri, "duration": int(duration.total_seconds())}


def parse_time(text: str) -> datetime:
    """The time, with or without a fraction. A time without zone is refused."""
    return read_time(text, zone=None)


def dump_key(prefix: str, name: str, now: datetime, unique: str) -> str:
    """A key no other run makes: the UTC second, and six random hexadecimal digits."""
    return f"{prefix}{name}_{now:%Y%m%d_%H%M%S}_{unique}.dump"


def manifest_key(key: str) -> str:
    return key + MANIFEST_SUFFIX


def dump_pattern(prefix: str, name: str | None) -> re.Pattern[str]:
    """Pattern of the key of a dump, for one name or for any."""
    named = re.escape(name) if name else NAME.pattern
    return re.compile(re.escape(prefix) + named + _STAMP)


def manifest_pattern(prefix: str, name: str | None) -> re.Pattern[str]:
    """Pattern of the key of a manifest, for one name or for any."""
    return re.compile(dump_pattern(prefix, name).pattern + re.escape(MANIFEST_SUFFIX))


# On rows as businesses have them as small as gzip:6, within 2 %, for a tenth of its CPU; level 3 takes twice as much.
ZSTD = "zstd:1"
GZIP = "gzip:6"
# The first pg_dump that knows --compress=METHOD:LEVEL.
_METHODS_SINCE = 16


@dataclass(frozen=True)
class BackupPlan:
    existing: Backup | None
    """The backup that suffices; None when another must be taken."""

    @property
    def changed(self) -> bool:
        return self.existing is None


def plan_backup(
    backups: Iterable[Backup],
    *,
    release: str,
    max_age: int,
    now: datetime,
    not_before: datetime | None = None,
) -> BackupPlan:
    """The newest valid backup of the release suffices when it is at most `max_age` seconds old; 0 is any age.

    A backup that began before `not_before` does not suffice.
    """
    for backup in newest_first(backups):
        recent = not max_age or backup.age(now) <= max_age
        current = not_before is None or backup.begun >= not_before
        if backup.manifest.release == release and recent and current:
            return BackupPlan(existing=backup)
    return BackupPlan(existing=None)


def newest_first(backups: Iterable[Backup]) -> list[Backup]:
    return sorted(backups, key=lambda backup: (backup.manifest.started, backup.uri), reverse=True)


def newest_per_release(backups: Iterable[Backup]) -> list[Backup]:
    """One backup for each name and release, the newest first."""
    newest: dict[tuple[str, str], Backup] = {}
    for backup in newest_first(backups):
        newest.setdefault((backup.manifest.name, backup.manifest.release), backup)
    return list(newest.values())


def parse_program_version(output: str) -> tuple[int, str]:
    """The major and the full version in the output of `pg_dump --version`, for example `(18, "18.6")`."""
    match = re.search(r"\b(\d+)((?:\.\d+|devel|beta\d+|rc\d+)+)", output)
    if match is None:
        raise InputError(f"This is not the version of a PostgreSQL program: {output.strip()!r}.")
    return int(match[1]), match[1] + match[2]


def refuse_older_programs(
    *, server: tuple[int, str], pg_dump: tuple[int, str], pg_restore: tuple[int, str]
) -> None:
    """pg_dump cannot read a newer server, nor pg_restore what a newer pg_dump wrote."""
    if pg_dump[0] < server[0]:
        raise InputError(
            f"pg_dump {pg_dump[1]} cannot dump a server of version {server[1]}: set option "
            f"'pg_dump' to a pg_dump of version {server[0]} or later."
        )
    if pg_restore[0] < pg_dump[0]:
        raise InputError(
            f"pg_restore {pg_restore[1]} cannot read what pg_dump {pg_dump[1]} writes: set "
            "option 'pg_restore' to the one that came with it."
        )


def compression_argument(method: str, pg_dump_major: int) -> str:
    """How to ask this pg_dump for `zstd:1`, `gzip:6` or `none`."""
    if pg_dump_major >= _METHODS_SINCE:
        return f"--compress={method}"
    return "--compress=0" if method == "none" else f"--compress={method.partition(':')[2]}"


def may_use_zstd(pg_dump_major: int) -> bool:
    return pg_dump_major >= _METHODS_SINCE


# Objects of these classes must be restored before they can be read, which takes hours.
_ARCHIVES = ("GLACIER", "DEEP_ARCHIVE")


def refuse_storage(storage: Storage) -> None:
    """Refuse a storage that S3 would refuse late, or that could not be read back."""
    if storage.kms_key_id and storage.server_side_encryption != "aws:kms":
        raise InputError(
            "Option 'kms_key_id' is for 'server_side_encryption: aws:kms' only: set that, or leave the key out."
        )
    if storage.storage_class in _ARCHIVES:
        raise InputError(
            f"Option 'storage_class' is {storage.storage_class!r}, whose objects cannot be read "
            "back and verified: use another class, and archive later by a lifecycle rule of the "
            "bucket."
        )


def other_storage(requested: Storage, applied: Storage) -> str:
    """Where S3 says that it keeps an object otherwise than asked; empty when it does not say so."""
    pairs = {
        "server-side encryption": (
            requested.server_side_encryption,
            applied.server_side_encryption,
        ),
        "storage class": (requested.storage_class, applied.storage_class),
        "KMS key": (_key_id(requested.kms_key_id), _key_id(applied.kms_key_id)),
    }
    return ", ".join(
        f"its {what} is {has!r} and should be {wanted!r}"
        for what, (wanted, has) in pairs.items()
        if wanted and has and wanted != has
    )


def _key_id(named: str | None) -> str | None:
    """The key's id. S3 answers with an ARN, whose last part is the id; an alias hides its key."""
    if named is None or "alias/" in named:
        return None
    return named.rpartition("/")[2]


@dataclass(frozen=True)
class DumpContents:
    """The contents in a dump's own listing."""

    entries: int
    tables: frozenset[int]
    """OIDs of the tables whose rows it holds. The listing's names are not quoted, so they are ambiguous."""


_ENTRY = re.compile(r"^\d+; \d+ (?P<oid>\d+) (?P<what>.+)$")


def is_listing(lines: Sequence[str]) -> bool:
    """Whether this is the output of `pg_restore --list` for a dump, even of an empty database."""
    return any(line.startswith("; Archive created at ") for line in lines)


def parse_contents(lines: Sequence[str]) -> DumpContents:
    """Of the lines of `pg_restore --list`; those that begin with a semicolon are remarks."""
    entries = [entry for entry in map(_ENTRY.match, lines) if entry]
    data = (entry for entry in entries if entry["what"].startswith("TABLE DATA "))
    return DumpContents(entries=len(entries), tables=frozenset(int(entry["oid"]) for entry in data))
