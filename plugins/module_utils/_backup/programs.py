# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls of pg_dump and pg_restore, and the output of `pg_restore --list` for a dump from S3."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .. import _child_process
from .._errors import InputError, NotReadyError, VerificationError
from .plan import GZIP, ZSTD, compression_argument, is_listing, may_use_zstd, parse_program_version

if t.TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from .._child_process import Child, Writer
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
    completed = _child_process.run(
        [path, "--version"], _child_process.child_environment({}), timeout=_PROBE_TIMEOUT
    )
    if completed.rc != 0:
        raise InputError(
            f"{path} --version failed with exit code {completed.rc}: {completed.stderr}"
        )
    return Program(path, *parse_program_version(completed.stdout))


def best_compression(pg_dump: Program) -> str:
    """zstd when this pg_dump was built with it, else gzip.

    pg_dump reports a lack of zstd only when it is used, and before any connection.
    """
    if not may_use_zstd(pg_dump.major):
        return GZIP
    nowhere = {"PGHOST": "/nonexistent", "PGDATABASE": "none"}
    completed = _child_process.run(
        [pg_dump.path, "--format=custom", f"--compress={ZSTD}"],
        _child_process.child_environment(nowhere),
        timeout=_PROBE_TIMEOUT,
    )
    return GZIP if "does not support compression" in completed.stderr else ZSTD


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


@dataclass(frozen=True)
class Listing:
    """The program's output about the dump `what`, and its end."""

    what: str
    lines: tuple[str, ...]
    rc: int
    complaint: str
    ended: Child
    timeout: float

    def refuse_late(self, consequence: str) -> None:
        """Raise NotReadyError after a timeout. Reading and listing share the time; the slower side is named."""
        if not self.ended.timed_out:
            return
        if self.ended.starved:
            raise NotReadyError(
                f"{self.what} could not be read within {self.timeout:g} s; {consequence}. Raise option 'timeout' if "
                "S3 is this slow."
            )
        raise NotReadyError(
            f"pg_restore --list of {self.what} did not end within {self.timeout:g} s and was stopped; {consequence}. "
            "Raise option 'timeout' if this machine is that slow."
        )

    def refuse_unreadable(self, consequence: str) -> None:
        if self.rc != 0 or not is_listing(self.lines):
            complaint = self.complaint or "it did not mention a dump"
            raise VerificationError(
                f"pg_restore cannot read {self.what} (exit code {self.rc}: {complaint}); {consequence}."
            )


def list_dump(pg_restore: Program, what: str, write: Writer, *, timeout: float) -> Listing:
    """List a dump. `write` feeds it; pg_restore reads only its beginning. Raises the errors of `write`."""
    with _child_process.child(
        [pg_restore.path, "--list"],
        _child_process.child_environment({}),
        timeout=timeout,
        write=write,
    ) as running:
        lines = tuple(line.decode("utf-8", "replace").rstrip("\r\n") for line in running.stdout)
        rc = running.wait()
        return Listing(what, lines, rc, running.stderr(), running, timeout)
