# SPDX-License-Identifier: GPL-3.0-or-later
"""Split an SQL script into statements exactly as the Supabase CLI (3.1) does, its oddities included.

What the CLI records in its history depends on this, so being right about SQL comes second to being alike. The oddities,
each seen in its runs: a `)` closes every open parenthesis at once; ATOMIC opens a body only after BEGIN; END closes it
only at the start of a statement; a closing dollar quote may share a `$` with the opening one; a backslash outside a
string hides the next character.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

# What JavaScript's trim() takes away.
_TRIMMED = (
    "\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff"
)
_SPACE = " \t\n\r\f\v"

_TAG = r"A-Za-z0-9_\x80-\U0010ffff"
_APART = f"(?<![{_TAG}$])"
"""Nothing of an identifier stands before it."""
_ESCAPED = r"[^\\']*+ (?: (?: \\(?:.|\Z) | '' ) [^\\']*+ )*+ '?"
_CONTINUES = r"[ \t\f\v]*+ (?:--[^\n\r]*+)? [\n\r] (?: \s | --[^\n\r]*+[\n\r] )*+"
"""An escape string goes on after space and line comments, on a later line."""
_MARK = re.compile(
    rf"""(?xsa) (?= ['"$/\\;()aAeE-] ) (?:
    (?<={_APART}[eE])' {_ESCAPED} (?: {_CONTINUES} ' {_ESCAPED} )*+
  | ' [^']*+ (?: '' [^']*+ )*+ '?
  | " [^"]*+ (?: "" [^"]*+ )*+ "?
  | {_APART}\$(?P<tag>[{_TAG}]*+) (?: (?=\$) (?: .*?\$(?P=tag)\$ | .* ) )?
  | --[^\n\r]*+[\n\r]?
  | /\* | \\.? | [;()]
  | {_APART}(?i: ATOMIC | END(?![{_TAG}$]) )
    )"""
)
_BEGIN = re.compile(rf"(?a){_APART}(?i:BEGIN)\s*\Z")
_NEWLINE = re.compile(r"[\n\r]")
_DELIMITER = re.compile(r"/\*|\*/")


@dataclass(frozen=True)
class Statement:
    text: str
    line: int
    """The line of the script its text begins on, comments before it included; the first is 1."""


@dataclass(frozen=True)
class Script:
    statements: tuple[Statement, ...]
    meta_command: int | None
    """The line of the first psql meta-command (a backslash that begins a line or a word, outside of everything)."""
    open_comment: int | None = None
    """The line of the block comment that never ends."""


def without_leading_comments(sql: str) -> str:
    """The statement itself, empty when there is nothing but comments."""
    return sql[comments_end(sql) :].strip(_TRIMMED)


def comments_end(sql: str) -> int:
    """Where the comments and space end that it begins with."""
    if sql[:1].isalpha():
        return 0
    return _skip_blank(sql, 0, len(sql), _SPACE + "\ufeff")


def failing_line(statement: Statement, position: int | None) -> int:
    """The line of the script: where PostgreSQL points, counted from 1, or else where the statement itself begins."""
    offset = comments_end(statement.text) if position is None else position - 1
    return statement.line + statement.text.count("\n", 0, offset)


def split_script(text: str) -> Script:
    """Jumps from one mark that matters to the next; strings, identifiers and line comments are one mark each."""
    start = position = 0
    unclosed: list[int | None] = []
    """None for a parenthesis; for BEGIN ATOMIC from where nothing but comments may stand before its END."""
    pieces: list[tuple[int, int]] = []
    meta_command = open_comment = None
    while match := _MARK.search(text, position):
        mark, at, position = match[0].upper(), match.start(), match.end()
        if mark == ";" and not unclosed:
            pieces.append((start, position))
            start = position
        elif mark == ";" and unclosed[-1] is not None:
            unclosed[-1] = position
        elif mark == "(":
            unclosed.append(None)
        elif mark in (")", "\\)"):
            while unclosed and unclosed[-1] is None:
                unclosed.pop()
        elif mark == "/*":
            end = _after_block_comment(text, position)
            if end is None:
                open_comment = _line(text, at)
            position = len(text) if end is None else end
        elif mark == "ATOMIC" and _BEGIN.search(text, start, at):
            unclosed.append(position)
        elif mark == "END" and unclosed and (body := unclosed[-1]) is not None:
            unclosed[-1:] = [] if _skip_blank(text, body, at, _SPACE) == at else [body]
        if mark.startswith("\\") and meta_command is None:
            before = text[text.rfind("\n", 0, at) + 1 : at]
            if mark[1:].isalpha() or not before.strip(_TRIMMED):
                meta_command = _line(text, at)
    if start < len(text):
        pieces.append((start, len(text)))
    return Script(tuple(_statements(text, pieces)), meta_command, open_comment)


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1


def _statements(text: str, pieces: t.Iterable[tuple[int, int]]) -> t.Iterator[Statement]:
    """Without semicolons and the space around them, and without those that are nothing else."""
    line, counted = 1, 0
    for start, end in pieces:
        piece = text[start:end].rstrip(";").rstrip(_TRIMMED)
        bare = piece.lstrip(_TRIMMED)
        begins = start + len(piece) - len(bare)
        line += text.count("\n", counted, begins)
        counted = begins
        if bare:
            yield Statement(bare, line)


def _skip_blank(text: str, position: int, end: int, space: str) -> int:
    """Where the space and comments that begin at `position` end; `end` when nothing else comes."""
    while position < end:
        if text[position] in space:
            position += 1
        elif text.startswith("--", position, end):
            newline = _NEWLINE.search(text, position + 2, end)
            position = newline.end() if newline else end
        elif text.startswith("/*", position, end):
            after = _after_block_comment(text, position + 2, end)
            position = end if after is None else after
        else:
            break
    return position


def _after_block_comment(text: str, position: int, end: int | None = None) -> int | None:
    """Past the comment whose opening ends at `position`; comments nest. None when it doesn't end before `end`."""
    depth, end = 1, len(text) if end is None else end
    while depth and (match := _DELIMITER.search(text, position, end)):
        depth += 1 if match[0] == "/*" else -1
        position = match.end()
    return position if not depth else None
