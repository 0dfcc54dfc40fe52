# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Write down what a person says became of a migration, by the rules of `prisma migrate resolve`."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._errors import ConflictError, InputError
from .prisma_history import Attempt
from .prisma_plan import Resolution

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from .._postgres import Session
    from .prisma_folder import PrismaMigration
    from .prisma_history import HistoryTable
    from .prisma_plan import PrismaHistory


@dataclass(frozen=True)
class Settlement:
    """One name whose rows change. With `checksum` it gets a new row that says applied."""

    name: str
    before: str
    checksum: str | None

    @property
    def after(self) -> str:
        return "rolled back" if self.checksum is None else "applied"


@dataclass(frozen=True)
class ResolvePlan:
    """Names that are as they are to be already are in none of `settlements`."""

    settlements: tuple[Settlement, ...]
    warnings: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        return bool(self.settlements)

    def to_diff(self) -> dict[str, str]:
        return {
            "before": "".join(f"{each.name}: {each.before}\n" for each in self.settlements),
            "after": "".join(f"{each.name}: {each.after}\n" for each in self.settlements),
        }


def plan_resolve(
    history: PrismaHistory,
    local: Sequence[PrismaMigration],
    names: Sequence[str],
    resolution: Resolution,
) -> ResolvePlan:
    """Raises for the first name that may not become that, before any of them has."""
    checksums = {migration.name: migration.checksum for migration in local}
    settlements: list[Settlement] = []
    warnings: list[str] = []
    for name in sorted(set(names)):
        if resolution == "applied":
            found = _mark_applied(history, name, checksums.get(name))
        else:
            found = _mark_rolled_back(history, name)
            if found is None and name in history.applied:
                warnings.append(
                    f"{name} failed once and was applied since, so nothing was rolled back."
                )
        if found:
            settlements.append(found)
    return ResolvePlan(tuple(settlements), tuple(warnings))


def _mark_applied(history: PrismaHistory, name: str, checksum: str | None) -> Settlement | None:
    if checksum is None:
        raise InputError(
            f"There is no migration {name!r} in the folder to mark as applied (P3017): use the "
            "whole name of its folder.",
            code="P3017",
        )
    # Prisma calls this P3008; what was asked for is so, and that is no failure here.
    return None if name in history.applied else Settlement(name, _state(history, name), checksum)


def _mark_rolled_back(history: PrismaHistory, name: str) -> Settlement | None:
    rows = history.of(name)
    if not rows:
        raise InputError(
            f"{name!r} cannot be rolled back: it was never applied (P3011). Use the whole name "
            "of its folder.",
            code="P3011",
        )
    if all(row.finished for row in rows):
        raise ConflictError(
            f"{name!r} cannot be rolled back: it did not fail (P3012). Undo it by a new migration.",
            code="P3012",
        )
    failed = any(row.failed for row in rows)
    return Settlement(name, _state(history, name), None) if failed else None


def _state(history: PrismaHistory, name: str) -> str:
    if name in history.failed:
        return "failed"
    return "rolled back" if history.of(name) else "pending"


def apply_resolve(
    session: Session, table: HistoryTable, plan: ResolvePlan, *, exists: bool
) -> None:
    """All of them or none; `exists` is about the history."""
    session.execute("BEGIN")
    if not exists:
        table.create()
    for each in plan.settlements:
        table.settle_failed(each.name)
        if each.checksum is not None:
            table.record_unseen(Attempt(each.name, each.checksum))
    session.execute("COMMIT")
