# SPDX-License-Identifier: GPL-3.0-or-later
"""The sandbox's errors: one sentence each, with the cure."""

from __future__ import annotations

import errno
import os

_CURES = {
    errno.ENOSPC: "free some space there or choose another folder with --state",
    errno.EDQUOT: "free some of your quota or choose another folder with --state",
    errno.EACCES: "choose a folder you may write to with --state",
    errno.EPERM: "choose a folder you may write to with --state",
    errno.ENOTDIR: "choose a folder, not a file, with --state",
    errno.EROFS: "choose a folder on a writable file system with --state",
    errno.EMFILE: "raise the limit on open files with 'ulimit -n'",
    errno.ENOENT: "run 'python -m sandbox down', then 'up'",
}


class SandboxError(Exception):
    """One sentence for the operator: what, where, why and what to do."""


def sentence(exc: BaseException) -> str:
    if isinstance(exc, SandboxError):
        return str(exc)
    if isinstance(exc, OSError) and exc.errno is not None:
        where = f" at {os.fsdecode(exc.filename)}" if exc.filename else ""
        cure = _CURES.get(exc.errno)
        return f"{os.strerror(exc.errno)}{where}" + (f": {cure}." if cure else ".")
    if os.strerror(errno.ENOSPC) in str(exc):  # As a database server says it.
        return f"{os.strerror(errno.ENOSPC)}: {_CURES[errno.ENOSPC]}."
    first_line = str(exc).partition("\n")[0]
    return f"{type(exc).__name__}: {first_line}".rstrip(": .") + "."
