"""Looks for secrets where none may be: as they are, and as they look once they were encoded.

What is found is told by name. A failing test must not be the one that prints the secret.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import io
import json
import os
import tarfile
import threading
import time
import zlib
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote, quote_plus

import psutil

from tests.victims import MARK

SHORTEST = 8
"""A secret of fewer characters would be found in ordinary words."""


class Secrets(dict[str, str]):
    """Values by name, of which a failing test prints the names."""

    def __repr__(self) -> str:
        return f"<{', '.join(self)}>"


def faces(secret: str) -> set[str]:
    """The secret itself, in a URL, in JSON, in hexadecimal, and in base64 wherever it may stand between other bytes."""
    raw = secret.encode()
    found = {
        secret,
        quote(secret, safe=""),
        quote_plus(secret),
        json.dumps(secret)[1:-1],
        raw.hex(),
    }
    for before in range(3):
        # Characters at the edges carry bits of the neighbours too.
        shifted = base64.b64encode(b"\0" * before + raw).decode().rstrip("=")
        whole = shifted[(before * 8 + 5) // 6 :]
        kept = whole[:-1] if (before + len(raw)) % 3 else whole
        found |= {kept, kept.replace("+", "-").replace("/", "_")}
    return found


def leaked(text: str, secrets: Secrets) -> set[str]:
    """Names of the secrets that stand in the text in any form."""
    return {name for name, value in secrets.items() if any(face in text for face in faces(value))}


def unpacked(value: str) -> str:
    """What a ConfigMap holds, with its packed parts beside it."""
    with suppress(ValueError, binascii.Error):
        packed = base64.b64decode(value, validate=True)
        for unpack in (gzip.decompress, zlib.decompress):
            with suppress(OSError, zlib.error, EOFError):
                packed = unpack(packed)
        return f"{value}\n{packed.decode(errors='replace')}\n{_archived(packed)}"
    return value


def _archived(content: bytes) -> str:
    with suppress(tarfile.TarError), tarfile.open(fileobj=io.BytesIO(content)) as archive:
        files = (archive.extractfile(one) for one in archive if one.isfile())
        return "\n".join(file.read().decode(errors="replace") for file in files if file)
    return ""


class CommandLines:
    """Every command line of a run's processes, looked at again and again while it runs."""

    INTERVAL = 0.05
    SETTLED = 2.0
    """Seconds after which a process has long got the environment that it keeps."""

    def __init__(self, mark: str) -> None:
        self._entry = f"{MARK}={mark}".encode()
        self._strangers: set[int] = set()
        self._known: dict[tuple[int, float], bool] = {}
        self.seen: set[str] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> CommandLines:
        # Who was there before the run is none of its processes, and need not be asked twenty times a second.
        self._strangers = set(psutil.pids())
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._over.set()
        self._thread.join(timeout=10)

    def _watch(self) -> None:
        while not self._over.wait(self.INTERVAL):
            ours: set[int] = set()
            running = psutil.pids()
            self._strangers.intersection_update(running)
            for pid in running:
                with suppress(OSError, psutil.Error):
                    if pid in self._strangers:
                        continue
                    if self._belongs(psutil.Process(pid), ours):
                        ours.add(pid)
                        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
                        self.seen.add(raw.replace(b"\0", b" ").decode(errors="replace"))

    def _belongs(self, process: psutil.Process, ours: set[int]) -> bool:
        """A child whose environment was made for it alone is known by its parent."""
        key = (process.pid, process.create_time())
        if not self._known.get(key):
            marked = self._entry in Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
            self._known[key] = marked or process.ppid() in ours
            if not self._known[key] and time.time() - process.create_time() > self.SETTLED:
                self._strangers.add(process.pid)
        return self._known[key] and process.pid != os.getpid()
