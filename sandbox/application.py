# SPDX-License-Identifier: GPL-3.0-or-later
"""The application's repository, as somebody who releases it has it: cloned, on `main`, at the release's tag.

    run/application/origin.git      what GitHub has: main, v1.9.0, v2.0.0
    run/application/v2.0.0          its clone
    run/application/v1.9.0          a second work tree of that clone
    run/application/staging-results what staging would have left (sandbox/staging.py)

The same commits in every sandbox, so that a commit can be told by its id. Without git: the files alone.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import typing as t
from pathlib import Path

from sandbox.application_files import application_files, write_application
from sandbox.errors import SandboxError
from sandbox.names import PREVIOUS_VERSION, RELEASE_VERSION

if t.TYPE_CHECKING:
    from sandbox.world import World

REPOSITORY = "easymo/easymo"
AUTHOR = "Daniel Okello <daniel@easymo.example>"
# What each commit has changed since the one before: the version it is taken from, and the paths by how they begin.
HISTORY = (
    ("Release 1.9.0", PREVIOUS_VERSION, ("",), "2025-09-16T09:00:00+03:00"),
    ("Keep what agents do", RELEASE_VERSION, ("supabase/migrations",), "2025-11-04T11:20:00+03:00"),
    ("Remember preferred agents", RELEASE_VERSION, ("packages",), "2025-11-05T12:30:00+03:00"),
    ("Let agents answer", RELEASE_VERSION, ("supabase",), "2025-11-07T16:45:00+03:00"),
    ("Release 2.0.0", RELEASE_VERSION, ("",), "2025-11-10T10:00:00+03:00"),
)


def folder(world: World) -> Path:
    return world.folder("application")


def prepare(world: World) -> str:
    """Make all of it unless it is there; the id of the release's commit, empty without git."""
    here = folder(world)
    clone = here / f"v{RELEASE_VERSION}"
    if shutil.which("git") is None:
        for version in (PREVIOUS_VERSION, RELEASE_VERSION):
            write_application(version, here / f"v{version}")
        return ""
    if not clone.exists():
        origin = here / "origin.git"
        git(here, "init", "--quiet", "--bare", "--initial-branch=main", str(origin))
        git(origin, "fast-import", "--quiet", given=_stream())
        git(here, "clone", "--quiet", "--no-hardlinks", str(origin), str(clone))
        older = here / f"v{PREVIOUS_VERSION}"
        git(clone, "worktree", "add", "--quiet", "--detach", str(older), f"v{PREVIOUS_VERSION}")
    return git(clone, "rev-parse", "HEAD").strip()


def _stream() -> bytes:
    """The history in the words of git fast-import, the tags at its releases."""
    out = bytearray()
    files: dict[str, bytes] = {}
    for message, version, prefixes, date in HISTORY:
        wanted = application_files(version)
        gone = [name for name in files if name not in wanted and name.startswith(prefixes)]
        changed = {name: text for name, text in wanted.items() if name.startswith(prefixes)}
        files = {name: text for name, text in files.items() if name not in gone} | changed
        when = f"{_seconds(date)} +0300"
        out += f"commit refs/heads/main\ncommitter {AUTHOR} {when}\n".encode()
        out += _data(message.encode()) + b"deleteall\n"
        for name, text in sorted(files.items()):
            out += f"M 100644 inline {name}\n".encode() + _data(text)
        if message == f"Release {version}":
            out += f"tag v{version}\nfrom refs/heads/main\ntagger {AUTHOR} {when}\n".encode()
            out += _data(f"EasyMO {version}".encode())
    return bytes(out)


def _data(content: bytes) -> bytes:
    return f"data {len(content)}\n".encode() + content + b"\n"


def _seconds(date: str) -> int:
    from datetime import datetime  # noqa: PLC0415 - the command line imports this file too

    return int(datetime.fromisoformat(date).timestamp())


def git(cwd: Path, *words: str, given: bytes = b"") -> str:
    """Without anybody's own settings, which might sign, hook or ask."""
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(cwd),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TEMPLATE_DIR": "",
        "GIT_TERMINAL_PROMPT": "0",
    }
    done = subprocess.run(
        ["git", *words],  # noqa: S607 - the one on PATH
        cwd=cwd,
        env=environment,
        input=given,
        capture_output=True,
        check=False,
        timeout=60,
    )
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise SandboxError(f"git {words[0]} failed in {cwd} ({said}): see whether git is whole.")
    return done.stdout.decode()
