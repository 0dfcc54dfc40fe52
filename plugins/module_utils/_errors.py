# SPDX-License-Identifier: GPL-3.0-or-later
"""
Everything this collection raises on purpose:

* DeployError            a task must fail with a sentence a human can act on
  * InputError           what was asked for is wrong; nothing was touched
    * MissingLibraryError  a Python library that this needs is not installed
  * ConflictError        the world holds something we must not overwrite
  * RefusedError         the other side understood and said no: credentials, permissions, its own rules
  * UnreachableError     the other side could not be seen; nothing is known about what it did
  * NotReadyError        we waited and it did not become ready
  * VerificationError    it was done and looking at it from outside says otherwise
  * NotReadyToReleaseError  something stands against a release that has not begun
  * HoldError            nothing went wrong for sure: data is missing, or no answer came
  * RollbackError        a limit was broken for which a release is taken back"""

from __future__ import annotations

import importlib
import platform
import sys
import traceback
import typing as t
from dataclasses import dataclass

MOST = 1_000
"""Characters of a line about what was asked for, however much of it is quoted."""


class DeployError(Exception):
    """One sentence: what, where, why, what to do. `details` become keys of the task's result, `reason` among them."""

    reason = "DeployError"

    def __init__(self, message: str, **details: t.Any) -> None:
        super().__init__(message)
        self.details = details
        self.reason = details.get("reason", self.reason)

    def to_result(self) -> dict[str, t.Any]:
        return {"msg": str(self), "reason": self.reason, **self.details}


class InputError(DeployError):
    reason = "InvalidInput"

    def __init__(self, message: str, **details: t.Any) -> None:
        super().__init__("\n".join(map(in_short, message.split("\n"))), **details)


class MissingLibraryError(InputError):
    reason = "MissingLibrary"


class ConflictError(DeployError):
    reason = "Conflict"


class RefusedError(DeployError):
    reason = "Refused"


class UnreachableError(DeployError):
    reason = "Unreachable"


class NotReadyError(DeployError):
    reason = "NotReady"


class VerificationError(DeployError):
    reason = "VerificationFailed"


class NotReadyToReleaseError(DeployError):
    reason = "NotReadyToRelease"


class EarlierWaveError(ConflictError):
    reason = "EarlierWaveFailed"


class HoldError(DeployError):
    reason = "Hold"


class RollbackError(DeployError):
    reason = "Rollback"


def in_short(message: str) -> str:
    """A line without its middle, where a long value is quoted: what is wrong stands before it, what to do behind."""
    if len(message) <= MOST:
        return message
    head, tail = message[: MOST * 3 // 4], message[-MOST // 8 :]
    return f"{head}… ({len(message) - len(head) - len(tail)} characters) …{tail}"


@dataclass(eq=False)
class Library:
    """`requirement` as pip reads it; `import_error` is the traceback of the import that failed, else None.

    It is imported in a `with` over this, and its absence is told only where a module needs it. With `package`, its name
    in Python, it is imported not before that: by `refuse_missing`, and then by the functions that use it.
    """

    requirement: str
    package: str = ""
    import_error: str | None = None

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *_error: object) -> bool:
        missing = kind is not None and issubclass(kind, ImportError)
        if missing:
            self.import_error = traceback.format_exc()
        return missing


def refuse_missing(libraries: t.Iterable[Library]) -> None:
    """Raise for the first that is not installed."""
    for library in libraries:
        if library.package:
            with library:
                importlib.import_module(library.package)
        if library.import_error:
            raise MissingLibraryError(
                f"The Python library {library.requirement} is missing on {platform.node()}: run "
                f"{sys.executable} -m pip install '{library.requirement}' there.",
                exception=library.import_error,
            )
