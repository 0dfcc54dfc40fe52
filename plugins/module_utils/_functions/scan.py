# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Find the imports in a module's text: those that the program makes, and those that the Supabase CLI takes for imports.

The CLI looks for imports by a pattern, comments and all. What the program imports is a matter of its tokens: without
them a missing file could be told from one that somebody merely wrote about.
"""

from __future__ import annotations

import functools
import posixpath
import re
import typing as t
from dataclasses import dataclass

SCRIPTS = frozenset({".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs"})

_TOKEN = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<comment>//[^\n]*|/\*.*?\*/)
  | (?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
  | (?P<name>[\w$\#@]+)
  | (?P<template>`)
  | (?P<mark>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_TEMPLATE = re.compile(r"(?:[^`\\$]|\\.|\$(?!\{))*(?P<end>`|\$\{)", re.DOTALL)
_REGEX = re.compile(r"/(?:[^/\\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/\w*")
# After these a slash begins a regular expression; after any other name or value it divides.
_BEFORE_REGEX = re.compile(
    r"return|typeof|case|in|of|delete|void|throw|new|else|do|instanceof|yield|await|default"
)
_LOOKALIKE = re.compile(
    r"""
    (?:im|ex)port\s+(?:type\s+)?(?:\{[^{}]+\}|[^\n\r]*?)(?:\s*from)?\s*['"](?P<behind>[^'"\n\r]*)['"]
  | import\(\s*(?:"(?P<double>[^"\n\r]*)"|'(?P<single>[^'\n\r]*)')\s*[,)]
    """,
    re.VERBOSE | re.IGNORECASE,
)


@dataclass(frozen=True)
class Import:
    specifier: str
    line: int


@dataclass(frozen=True)
class Imports:
    """`made` are imports of the program; `lookalikes` are specifiers that the CLI follows outside of comments."""

    made: tuple[Import, ...]
    lookalikes: tuple[str, ...]


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    at: int


def find_imports(path: str, content: bytes) -> Imports:
    if posixpath.splitext(path)[1].lower() not in SCRIPTS:
        return Imports((), _lookalikes(content.decode(errors="replace")))
    return _find_in_script(content)


@functools.lru_cache(maxsize=4096)
def _find_in_script(content: bytes) -> Imports:
    """Cached, for functions share most of their modules."""
    text = content.decode(errors="replace")
    tokens, code = _tokens(text)
    if code is None:
        return Imports((), _lookalikes(text))
    made = tuple(Import(specifier, text.count("\n", 0, at) + 1) for specifier, at in _made(tokens))
    return Imports(made, _lookalikes(code))


def _lookalikes(text: str) -> tuple[str, ...]:
    found = (
        match["behind"] or match["double"] or match["single"] for match in _LOOKALIKE.finditer(text)
    )
    return tuple(specifier.strip() for specifier in found if specifier)


def _tokens(text: str) -> tuple[list[_Token], str | None]:
    """Tokens without spaces and comments, and the text with its comments blanked; None when it ends in a template."""
    tokens: list[_Token] = []
    code: list[str] = []
    braces: list[bool] = []
    """For each open brace whether its end goes on with a template."""
    at = 0
    while at < len(text):
        kind, end = _next(text, at, tokens)
        piece = text[at:end]
        if kind == "comment":
            code.append(re.sub(r"[^\n]", " ", piece))
            at = end
            continue
        if kind == "template" or (kind == "mark" and piece == "}" and braces and braces.pop()):
            match = _TEMPLATE.match(text, end)
            if match is None:
                return tokens, None
            whole = kind == "template" and match["end"] == "`"
            if match["end"] != "`":
                braces.append(True)
            end = match.end()
            kind = "string" if whole else "template"
        elif kind == "mark" and piece == "{":
            braces.append(False)
        code.append(text[at:end])
        if kind != "space":
            tokens.append(_Token(kind, text[at:end], at))
        at = end
    return tokens, "".join(code)


def _next(text: str, at: int, before: t.Sequence[_Token]) -> tuple[str, int]:
    match = _TOKEN.match(text, at)
    kind = (match.lastgroup if match else None) or "mark"
    end = match.end() if match else at + 1
    if kind == "mark" and text[at] == "/" and _regex_may_begin(before):
        expression = _REGEX.match(text, at)
        if expression:
            return "regex", expression.end()
    return kind, end


def _regex_may_begin(before: t.Sequence[_Token]) -> bool:
    if not before:
        return True
    last = before[-1]
    if last.kind == "name":
        return bool(_BEFORE_REGEX.fullmatch(last.text))
    return last.kind == "mark" and last.text not in (")", "]")


def _made(tokens: t.Sequence[_Token]) -> t.Iterator[tuple[str, int]]:
    for number, token in enumerate(tokens):
        if token.kind != "name" or token.text not in ("import", "export"):
            continue
        if number and tokens[number - 1].text == ".":
            continue
        following = tokens[number + 1 : number + 3]
        if token.text == "import" and following and following[0].text == "(":
            if len(following) == 2 and (specifier := _literal(following[1])):
                yield specifier, token.at
            continue
        if specifier := _behind_from(tokens, number):
            yield specifier, token.at


def _behind_from(tokens: t.Sequence[_Token], number: int) -> str:
    """Of `import "x"`, `import … from "x"` and `export … from "x"`; empty for every other statement."""
    statement = tokens[number].text
    for place in range(number + 1, len(tokens)):
        token, before = tokens[place], tokens[place - 1]
        if token.kind == "string" and (
            before.text == "from" or (statement == "import" and place == number + 1)
        ):
            return _literal(token)
        # import { "any name" as x } holds strings, too.
        if token.kind not in ("name", "string") and token.text not in ("{", "}", ",", "*"):
            return ""
    return ""


def _literal(token: _Token) -> str:
    """What a string says whose specifier needs no escapes; empty for anything else."""
    if token.kind != "string" or "\\" in token.text:
        return ""
    return token.text[1:-1].strip()
