"""A folder of migrations and two databases for it: one that Prisma migrates, one that we do."""

from __future__ import annotations

import os
import shlex
import shutil
import typing as t
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.easymo.deploy.plugins.modules import migrations
from tests.integration.running import query
from tests.interop.projects import Options, url
from tests.module_runner import run_module

if t.TYPE_CHECKING:
    from tests.interop.toolchain import Tool

_SOURCE = Path(__file__).parent / "prisma"
_CHECKOUT = Path(__file__).parents[2] / "sandbox" / "checkout" / "v2.0.0"
_ROWS = """
SELECT migration_name, checksum, finished_at IS NOT NULL, rolled_back_at IS NOT NULL, applied_steps_count,
       coalesce(logs, '(null)') FROM _prisma_migrations ORDER BY started_at, migration_name
"""


@dataclass(frozen=True)
class Said:
    """The exit code of Prisma and all it printed."""

    rc: int
    text: str


@dataclass(frozen=True)
class Workspace:
    """`place` is where Prisma runs: its configuration, its packages and the folder `migrations`."""

    place: Path
    tool: Tool

    @property
    def folder(self) -> Path:
        return self.place / "migrations"

    @property
    def argv(self) -> list[str]:
        return list(self.tool.script("prisma"))

    def prepare(self) -> Workspace:
        self.folder.mkdir(parents=True)
        (self.place / "home").mkdir()
        for name in ("prisma.config.ts", "schema.prisma"):
            shutil.copy(_SOURCE / name, self.place)
        (self.place / "node_modules").symlink_to(self.tool.folder / "node_modules")
        # Where Prisma would have its own engine, which it asks whether the database can be reached, and nothing else.
        engine = self.place / "engine"
        engine.write_text("#!/bin/sh\nexit 0\n")
        engine.chmod(0o755)
        (self.folder / "migration_lock.toml").write_text('provider = "postgresql"\n')
        return self

    def write(self, files: t.Mapping[str, str | bytes]) -> None:
        for name, content in files.items():
            raw = content if isinstance(content, bytes) else content.encode()
            (self.folder / name).mkdir(exist_ok=True)
            (self.folder / name / "migration.sql").write_bytes(raw)

    def settings(self) -> dict[str, str]:
        """Environment variables of Prisma, all but the one that names the database."""
        engine = str(self.place / "engine")
        return {
            "MIGRATIONS": str(self.folder),
            "PRISMA_QUERY_ENGINE_LIBRARY": engine,
            "PRISMA_SCHEMA_ENGINE_BINARY": engine,
        }

    def prisma(self, database: Options, *words: str) -> Said:
        variables = {**self.settings(), "DATABASE_URL": url(database)}
        argv = [*self.argv, "migrate", *words]
        done = self.tool.run(argv, self.place / "home", cwd=self.place, **variables)
        return Said(done.returncode, f"{done.stdout}{done.stderr}")

    def run(self, database: Options, **options: t.Any) -> Options:
        """What our module returns."""
        return run_module(
            migrations,
            kind="prisma",
            directory=str(self.folder),
            **{**database, "additive_only": False, **options},
        )

    @contextmanager
    def environment(self, **more: str) -> t.Iterator[None]:
        """Ours is that of the tool until the end of the block."""
        before = dict(os.environ)
        os.environ.update(self.tool.environment(self.place / "home", **self.settings(), **more))
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)

    def checkout(self) -> Path:
        """The application's, with the packages that its workspace of migrations needs, and pnpm in `bin` beside it."""
        place = self.place / "checkout"
        shutil.copytree(_CHECKOUT, place)
        for package in (place / "packages" / "db", place):
            (package / "node_modules").symlink_to(self.tool.folder / "node_modules")
        programs = self.place / "bin"
        programs.mkdir()
        for name, argv in (
            ("node", self.tool.script("pnpm")[:1]),
            ("pnpm", self.tool.script("pnpm")),
        ):
            (programs / name).write_text(f'#!/bin/sh\nexec {shlex.join(argv)} "$@"\n')
            (programs / name).chmod(0o755)
        return place

    def info(self, database: Options) -> Options:
        return t.cast("Options", self.run(database, state="described")["history"])


def rows(database: Options) -> list[tuple[t.Any, ...]]:
    """The history, but for what no two runs have alike: ids and times."""
    return query(database, _ROWS)


def without_logs(found: list[tuple[t.Any, ...]]) -> list[tuple[t.Any, ...]]:
    """Each program has its own words for why something failed: only that there are some."""
    return [(*row[:-1], row[-1] not in ("", "(null)")) for row in found]
