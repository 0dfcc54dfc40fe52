# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""What `pg_restore --list` says of a dump that comes from S3, and whose fault it is when it says nothing."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .. import _child_process
from .._errors import NotReadyError, VerificationError
from .plan import is_listing

if t.TYPE_CHECKING:
    from .._child_process import Child, Writer
    from .programs import Program


@dataclass(frozen=True)
class Listing:
    """What it printed of the dump called `what`, and how it ended."""

    what: str
    lines: tuple[str, ...]
    rc: int
    complaint: str
    ended: Child
    timeout: float

    def refuse_late(self, consequence: str) -> None:
        """The two sides have their time together; who let the other wait is named."""
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
            said = self.complaint or "it did not mention a dump"
            raise VerificationError(
                f"pg_restore cannot read {self.what} (exit code {self.rc}: {said}); {consequence}."
            )


def list_dump(pg_restore: Program, what: str, write: Writer, *, timeout: float) -> Listing:
    """`write` gives it the dump, of which it needs no more than the beginning. Raises what `write` raises."""
    with _child_process.child(
        [pg_restore.path, "--list"],
        _child_process.child_environment({}),
        timeout=timeout,
        write=write,
    ) as running:
        lines = tuple(line.decode("utf-8", "replace").rstrip("\r\n") for line in running.stdout)
        rc = running.wait()
        return Listing(what, lines, rc, running.stderr(), running, timeout)
