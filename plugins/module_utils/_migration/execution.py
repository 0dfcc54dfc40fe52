# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Decide how the statements of one Supabase migration run: together, or some alone, as the CLI does it."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass
from enum import Enum

from .splitter import comments_end, without_leading_comments

if t.TYPE_CHECKING:
    from collections.abc import Sequence

_NO_TRANSACTION = "-- pg-delta: transaction=false"

_ALONE = re.compile(
    r"""(?x)
    CREATE \s+ (?:UNIQUE \s+)? INDEX \s+ CONCURRENTLY (?:\s|$)
  | DROP \s+ INDEX \s+ CONCURRENTLY (?:\s|$)
  | REINDEX (?:\s|\() .* \s CONCURRENTLY (?:\s|$)
  | VACUUM (?:\s|\(|$)
  | ALTER \s+ SYSTEM (?:\s|$)
  | CLUSTER (?:\s|$)
    """
)
# The CLI sends the statements of a file in one go, without a BEGIN. PostgreSQL takes the first of them for one that
# stands alone, and commits these at once.
_ALONE_WHEN_FIRST = re.compile(
    r"""(?xs)
    DISCARD \s+ ALL (?:\s|$)
  | (?:CREATE|DROP) \s+ (?:DATABASE|TABLESPACE|SUBSCRIPTION) \s
  | ALTER \s+ SUBSCRIPTION \s .* \s PUBLICATION (?:\s|$)
  | ALTER \s+ DATABASE \s .* \s SET \s+ TABLESPACE \s
  | ALTER \s+ TABLE \s .* \s DETACH \s+ PARTITION \s .* \s CONCURRENTLY (?:\s|$)
  | REINDEX \s+ (?:\(.*\)\s*)? (?:SCHEMA|DATABASE|SYSTEM) (?:\s|$)
  | DO \s .* (?:\s|;) (?:COMMIT|ROLLBACK) \s* ;
    """
)
_TRANSACTION_CONTROL = re.compile(
    r"""(?x)
    (?:BEGIN | START \s+ TRANSACTION | COMMIT | END | ABORT | PREPARE \s+ TRANSACTION) (?:\s|$)
  | ROLLBACK (?: \s+ (?:WORK|TRANSACTION))? (?! \s+ (?:TO|WORK|TRANSACTION) (?:\s|$)) (?:\s|$)
    """
)
_BEGINNINGS = (
    "CR",
    "DR",
    "RE",
    "VA",
    "AL",
    "CL",
    "DI",
    "DO",
    "BE",
    "ST",
    "CO",
    "EN",
    "AB",
    "PR",
    "RO",
)
"""Of all that these look for."""
_RESETS_ROLE = re.compile(
    r"""(?ix)
    (?: RESET \s+ (?:ROLE | SESSION \s+ AUTHORIZATION)
      | SET \s+ (?:SESSION \s+)? ROLE (?: \s+ TO \s+ | \s* = \s* | \s+ ) (?:NONE | DEFAULT | 'none' | "none")
      | SET \s+ SESSION \s+ AUTHORIZATION \s+ DEFAULT
      | DISCARD \s+ ALL
    ) (?:\s|;|$)
    """
)


class Mode(Enum):
    TOGETHER = "together"
    """In one transaction with the history's row; statements that cannot be in one end it and start another."""
    OWN_TRANSACTIONS = "own transactions"
    """One by one: the file begins and commits by itself; what it left open is rolled back on failure."""
    STATEMENT_BY_STATEMENT = "statement by statement"
    """One by one, each committed: the file asks for it in its first line."""


@dataclass(frozen=True)
class Step:
    """Statements of a file by their indexes, in one transaction or each by itself."""

    statements: tuple[int, ...]
    transaction: bool


@dataclass(frozen=True)
class Execution:
    mode: Mode
    steps: tuple[Step, ...]
    """The history's row is written in the last one."""

    @property
    def atomic(self) -> bool:
        return self.mode is Mode.TOGETHER and len(self.steps) == 1


def plan_execution(text: str, statements: Sequence[str]) -> Execution:
    everything = tuple(range(len(statements)))
    if text.partition("\n")[0].removesuffix("\r") == _NO_TRANSACTION:
        return Execution(Mode.STATEMENT_BY_STATEMENT, (Step(everything, transaction=False),))
    if any(controls_transaction(statement) for statement in statements):
        return Execution(Mode.OWN_TRANSACTIONS, (Step(everything, transaction=False),))
    return Execution(Mode.TOGETHER, tuple(_steps(statements)))


def _steps(statements: Sequence[str]) -> t.Iterator[Step]:
    together: list[int] = []
    for index, statement in enumerate(statements):
        alone = runs_alone(statement) or (not together and runs_alone_when_first(statement))
        if not alone:
            together.append(index)
            continue
        if together:
            yield Step(tuple(together), transaction=True)
            together = []
        yield Step((index,), transaction=False)
    yield Step(tuple(together), transaction=True)


def runs_alone(statement: str) -> bool:
    """PostgreSQL refuses it inside a transaction."""
    return bool(_ALONE.match(_bare(statement)))


def runs_alone_when_first(statement: str) -> bool:
    """PostgreSQL refuses it inside a transaction, and takes it as the first that reaches it."""
    return bool(_ALONE_WHEN_FIRST.match(_bare(statement)))


def controls_transaction(statement: str) -> bool:
    return bool(_TRANSACTION_CONTROL.match(_bare(statement)))


def ends_transaction(statement: str) -> bool:
    return controls_transaction(statement) and not _bare(statement).startswith(("BEGIN", "START"))


def refused_in_its_transaction(statements: Sequence[str]) -> t.Iterator[int]:
    """Those that the file has between a BEGIN and its COMMIT, where PostgreSQL refuses them; by their indexes."""
    inside = False
    for index, statement in enumerate(statements):
        if inside and runs_alone(statement) and not _bare(statement).startswith("CLUSTER "):
            yield index
        if controls_transaction(statement):
            inside = not ends_transaction(statement) or "AND CHAIN" in _bare(statement)


def _bare(statement: str) -> str:
    """In capitals and without its comments; empty for what none of this is about, as a long INSERT is."""
    begins = comments_end(statement)
    if statement[begins : begins + 2].upper() not in _BEGINNINGS:
        return ""
    return without_leading_comments(statement).upper()


def resets_role(statement: str) -> bool:
    return bool(_RESETS_ROLE.match(without_leading_comments(statement)))


def session_role(user: str) -> str | None:
    """The role the CLI takes on for its own login roles, so that `postgres` owns what migrations make."""
    return "postgres" if user == "supabase_admin" or user.startswith("cli_login_") else None
