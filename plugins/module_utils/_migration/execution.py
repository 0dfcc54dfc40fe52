# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL text without its secrets, and how the statements of a file run: together, or some alone, as the CLI does it."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .._errors import InputError
from .._formats import shortened
from .._redaction import redact
from .splitter import without_leading_comments

_EXCERPT = 80
_LOG_LINES = 12
_LITERAL = re.compile(
    r"""(?xs)
    \$(?P<tag>\w*)\$ .*? (?: \$(?P=tag)\$ | \Z )
  | \b[eE]' (?: [^'\\] | '' | \\. )* (?: ' | \Z )
  | ' (?: [^'] | '' )* (?: ' | \Z )
    """
)

# Keys in parentheses, values after a colon or the word, and the details in which the server repeats a row.
_QUOTED_DATA = (
    (re.compile(r"=\([^)]*\)"), "=(…)"),
    (re.compile(r'(?::|\bvalue) "[^"]*"'), ': "…"'),
    (
        re.compile(r'(?s)\b(detail|DETAIL|where_|hint): (?:Some\("(?:[^"\\]|\\.)*"\)|[^\n]*)'),
        r"\1: …",
    ),
)

_PASSWORD = re.compile(
    r"""(?xsi)
    (?P<word> \w* (?:password|passwd|secret|token|api_?key|credential) \w* ["']? \s*
        (?:\( | => | := | = | : | , | \bTO\b)? \s* )
    (?: \$(?P<tag>\w*)\$ .*? \$(?P=tag)\$ | \b[eE]' (?: [^'\\] | '' | \\. )* ' | ' (?: [^'] | '' )* ' )
    """
)


def decode(content: bytes, file: str) -> str:
    """The text of a file, without its byte order mark; line ends stay as they are."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = content.count(b"\n", 0, exc.start) + 1
        raise InputError(
            f"{file} is not UTF-8 (line {line}, byte {exc.start}): save it as UTF-8."
        ) from exc
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise InputError(f"{file} has a NUL character in line {line}: PostgreSQL refuses it.")
    return text


def mask_literals(sql: str) -> str:
    """Without what stands in quotes, which may be a secret; an unfinished literal is one to the end."""
    return _LITERAL.sub("'…'", sql)


def mask_passwords(sql: str) -> str:
    """Without the literals that stand behind a word like password."""
    return _PASSWORD.sub(lambda match: f"{match['word']}'…'", sql)


def excerpt(sql: str) -> str:
    """The first line of a statement, its literals masked: they may be secrets."""
    masked = mask_literals(without_leading_comments(sql))
    return shortened((masked.splitlines() or [""])[0].strip(), _EXCERPT)


def mask_message(message: str, sqlstate: str) -> str:
    """What PostgreSQL said, without the data it quotes: class 22 is about values, and 42601 may show a literal."""
    masked = mask_literals(message)
    if sqlstate.startswith("22"):
        masked = re.sub(r'"[^"]*"', '"…"', masked)
    return masked


def mask_logs(logs: str) -> str:
    """What Prisma or we noted about a failure, its first lines without the data that PostgreSQL quotes."""
    masked = redact(_LITERAL.sub("'…'", logs))
    for pattern, blank in _QUOTED_DATA:
        masked = pattern.sub(blank, masked)
    return "\n".join(masked.strip().splitlines()[:_LOG_LINES])


def same_sql(text: str, other: str) -> bool:
    """Whether two texts differ in no more than space and semicolons, where splitters of CLIs differ."""
    bare, other_bare = (re.sub(r"[\s;\ufeff]+", "", sql) for sql in (text, other))
    return bare == other_bare


_NO_TRANSACTION = "-- pg-delta: transaction=false"

_ALONE = re.compile(
    r"""(?xi)
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
    r"""(?xsi)
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
    r"""(?xi)
    (?:BEGIN | START \s+ TRANSACTION | COMMIT | END | ABORT | PREPARE \s+ TRANSACTION) (?:\s|$)
  | ROLLBACK (?: \s+ (?:WORK|TRANSACTION))? (?! \s+ (?:TO|WORK|TRANSACTION) (?:\s|$)) (?:\s|$)
    """
)
_RESETS_ROLE = re.compile(
    r"""(?ix)
    (?: RESET \s+ (?:ROLE | SESSION \s+ AUTHORIZATION)
      | SET \s+ (?:SESSION \s+)? ROLE (?: \s+ TO \s+ | \s* = \s* | \s+ ) (?:NONE | DEFAULT | 'none' | "none")
      | SET \s+ SESSION \s+ AUTHORIZATION \s+ DEFAULT
      | DISCARD \s+ ALL
    ) (?:\s|;|$)
    """
)


@dataclass(frozen=True)
class Step:
    """Statements of a file by their indexes, in one transaction or each by itself."""

    statements: tuple[int, ...]
    transaction: bool


def plan_steps(text: str, statements: t.Sequence[str]) -> tuple[Step, ...]:
    """The history's row is written in the last one.

    One by one run the statements of a file that has transactions of its own, or asks for none in its first line. Others
    are one transaction, but for statements that cannot be in one: these end it and start another.
    """
    asks = text.partition("\n")[0].removesuffix("\r") == _NO_TRANSACTION
    if asks or any(controls_transaction(statement) for statement in statements):
        return (Step(tuple(range(len(statements))), transaction=False),)
    return tuple(_steps(statements))


def _steps(statements: t.Sequence[str]) -> t.Iterator[Step]:
    together: list[int] = []
    for index, statement in enumerate(statements):
        first = not together and _ALONE_WHEN_FIRST.match(without_leading_comments(statement))
        alone = first or runs_alone(statement)
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
    return bool(_ALONE.match(without_leading_comments(statement)))


def controls_transaction(statement: str) -> bool:
    return bool(_TRANSACTION_CONTROL.match(without_leading_comments(statement)))


def ends_transaction(statement: str) -> bool:
    begins = without_leading_comments(statement).upper().startswith(("BEGIN", "START"))
    return controls_transaction(statement) and not begins


def resets_role(statement: str) -> bool:
    return bool(_RESETS_ROLE.match(without_leading_comments(statement)))


def session_role(user: str) -> str | None:
    """The role the CLI takes on for its own login roles, so that `postgres` owns what migrations make."""
    return "postgres" if user == "supabase_admin" or user.startswith("cli_login_") else None
