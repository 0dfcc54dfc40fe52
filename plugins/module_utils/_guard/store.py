# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Keep the guard's memory beside the record of its release. Of two guards that look at once one is kept."""

from __future__ import annotations

import json
import typing as t

from .._errors import ConflictError, VerificationError
from .._release.store import ReleaseStore
from .memory import Memory

ATTACHMENT = "guard"


class MemoryStore:
    def __init__(self, store: ReleaseStore, attempt: int) -> None:
        self._store = store
        self._attempt = attempt
        self._version = ""

    def read(self) -> Memory | None:
        """None before the first look of this attempt, and when what is there cannot be read."""
        try:
            found = self._store.attachment(ATTACHMENT)
        except VerificationError:
            self._version = self._store.attachment_version(ATTACHMENT)
            return None
        if found is None:
            return None
        self._version = found.resource_version
        return loaded(found.content) if found.attempt == self._attempt else None

    def keep(self, memory: Memory) -> bool:
        """Whether it was kept: another guard that looked meanwhile has seen as much."""
        try:
            self._version = self._store.overwrite(
                self._attempt, ATTACHMENT, memory.dump().encode(), version=self._version
            )
        except ConflictError:
            return False
        return True


def loaded(content: bytes) -> Memory | None:
    try:
        body: t.Any = json.loads(content)
        return Memory.load(body)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
