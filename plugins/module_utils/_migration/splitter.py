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

_INTERESTING = re.compile(r"""(?ai)\$|'|"|--|/\*|\\|;|\(|\)|atomic|end""")
_NEWLINE = re.compile(r"[\n\r]")
_DELIMITER = re.compile(r"/\*|\*/")
_TAG = re.compile(r"\$[A-Za-z0-9_\u0080-\U0010ffff]*")
_ESCAPE_STRING_PART = re.compile(r"\\.|''|'", re.DOTALL)


@dataclass(frozen=True)
class Statement:
    text: str
    line: int
    """The line of the script its text begins on, comments before it included; the first is 1."""


@dataclass(frozen=True)
class Script:
    statements: tuple[Statement, ...]
    meta_command: int | None
    """The line of the first psql meta-command (a backslash that begins a line, outside of everything)."""
    open_comment: int | None = None
    """The line of the block comment that never ends."""


def script_problems(script: Script, file: str) -> t.Iterator[str]:
    """A sentence for each thing that no server would run, whatever sends it."""
    if script.open_comment:
        yield (
            f"{file} has a comment that begins in line {script.open_comment} and never ends: "
            "close it with */."
        )
    if script.meta_command:
        yield (
            f"{file} has a psql meta-command in line {script.meta_command}: "
            "write it in SQL: the server has no meta-commands."
        )


def split_script(text: str) -> Script:
    return _Splitter(text).split()


def without_leading_comments(sql: str) -> str:
    """The statement itself, empty when there is nothing but comments."""
    return sql[comments_end(sql) :].strip(_TRIMMED)


def comments_end(sql: str) -> int:
    """Where the comments and space end that it begins with."""
    return _skip_blank(sql, 0, len(sql), _SPACE + "\ufeff")


def failing_line(statement: Statement, position: int | None) -> int:
    """The line of the script: where PostgreSQL points, counted from 1, or else where the statement itself begins."""
    offset = comments_end(statement.text) if position is None else position - 1
    return statement.line + statement.text.count("\n", 0, offset)


@dataclass
class _Body:
    """An open BEGIN ATOMIC; END closes it where `start` and END have nothing but comments between them."""

    start: int


_PARENTHESIS = "("
_Open: t.TypeAlias = "_Body | str"


class _Splitter:
    """Jumps from one character that matters to the next. One object for one script."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._start = 0
        self._open: list[_Open] = []
        self._pieces: list[tuple[int, int]] = []
        self._meta_command: int | None = None
        self._open_comment: int | None = None

    def split(self) -> Script:
        position = 0
        while match := _INTERESTING.search(self._text, position):
            position = self._pass(match[0], match.start(), match.end())
        if self._start < len(self._text):
            self._pieces.append((self._start, len(self._text)))
        return Script(tuple(self._statements()), self._meta_command, self._open_comment)

    def _pass(self, mark: str, at: int, after: int) -> int:
        """Where to go on after the mark at `at`."""
        if mark == "'":
            escapes = self._is_word("E", at)
            return self._after_escape_string(after) if escapes else self._after_quote(mark, after)
        if mark == '"':
            return self._after_quote(mark, after)
        if mark == "$":
            return self._after_dollar(at)
        if mark == "--":
            newline = _NEWLINE.search(self._text, after)
            return newline.end() if newline else len(self._text)
        if mark == "/*":
            end = _after_block_comment(self._text, after)
            if end is None:
                self._open_comment = self._line(at)
            return len(self._text) if end is None else end
        if mark == "\\":
            return self._after_backslash(at)
        return self._structure(mark, at, after)

    def _structure(self, mark: str, at: int, after: int) -> int:
        if mark == ";":
            self._end_statement(after)
        elif mark == "(":
            self._open.append(_PARENTHESIS)
        elif mark == ")":
            self._close_parentheses()
        elif mark.upper() == "ATOMIC" and self._begins_body(at):
            self._open.append(_Body(start=after))
        elif mark.upper() == "END" and self._ends_body(at, after):
            self._open.pop()
        return after

    def _end_statement(self, after: int) -> None:
        if not self._open:
            self._pieces.append((self._start, after))
            self._start = after
        elif isinstance(self._open[-1], _Body):
            self._open[-1].start = after

    def _close_parentheses(self) -> None:
        while self._open and self._open[-1] == _PARENTHESIS:
            self._open.pop()

    def _begins_body(self, at: int) -> bool:
        if not self._is_bounded(at):
            return False
        end = at
        while end > self._start and self._text[end - 1] in _SPACE:
            end -= 1
        return self._is_word("BEGIN", end)

    def _ends_body(self, at: int, after: int) -> bool:
        body = self._open[-1] if self._open else None
        if not isinstance(body, _Body) or not self._is_bounded(at):
            return False
        followed = after < len(self._text) and _in_identifier(self._text[after])
        return not followed and _skip_blank(self._text, body.start, at, _SPACE) == at

    def _after_quote(self, quote: str, position: int) -> int:
        while True:
            end = self._text.find(quote, position)
            if end == -1:
                return len(self._text)
            if not self._text.startswith(quote, end + 1):
                return end + 1
            position = end + 2

    def _after_escape_string(self, position: int) -> int:
        """E'...' with backslashes, and the strings that continue it on later lines."""
        while True:
            position = self._after_one_escape_string(position)
            position, continues = self._continuation(position)
            if not continues:
                return position

    def _after_one_escape_string(self, position: int) -> int:
        while match := _ESCAPE_STRING_PART.search(self._text, position):
            position = match.end()
            if match[0] == "'":
                return position
        return len(self._text)

    def _continuation(self, position: int) -> tuple[int, bool]:
        """Past space and line comments; true past a quote that stands on a later line."""
        newline = False
        while position < len(self._text):
            char = self._text[position]
            if self._text.startswith("--", position):
                end = _NEWLINE.search(self._text, position + 2)
                position, newline = (end.end(), True) if end else (len(self._text), newline)
            elif char in _SPACE:
                newline = newline or char in "\n\r"
                position += 1
            else:
                return (position + 1, True) if newline and char == "'" else (position, False)
        return position, False

    def _after_dollar(self, at: int) -> int:
        if at > self._start and _in_identifier(self._text[at - 1]):
            return at + 1
        tag = t.cast("re.Match[str]", _TAG.match(self._text, at))
        if not self._text.startswith("$", tag.end()):
            return tag.end()
        delimiter = tag[0] + "$"
        end = self._text.find(delimiter, at + 1)
        return end + len(delimiter) if end != -1 else len(self._text)

    def _after_backslash(self, at: int) -> int:
        line = self._text[self._text.rfind("\n", 0, at) + 1 : at]
        if self._meta_command is None and not line.strip(_TRIMMED):
            self._meta_command = self._line(at)
        if self._text.startswith(")", at + 1):
            self._close_parentheses()
        return at + 2

    def _is_word(self, word: str, end: int) -> bool:
        """Whether `word` stands before `end`, with no identifier running into it."""
        at = end - len(word)
        stands = at >= self._start and self._text[at:end].upper() == word
        return stands and self._is_bounded(at)

    def _is_bounded(self, at: int) -> bool:
        return at <= self._start or not _in_identifier(self._text[at - 1])

    def _line(self, at: int) -> int:
        return self._text.count("\n", 0, at) + 1

    def _statements(self) -> t.Iterator[Statement]:
        line, counted = 1, 0
        for start, end in self._pieces:
            begins, ends = self._bounds(start, end)
            if begins < ends:
                line += self._text.count("\n", counted, begins)
                counted = begins
                yield Statement(text=self._text[begins:ends], line=line)

    def _bounds(self, start: int, end: int) -> tuple[int, int]:
        """Of a piece without its semicolons and the space around it. A piece may be large, so it is not copied."""
        while end > start and self._text[end - 1] == ";":
            end -= 1
        while end > start and self._text[end - 1] in _TRIMMED:
            end -= 1
        while start < end and self._text[start] in _TRIMMED:
            start += 1
        return start, end


def _in_identifier(char: str) -> bool:
    return char >= "\u0080" or char.isalnum() or char in "_$"


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
