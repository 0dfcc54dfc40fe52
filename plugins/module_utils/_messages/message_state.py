# SPDX-License-Identifier: GPL-3.0-or-later
"""Which message in Slack is that of a release, in a file of this machine, so that the next run edits the same."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import threading
import typing as t
from dataclasses import asdict, dataclass, replace
from pathlib import Path


@dataclass(frozen=True)
class Kept:
    """`api_url` and `wanted` (the channel as the inventory names it) tell one workspace's message from another's.

    `attempt` is 0 until the release record was seen.
    """

    api_url: str
    wanted: str
    channel: str
    ts: str
    attempt: int = 0
    started: str = ""

    def belongs_to(self, identity: tuple[int, str]) -> bool:
        return not self.attempt or (self.attempt, self.started) == identity


class MessageState:
    """`path` None remembers nothing. What can't be read counts as not there; what can't be written is let go."""

    def __init__(self, path: Path | None, api_url: str = "", wanted: str = "") -> None:
        self._path = path
        self._here = (api_url, wanted)
        self._identity = (0, "")
        self._lock = threading.Lock()
        found = read(path) if path else None
        self.kept = found if found and (found.api_url, found.wanted) == self._here else None

    def forget(self) -> None:
        with self._lock:
            self.kept = None

    def posted(self, channel: str, ts: str) -> None:
        """Called on the thread that posts."""
        with self._lock:
            self._keep(Kept(*self._here, channel, ts, *self._identity))

    def belongs(self, identity: tuple[int, str]) -> None:
        """The message, that of now or the one to come, is that of this attempt."""
        with self._lock:
            self._identity = identity
            if self.kept:
                self._keep(replace(self.kept, attempt=identity[0], started=identity[1]))

    def _keep(self, kept: Kept) -> None:
        if kept == self.kept:
            return
        self.kept = kept
        if self._path:
            with contextlib.suppress(OSError):
                write(self._path, json.dumps(asdict(kept), indent=1))


def read(path: Path) -> Kept | None:
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
        kept = Kept(**body)
    except (OSError, ValueError, TypeError):
        return None
    names: t.Iterable[str] = (kept.api_url, kept.wanted, kept.channel, kept.ts, kept.started)
    return kept if all(isinstance(name, str) for name in names) and kept.ts else None


def write(path: Path, text: str) -> None:
    """All or nothing, and for this user alone."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text + "\n")
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
