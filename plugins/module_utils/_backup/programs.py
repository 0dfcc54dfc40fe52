# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""pg_dump and pg_restore as this collection calls them."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .. import _child_process
from .._errors import InputError
from .plan import GZIP, ZSTD, compression_argument, may_use_zstd, parse_program_version

if t.TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from .._child_process import Child
    from .._postgres import PostgresTarget

_PROBE_TIMEOUT = 20


@dataclass(frozen=True)
class Program:
    path: str
    major: int
    version: str

    @property
    def numbers(self) -> tuple[int, str]:
        return self.major, self.version


def find(name: str, option: str) -> Program:
    """A program of PostgreSQL by name or path, asked for its version."""
    path = _child_process.find_program(name, option)
    said = _child_process.run(
        [path, "--version"], _child_process.child_environment({}), timeout=_PROBE_TIMEOUT
    )
    if said.rc != 0:
        raise InputError(f"{path} --version failed with exit code {said.rc}: {said.stderr}")
    return Program(path, *parse_program_version(said.stdout))


def best_compression(pg_dump: Program) -> str:
    """zstd when this pg_dump was built with it, else gzip.

    pg_dump tells only when it is asked to use it, and it does so before it connects anywhere.
    """
    if not may_use_zstd(pg_dump.major):
        return GZIP
    nowhere = {"PGHOST": "/nonexistent", "PGDATABASE": "none"}
    said = _child_process.run(
        [pg_dump.path, "--format=custom", f"--compress={ZSTD}"],
        _child_process.child_environment(nowhere),
        timeout=_PROBE_TIMEOUT,
    )
    return GZIP if "does not support compression" in said.stderr else ZSTD


def dumping(
    pg_dump: Program,
    target: PostgresTarget,
    *,
    compression: str,
    lock_timeout: int,
    snapshot: str,
    left_out: t.Sequence[str],
    timeout: float,
) -> AbstractContextManager[Child]:
    """A running pg_dump of an exported snapshot, in custom format on its standard output; `lock_timeout` in seconds.

    `left_out`: tables and sequences that are not dumped, as SQL wants them.
    """
    argv = [
        pg_dump.path,
        "--format=custom",
        compression_argument(compression, pg_dump.major),
        f"--lock-wait-timeout={lock_timeout * 1000}",
        f"--snapshot={snapshot}",
        "--no-password",
        *(f"--exclude-table={identifier}" for identifier in left_out),
    ]
    environment = {**target.environment(), "PGAPPNAME": "easymo.deploy pg_backup"}
    return _child_process.child(
        argv, _child_process.child_environment(environment), timeout=timeout
    )
