# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Read SQL text and speak about it without giving away what is in it."""

from __future__ import annotations

import re

from .._errors import InputError
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
    return _PASSWORD.sub(lambda found: f"{found['word']}'…'", sql)


def excerpt(sql: str) -> str:
    """The first line of a statement, its literals masked: they may be secrets."""
    masked = mask_literals(without_leading_comments(sql))
    line = (masked.splitlines() or [""])[0].strip()
    return line if len(line) <= _EXCERPT else line[: _EXCERPT - 1] + "…"


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


def same_sql(one: str, other: str) -> bool:
    """Whether two texts differ in no more than space and semicolons, where splitters of CLIs differ."""
    return _bare(one) == _bare(other)


def _bare(sql: str) -> str:
    return re.sub(r"[\s;\ufeff]+", "", sql)
