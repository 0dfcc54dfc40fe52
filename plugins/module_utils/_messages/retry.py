# SPDX-License-Identifier: GPL-3.0-or-later
"""Try again while there is time: after what a rate limit asks for, and after a failure that may pass."""

from __future__ import annotations

import typing as t

from .._errors import UnreachableError
from .._time import Deadline

T = t.TypeVar("T")


class BusyError(UnreachableError):
    """The other side did nothing and asks to come back: always safe to repeat."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


def retrying(  # noqa: UP047 - targets may run an older Python
    call: t.Callable[[], T], deadline: Deadline, *, idempotent: bool
) -> T:
    """The first result of `call`, or its last error once waiting would pass the deadline."""
    pause = 0.5
    while True:
        try:
            return call()
        except BusyError as exc:
            wait = exc.retry_after
            if wait >= deadline.left():
                raise
        except UnreachableError:
            wait, pause = pause, pause * 2
            if not idempotent or wait >= deadline.left():
                raise
        deadline.sleep(wait)


def retry_after(headers: t.Mapping[str, str], default: float = 1.0) -> float:
    """Seconds from a Retry-After header; a date or nonsense counts as `default`."""
    value = next((v for k, v in headers.items() if k.lower() == "retry-after"), "")
    try:
        return max(0.0, float(value))
    except ValueError:
        return default
