# SPDX-License-Identifier: GPL-3.0-or-later
"""Sources of functions in one JSON file for a rollback, kept in a bucket too."""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import json
import posixpath
import tomllib
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from .._errors import ConflictError, InputError, VerificationError
from .._release.pins import LIMIT
from .models import FunctionSource, KnownVersion

if t.TYPE_CHECKING:
    from .._s3 import S3Bucket


@dataclass(frozen=True)
class FunctionConfig:
    """Paths are relative to the checkout's root, or empty."""

    enabled: bool = True
    verify_jwt: bool | None = None
    entrypoint: str = ""
    import_map: str = ""
    static_files: tuple[str, ...] = ()


_KINDS: dict[str, tuple[type, str]] = {
    "enabled": (bool, "true or false"),
    "verify_jwt": (bool, "true or false"),
    "entrypoint": (str, "a path"),
    "import_map": (str, "a path"),
    "static_files": (list, "a list of paths"),
}


def read_config(path: str, content: bytes | None, project_ref: str) -> dict[str, FunctionConfig]:
    """Settings by function. Those under a remote of this project override the general ones."""
    if content is None:
        return {}
    try:
        parsed = tomllib.loads(content.decode("utf-8-sig"))
    except ValueError as exc:
        raise InputError(f"{path} is not TOML: {exc}.") from exc
    remotes = [
        remote
        for remote in _table(parsed, "remotes").values()
        if isinstance(remote, dict) and remote.get("project_id") == project_ref
    ]
    merged: dict[str, dict[str, t.Any]] = {}
    for source in (parsed, *remotes):
        for slug, settings in _table(source, "functions").items():
            # Beside the functions stand settings of all of them, which are no tables.
            if isinstance(settings, dict):
                merged.setdefault(slug, {}).update(settings)
    return {slug: _function(path, slug, settings) for slug, settings in merged.items()}


def _table(parsed: t.Mapping[str, t.Any], name: str) -> dict[str, t.Any]:
    section = parsed.get(name, {})
    return section if isinstance(section, dict) else {}


def _function(path: str, slug: str, settings: dict[str, t.Any]) -> FunctionConfig:
    for key, (kind, words) in _KINDS.items():
        if key in settings and not isinstance(settings[key], kind):
            raise InputError(
                f"{path} says {key} = {settings[key]!r} of function {slug!r}: it is {words}."
            )
    folder = posixpath.dirname(path)

    def located(given: str) -> str:
        return posixpath.normpath(posixpath.join(folder, given)) if given else ""

    return FunctionConfig(
        enabled=settings.get("enabled", True),
        verify_jwt=settings.get("verify_jwt"),
        entrypoint=located(settings.get("entrypoint", "")),
        import_map=located(settings.get("import_map", "")),
        static_files=tuple(located(str(pattern)) for pattern in settings.get("static_files", ())),
    )


class FolderCheckout:
    """Reads a folder on disk; paths are posix and relative to `root`.

    A link may lead to any place of the repository that the folder belongs to, and not out of it: what is uploaded must
    not depend on the machine.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._repository = _repository(root.resolve())
        self._read: dict[str, bytes | None] = {}

    def read(self, path: str) -> bytes | None:
        """Read once: functions share their modules."""
        if path not in self._read:
            self._read[path] = self._content(path)
        return self._read[path]

    def walk(self, folder: str) -> list[str]:
        below = (self._root / folder).rglob("*")
        return sorted(path.relative_to(self._root).as_posix() for path in below if path.is_file())

    def is_folder(self, path: str) -> bool:
        return (self._root / path).is_dir()

    def folders(self, folder: str) -> list[str]:
        """The names of the folders in `folder`."""
        directory = self._root / folder
        return sorted(path.name for path in directory.iterdir() if path.is_dir())

    def _content(self, path: str) -> bytes | None:
        place = self._root / path
        try:
            content = place.read_bytes()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return None
        except PermissionError as exc:
            raise InputError(f"{place} cannot be read: allow this user to read it.") from exc
        except OSError as exc:
            raise InputError(f"{place} cannot be read: {exc.strerror}.") from exc
        if not place.resolve().is_relative_to(self._repository):
            raise InputError(
                f"{place} is a link out of {self._repository}: keep the file in the repository."
            )
        return content


def _repository(root: Path) -> Path:
    for folder in (root, *root.parents):
        if (folder / ".git").exists():
            return folder
    return root


@dataclass(frozen=True)
class Archive:
    sources: tuple[FunctionSource, ...]
    absent: tuple[str, ...]
    """Functions that did not exist when the archive was made: going back deletes them."""
    versions: t.Mapping[str, KnownVersion] = field(default_factory=dict)
    """Which version the sources are of, by function."""

    def dump(self) -> bytes:
        """The same sources always give the same bytes."""
        sources = sorted(self.sources, key=lambda source: source.slug)
        entries = [{**_dump(source), **self._version(source.slug)} for source in sources]
        content = {"absent": sorted(self.absent), "functions": entries}
        return json.dumps(content, indent=1, sort_keys=True).encode()

    def _version(self, slug: str) -> dict[str, t.Any]:
        known = self.versions.get(slug)
        return {"version": known.version, "sha256": known.sha256} if known else {}

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


def _dump(source: FunctionSource) -> dict[str, t.Any]:
    return {
        "slug": source.slug,
        "entrypoint": source.entrypoint,
        "import_map": source.import_map,
        "static_patterns": list(source.static_patterns),
        "verify_jwt": source.verify_jwt,
        "files": {
            path: base64.b64encode(content).decode() for path, content in source.files.items()
        },
    }


def _load(entry: dict[str, t.Any]) -> FunctionSource:
    return FunctionSource(
        slug=entry["slug"],
        entrypoint=entry["entrypoint"],
        import_map=entry["import_map"],
        static_patterns=tuple(entry["static_patterns"]),
        verify_jwt=entry["verify_jwt"],
        files={path: base64.b64decode(content) for path, content in entry["files"].items()},
    )


def attachable(content: bytes) -> bool:
    """Whether a release record can hold it."""
    return len(gzip.compress(content, compresslevel=9, mtime=0)) * 4 // 3 + 4 <= LIMIT


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
