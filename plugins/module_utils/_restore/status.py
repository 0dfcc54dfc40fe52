# SPDX-License-Identifier: GPL-3.0-or-later
"""Add to every failure which database serves now, what else exists and what to do next."""

from __future__ import annotations

import typing as t
from contextlib import contextmanager

from .._errors import DeployError, RefusedError
from .._postgres import SqlError

if t.TYPE_CHECKING:
    from collections.abc import Iterator

Settle = t.Callable[[], str]


@contextmanager
def settling(settle: Settle) -> Iterator[None]:
    """When the block fails, `settle` puts things in order; its words end the sentence of the failure."""
    try:
        yield
    except (DeployError, SqlError) as exc:
        raise with_standing(exc, settle()) from exc
    except BaseException:
        settle()
        raise


def with_standing(exc: DeployError | SqlError, standing: str) -> DeployError:
    """The same failure with the state of the databases added."""
    if isinstance(exc, SqlError):
        return RefusedError(f"PostgreSQL refused: {exc}. {standing}", standing=standing)
    message = f"{exc}".rstrip()
    return type(exc)(
        f"{message} {standing}",
        **{**exc.details, "standing": exc.details.get("standing", standing)},
    )
