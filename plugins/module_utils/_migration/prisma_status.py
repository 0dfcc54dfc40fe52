# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Say where a folder of Prisma migrations and a database stand to each other. No I/O, and no verdict raises."""

from __future__ import annotations

import typing as t

from .prisma_plan import compare
from .text import mask_logs

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from .prisma_folder import PrismaMigration
    from .prisma_plan import PrismaHistory, PrismaRow


def describe_status(history: PrismaHistory, local: Sequence[PrismaMigration]) -> dict[str, t.Any]:
    """The result of prisma_migrations_info."""
    plan = compare(history, local)
    status, code = _verdict(history, pending=plan.changed)
    return {
        "status": status,
        "code": code,
        "applied": [_describe(row) for row in history.rows if row.applied],
        "pending": [migration.name for migration in plan.pending],
        "failed_migrations": [
            {**_describe(row), "logs": mask_logs(row.logs)} for row in history.rows if row.failed
        ],
        "rolled_back": [_describe(row) for row in history.rows if row.rolled_back],
        "missing_locally": list(plan.missing_locally),
        "drift": plan.drift,
    }


def _verdict(history: PrismaHistory, *, pending: bool) -> tuple[str, str | None]:
    """One word, and Prisma's code for what would stop a deploy."""
    if history.needs_baseline:
        return "needs_baseline", "P3005"
    if history.failed:
        return "failed", "P3009"
    return ("pending" if pending else "up_to_date"), None


def _describe(row: PrismaRow) -> dict[str, t.Any]:
    return {
        "name": row.name,
        "checksum": row.checksum,
        "started_at": row.started_at,
        "seconds": None if row.seconds is None else round(row.seconds, 3),
    }
