# SPDX-License-Identifier: GPL-3.0-or-later
"""An edge function as sources and as a record of the Management API, and that API as a Protocol."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import posixpath
import typing as t
from dataclasses import dataclass


@dataclass(frozen=True)
class FunctionSource:
    """The upload of one function. Paths are posix and relative to the root of the checkout."""

    slug: str
    entrypoint: str
    import_map: str
    """Empty when there is none."""
    static_patterns: tuple[str, ...]
    verify_jwt: bool | None
    """None leaves a function that exists as it is; a new one gets the platform's default, which is true."""
    files: t.Mapping[str, bytes]

    def metadata(self) -> dict[str, t.Any]:
        """The `metadata` part of an upload, with the keys in the order in which the Supabase CLI sends them."""
        policy = {} if self.verify_jwt is None else {"verify_jwt": self.verify_jwt}
        return {
            "entrypoint_path": self.entrypoint,
            "import_map_path": self.import_map,
            "static_patterns": list(self.static_patterns),
            **policy,
            "name": self.slug,
        }

    def relative(self, path: str) -> str:
        """Seen from the entrypoint's folder, so that a checkout that the platform moved compares equal."""
        return posixpath.relpath(path, posixpath.dirname(self.entrypoint) or ".")

    @functools.cached_property
    def digests(self) -> dict[str, str]:
        """sha256 by relative path."""
        return {
            self.relative(path): hashlib.sha256(content).hexdigest()
            for path, content in self.files.items()
        }

    @functools.cached_property
    def fingerprint(self) -> str:
        """Of all that makes the program. Patterns of static files count by the files that they matched."""
        import_map = self.relative(self.import_map) if self.import_map else ""
        what = [posixpath.basename(self.entrypoint), import_map, sorted(self.digests.items())]
        return hashlib.sha256(json.dumps(what).encode()).hexdigest()

    def under(self, policy: bool | None) -> FunctionSource:
        """The same source with `policy` where it has none of its own."""
        if self.verify_jwt is not None or policy is None:
            return self
        return dataclasses.replace(self, verify_jwt=policy)


@dataclass(frozen=True)
class Deployed:
    """One entry of the API's list of functions."""

    slug: str
    status: str
    version: int
    verify_jwt: bool
    entrypoint: str
    import_map: str
    sha256: str
    raw: t.Mapping[str, t.Any]
    """The answer itself: activation sends it back."""

    @classmethod
    def from_json(cls, entry: t.Mapping[str, t.Any]) -> Deployed:
        return cls(
            slug=entry["slug"],
            status=entry["status"],
            version=entry["version"],
            # The API leaves the key out where the default applies, which is true.
            verify_jwt=entry.get("verify_jwt", True) is not False,
            entrypoint=_path_of(entry.get("entrypoint_path") or ""),
            import_map=_path_of(entry.get("import_map_path") or ""),
            sha256=entry.get("ezbr_sha256") or "",
            raw=entry,
        )

    def known(self, fingerprint: str) -> KnownVersion:
        return KnownVersion(self.version, self.sha256, fingerprint)


@dataclass(frozen=True)
class KnownVersion:
    """A deployed version with its fingerprint, valid as long as the API lists this very version and hash."""

    version: int
    sha256: str
    fingerprint: str
    """Of its sources, see Source.fingerprint."""

    @classmethod
    def from_json(cls, entry: t.Any) -> KnownVersion:
        """Raises KeyError, TypeError or ValueError."""
        return cls(int(entry["version"]), str(entry["sha256"]), str(entry["fingerprint"]))

    def holds(self, deployed: Deployed) -> bool:
        return (self.version, self.sha256) == (deployed.version, deployed.sha256)

    def to_json(self) -> dict[str, t.Any]:
        return dataclasses.asdict(self)


Knowledge = t.Mapping[str, tuple[KnownVersion, ...]]
"""Versions by function, the oldest first. A failed deployment leaves the old and the intended version."""


@dataclass(frozen=True)
class Running:
    """A function that is active, and its sources with the settings that it has."""

    deployed: Deployed
    source: FunctionSource

    def is_as(self, wanted: FunctionSource) -> bool:
        same_policy = wanted.verify_jwt in (None, self.deployed.verify_jwt)
        return same_policy and self.source.fingerprint == wanted.fingerprint


def _path_of(location: str) -> str:
    return location.removeprefix("file://").lstrip("/")


class FunctionsApi(t.Protocol):
    """The Management API's part for functions. Workers share one."""

    def list(self) -> list[Deployed]: ...

    def source(self, deployed: Deployed) -> FunctionSource:
        """The running source, as it was uploaded."""

    def bundle(self, source: FunctionSource) -> Deployed:
        """Upload and bundle without activating."""

    def activate(self, bundled: t.Sequence[Deployed]) -> None:
        """Activate all of them with one call."""

    def delete(self, slug: str) -> None: ...

    def secrets(self) -> dict[str, str]:
        """The names of the project's secrets with the digests of their values."""
