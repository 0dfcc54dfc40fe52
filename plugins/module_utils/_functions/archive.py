# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Sources of functions in one file, to go back to: JSON, with the files' content in base64."""

from __future__ import annotations

import base64
import json
import typing as t
from dataclasses import dataclass

from ansible_collections.easymo.deploy.plugins.module_utils._errors import InputError
from ansible_collections.easymo.deploy.plugins.module_utils._functions.models import Source


@dataclass(frozen=True)
class Archive:
    sources: tuple[Source, ...]
    absent: tuple[str, ...]
    """Functions that did not exist when the archive was made: going back deletes them."""

    def dump(self) -> str:
        """The same sources always give the same text."""
        return json.dumps(
            {
                "absent": sorted(self.absent),
                "functions": [
                    _dump(source) for source in sorted(self.sources, key=lambda s: s.slug)
                ],
            },
            indent=1,
            sort_keys=True,
        )

    @classmethod
    def load(cls, text: str, *, path: str) -> Archive:
        try:
            parsed = json.loads(text)
            return cls(
                sources=tuple(_load(entry) for entry in parsed["functions"]),
                absent=tuple(parsed["absent"]),
            )
        except (ValueError, KeyError, TypeError) as exc:
            raise InputError(
                f"{path} is no archive of edge functions ({type(exc).__name__}): make one with state 'saved'."
            ) from exc


def _dump(source: Source) -> dict[str, t.Any]:
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


def _load(entry: dict[str, t.Any]) -> Source:
    return Source(
        slug=entry["slug"],
        entrypoint=entry["entrypoint"],
        import_map=entry["import_map"],
        static_patterns=tuple(entry["static_patterns"]),
        verify_jwt=entry["verify_jwt"],
        files={path: base64.b64decode(content) for path, content in entry["files"].items()},
    )
