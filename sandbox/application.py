# SPDX-License-Identifier: GPL-3.0-or-later
"""The application's repository and files at both versions, and what staging would have left of its tests.

Whoever releases it has it cloned, on `main`, at the release's tag:

    run/application/origin.git      what GitHub has: main, v1.9.0, v2.0.0
    run/application/v2.0.0          its clone
    run/application/v1.9.0          a second work tree of that clone
    run/application/staging-results what staging would have left

The same commits in every sandbox, so that a commit can be told by its id. Without git: the files alone.
`checkout/v2.0.0` holds the release whole. The previous version is the release without its new migrations, with what
`REPLACED` puts back in some files. Those in which little is the same are in `checkout/v1.9.0`.

Nobody ran the tests of staging. `unit.xml` and `synthetic.xml` are JUnit reports, `load-test.json` is a summary. Each
names the version and the commit that it is about, and that it was made for a rehearsal.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
import typing as t
from contextlib import contextmanager
from pathlib import Path
from xml.sax.saxutils import quoteattr

from sandbox.errors import SandboxError
from sandbox.names import PREVIOUS_VERSION, RELEASE_VERSION, SERVICES

if t.TYPE_CHECKING:
    from sandbox.world import World

CHECKOUTS = Path(__file__).with_name("checkout")
SUPABASE_MIGRATIONS = Path("supabase/migrations")
PRISMA_MIGRATIONS = Path("packages/db/prisma/migrations")
# How the paths of the release's own migrations begin: all were written in November 2025.
ADDED_BY_RELEASE = (f"{SUPABASE_MIGRATIONS}/202511", f"{PRISMA_MIGRATIONS}/202511")


_VERSION = ((re.escape(RELEASE_VERSION), PREVIOUS_VERSION),)
REPLACED: t.Mapping[str, tuple[tuple[str, str], ...]] = {
    "CHANGELOG.md": ((r"## 2\.0\.0.*?(?=## 1\.9\.0)", ""),),
    "package.json": _VERSION,
    "packages/db/package.json": _VERSION,
    "packages/db/prisma/schema.prisma": (
        (r"  agent +String\?[^\n]*\n", ""),
        (r"  @@index\(\[createdAt\]\)\n", ""),
        (r"\nmodel AgentPreference .*", ""),
    ),
    "supabase/functions/_shared/agent_core.ts": (
        (r'route: "agent" \| "menu"( \| "fallback";)\n  agent\?: string;', r'route: "menu"\1'),
        (r"The answer to a message; .* in an agent's place\.", "The menu's answer to a message."),
        (r"  const \{ handled_by, agent \} = answered;\n", ""),
        (
            r"const reply = .*\.\.\.reply \};",
            'return buttons?.length ? { route: "menu", text, buttons } : { route: "menu", text };',
        ),
    ),
    "supabase/functions/_shared/version.ts": _VERSION,
    "supabase/functions/wa-webhook/index.ts": (
        (r"route, agent \}", "route }"),
        (r"agent \?\? route", "route"),
    ),
}
"""By path: a pattern in the release's file, and what the previous version has in its place."""


def application_files(version: str) -> dict[str, bytes]:
    """Each file of the application's repository at `version`, by its path there."""
    files = _read(CHECKOUTS / f"v{RELEASE_VERSION}")
    if version == PREVIOUS_VERSION:
        files = {p: content for p, content in files.items() if not p.startswith(ADDED_BY_RELEASE)}
        for path, replacements in REPLACED.items():
            for pattern, text in replacements:
                changed = re.sub(pattern.encode(), text.encode(), files[path], flags=re.DOTALL)
                files[path] = changed
        files |= _read(CHECKOUTS / f"v{PREVIOUS_VERSION}")
    return dict(sorted(files.items()))


def write_application(version: str, folder: Path) -> None:
    for name, content in application_files(version).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


@contextmanager
def checkout(version: str) -> t.Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        write_application(version, Path(folder))
        yield Path(folder)


def _read(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }


UNIT_TESTS = 84
STARTED = "2025-11-10T08:00:00+00:00"
NOTE = "Made for a rehearsal by the sandbox; nobody ran these tests."
# What a customer can do, each tried at three times of a day.
JOURNEYS = (
    "greets and gets the menu",
    "asks an agent for vegetables",
    "orders and pays from the wallet",
    "finds a station that has fuel",
    "calls a driver",
    "asks for support",
    "leaves the agent for the menu",
)
LOAD_TEST = {
    "users": 100,
    "duration_seconds": 900,
    "requests": 184_320,
    "errors": 737,
    "error_rate": 0.004,
    "p50_seconds": 0.12,
    "p95_seconds": 0.41,
    "p99_seconds": 0.78,
}


def write(folder: Path, version: str, commit: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    units = [
        (f"{SERVICES[n % len(SERVICES)]}.unit", f"case {n // len(SERVICES) + 1}")
        for n in range(UNIT_TESTS)
    ]
    times = ("morning", "noon", "evening")
    synthetic = [("synthetic", f"{journey}, {time}") for journey in JOURNEYS for time in times]
    about = {"version": version, "commit": commit, "environment": "staging"}
    (folder / "unit.xml").write_text(_junit("unit", units, about), encoding="utf-8")
    (folder / "synthetic.xml").write_text(_junit("synthetic", synthetic, about), encoding="utf-8")
    summary = {**about, "started": STARTED, "note": NOTE, **LOAD_TEST}
    text = json.dumps(summary, indent=1) + "\n"
    (folder / "load-test.json").write_text(text, encoding="utf-8")


def _junit(name: str, cases: t.Sequence[tuple[str, str]], about: t.Mapping[str, str]) -> str:
    counts = f'tests="{len(cases)}" failures="0" errors="0" skipped="0"'
    properties = {**about, "note": NOTE}
    return "\n".join(
        [
            '<?xml version="1.0" encoding="UTF-8"?>',
            f"<testsuites {counts}>",
            f'<testsuite name="{name}" {counts} time="{len(cases) * 0.05:.2f}" timestamp="{STARTED}">',
            "<properties>",
            *(
                f"<property name={quoteattr(k)} value={quoteattr(v)}/>"
                for k, v in properties.items()
            ),
            "</properties>",
            *(
                f'<testcase classname={quoteattr(where)} name={quoteattr(what)} time="0.05"/>'
                for where, what in cases
            ),
            "</testsuite>",
            "</testsuites>",
            "",
        ]
    )


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
        why = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise SandboxError(f"git {words[0]} failed in {cwd} ({why}): see whether git is whole.")
    return done.stdout.decode()
