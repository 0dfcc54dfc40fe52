# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""What an edge function is: as sources here, as a record at the Management API, and the API itself as a Protocol."""

from __future__ import annotations

import hashlib
import posixpath
import typing as t
from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """What is uploaded for one function. Paths are posix and relative to the root of the checkout."""

    slug: str
    entrypoint: str
    import_map: str
    """Empty when there is none."""
    static_patterns: tuple[str, ...]
    verify_jwt: bool
    files: t.Mapping[str, bytes]

    def metadata(self) -> dict[str, t.Any]:
        """The `metadata` part of an upload, with the keys in the order in which the Supabase CLI sends them."""
        return {
            "entrypoint_path": self.entrypoint,
            "import_map_path": self.import_map,
            "static_patterns": list(self.static_patterns),
            "verify_jwt": self.verify_jwt,
            "name": self.slug,
        }

    def digests(self) -> dict[str, str]:
        """sha256 by path relative to the entrypoint's folder, so that a moved checkout compares equal."""
        folder = posixpath.dirname(self.entrypoint)
        return {
            posixpath.relpath(path, folder or "."): hashlib.sha256(content).hexdigest()
            for path, content in self.files.items()
        }


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
            verify_jwt=entry.get("verify_jwt", True),
            entrypoint=_path_of(entry.get("entrypoint_path", "")),
            import_map=_path_of(entry.get("import_map_path") or ""),
            sha256=entry.get("ezbr_sha256", ""),
            raw=entry,
        )


def _path_of(location: str) -> str:
    return location.removeprefix("file://").lstrip("/")


class FunctionsApi(t.Protocol):
    """The Management API as far as functions go."""

    def list(self) -> list[Deployed]: ...

    def source(self, deployed: Deployed) -> Source:
        """What runs now, as it was uploaded."""

    def bundle(self, source: Source) -> Deployed:
        """Upload and bundle without activating."""

    def activate(self, bundled: t.Sequence[Deployed]) -> None:
        """Activate all of them with one call."""

    def delete(self, slug: str) -> None: ...
