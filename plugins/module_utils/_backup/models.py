# SPDX-License-Identifier: GPL-3.0-or-later
"""What a backup is: a dump, and beside it a manifest that was written last and makes it one."""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime

from .._time import read_time

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
