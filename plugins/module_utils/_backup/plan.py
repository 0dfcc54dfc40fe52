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
from .rights import EqualRights, read_groups

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
    rights: tuple[EqualRights, ...] = ()
    """Owners, grants and row security at the moment of the dump; none in the manifests of older versions."""

    @classmethod
    def from_json(cls, text: bytes) -> Manifest:
        """The manifest. Raises ValueError for a foreign document."""
        document = json.loads(text)
        if not isinstance(document, dict):
            raise ValueError("a manifest is an object")
        values: dict[str, t.Any] = {"rights": read_groups(document.get("rights", []))}
        for entry in fields(cls):
            if entry.name in values:
                continue
            # Older manifests lack the lists.
            value = document.get(entry.name, [] if entry.type == "list[str]" else None)
            if not _fits(str(entry.type), value):
                raise ValueError(f"{entry.name} is {value!r}")
            values[entry.name] = value
        manifest = cls(**values)
        parse_time(manifest.started)
        parse_time(manifest.finished)
        return manifest

    def to_json(self) -> bytes:
        return json.dumps(asdict(self), indent=1, sort_keys=True).encode()


def _fits(kind: str, value: object) -> bool:
    """Whether a value of a document is of the kind that a field is declared to be."""
    if kind == "int":
        return isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if kind == "dict[str, int]":
        return isinstance(value, dict) and all(_fits("int", each) for each in value.values())
    if kind == "list[str]":
        return isinstance(value, list) and all(_fits("str", each) for each in value)
    return isinstance(value, str)


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
        described = {name: value for name, value in vars(self.manifest).items() if name != "rights"}
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
METHODS_SINCE = 16


def find_sufficient(
    backups: t.Iterable[Backup],
    *,
    release: str,
    max_age: int,
    now: datetime,
    not_before: datetime | None = None,
) -> Backup | None:
    """The newest valid backup of the release suffices when it is at most `max_age` seconds old; 0 is any age.

    A backup that began before `not_before` does not suffice.
    """
    for backup in newest_first(backups):
        recent = not max_age or backup.age(now) <= max_age
        current = not_before is None or backup.begun >= not_before
        if backup.manifest.release == release and recent and current:
            return backup
    return None


def newest_first(backups: t.Iterable[Backup]) -> list[Backup]:
    return sorted(backups, key=lambda backup: (backup.manifest.started, backup.uri), reverse=True)


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
    if pg_dump_major >= METHODS_SINCE:
        return f"--compress={method}"
    return "--compress=0" if method == "none" else f"--compress={method.partition(':')[2]}"


@dataclass(frozen=True)
class DumpContents:
    """The contents in a dump's own listing."""

    entries: int
    tables: frozenset[int]
    """OIDs of the tables whose rows it holds. The listing's names are not quoted, so they are ambiguous."""


LISTED_ENTRY = re.compile(r"^\d+; (?P<catalog>\d+) (?P<oid>\d+) (?P<what>.+)$")
"""A line of `pg_restore --list`. What is no object by itself, as a table's rows or a grant, has 0 for `catalog`."""


def is_listing(lines: t.Sequence[str]) -> bool:
    """Whether this is the output of `pg_restore --list` for a dump, even of an empty database."""
    return any(line.startswith("; Archive created at ") for line in lines)


def parse_contents(lines: t.Sequence[str]) -> DumpContents:
    """Of the lines of `pg_restore --list`; those that begin with a semicolon are remarks."""
    entries = [entry for entry in map(LISTED_ENTRY.match, lines) if entry]
    data = (entry for entry in entries if entry["what"].startswith("TABLE DATA "))
    return DumpContents(entries=len(entries), tables=frozenset(int(entry["oid"]) for entry in data))
