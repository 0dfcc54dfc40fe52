# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the imports in a module's text: those that the program makes, and those that the Supabase CLI takes for imports.

The CLI looks for imports by a pattern, comments and all. What the program imports is a matter of its tokens: without
them a missing file could be told from one that somebody merely wrote about."""

from __future__ import annotations

import functools
import json
import posixpath
import re
import typing as t
from dataclasses import dataclass, field

from .._errors import InputError

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


@dataclass(frozen=True)
class ImportMap:
    """Targets are URLs, absolute paths, or paths from the checkout's root that begin with ./ or ../."""

    imports: t.Mapping[str, str] = field(default_factory=dict)
    scopes: t.Mapping[str, t.Mapping[str, str]] = field(default_factory=dict)
    elsewhere: str = ""
    """The file with the map in place of this one, as deno.json may name it."""

    @classmethod
    def load(cls, path: str, content: bytes) -> ImportMap:
        try:
            parsed = load(content)
        except ValueError as exc:
            raise InputError(f"The import map {path} is not JSON: {exc}.") from exc
        try:
            imports = _targets(parsed.get("imports"), path)
            scopes = {
                _located(scope, path): _targets(names, path)
                for scope, names in (parsed.get("scopes") or {}).items()
            }
            reference = parsed.get("importMap")
        except (AttributeError, TypeError) as exc:
            raise InputError(
                f"The import map {path} has something other than names and targets in 'imports' "
                "or 'scopes'."
            ) from exc
        # Deno looks elsewhere only from its own configuration, and only where that maps nothing itself.
        refers = (
            isinstance(reference, str)
            and posixpath.basename(path).lower() in ("deno.json", "deno.jsonc")
            and not imports
            and not scopes
        )
        return cls(imports, scopes, _beside(path, t.cast("str", reference)) if refers else "")

    @property
    def files(self) -> tuple[tuple[str, str], ...]:
        """Name and target of everything that may be a file or folder of the checkout."""
        tables = (self.imports, *self.scopes.values())
        return tuple(
            (name, target)
            for table in tables
            for name, target in table.items()
            if not is_url(target)
        )

    def resolve(self, specifier: str, importer: str) -> tuple[str, bool]:
        """The specifier after substitution, and whether there was one. `importer` is a path from the root."""
        place = f"./{importer}"
        fitting = [
            scope
            for scope in self.scopes
            if scope == place or (scope.endswith("/") and place.startswith(scope))
        ]
        tables = [self.scopes[max(fitting, key=len)]] if fitting else []
        for table in (*tables, self.imports):
            mapped = _substitute(specifier, table)
            if mapped is not None:
                return mapped, True
        return specifier, False


def is_url(target: str) -> bool:
    return bool(_URL.match(target))


def _targets(table: t.Any, path: str) -> dict[str, str]:
    return {name: _located(target, path) for name, target in (table or {}).items()}


def _located(target: str, path: str) -> str:
    if target.startswith("/") or is_url(target):
        return target
    folder = "/" if target.endswith("/") else ""
    located = _beside(path, target)
    return f"{located if located.startswith('../') else f'./{located}'}{folder}"


def _beside(path: str, target: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), target))


def _substitute(specifier: str, table: t.Mapping[str, str]) -> str | None:
    fitting = [
        name
        for name, target in table.items()
        if name == specifier or (name.endswith("/") and target.endswith("/"))
    ]
    longest = max((name for name in fitting if specifier.startswith(name)), key=len, default=None)
    return None if longest is None else table[longest] + specifier[len(longest) :]


_PIECE = re.compile(r"""(?P<string>"(?:[^"\\]|\\.)*")|(?P<comment>//[^\n]*|/\*.*?\*/)""", re.DOTALL)
_LAST_COMMA = re.compile(r"""(?P<string>"(?:[^"\\]|\\.)*")|,(?=\s*[\]}])""", re.DOTALL)


def load(content: bytes) -> t.Any:
    """Raises ValueError with line and column, which are those of the file."""
    text = content.decode("utf-8-sig")
    text = _PIECE.sub(lambda match: match["string"] or re.sub(r"[^\n]", " ", match[0]), text)
    return json.loads(_LAST_COMMA.sub(lambda match: match["string"] or " ", text))


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


def find_imports(path: str, content: bytes) -> Imports:
    if posixpath.splitext(path)[1].lower() not in SCRIPTS:
        return Imports((), _lookalikes(content.decode(errors="replace")))
    return _find_in_script(content)


@functools.lru_cache(maxsize=4096)
def _find_in_script(content: bytes) -> Imports:
    """Cached, for functions share most of their modules."""
    text = content.decode(errors="replace")
    code, program = _blanked(text)
    made = []
    for match in _STATEMENT.finditer(program):
        start, stop = match.span("text")
        specifier = code[start + 1 : stop - 1]
        # The value of a string with escapes is none that anybody writes.
        if "\\" not in specifier and specifier.strip():
            made.append(Import(specifier.strip(), text.count("\n", 0, match.start()) + 1))
    return Imports(tuple(made), _lookalikes(code))


def _lookalikes(text: str) -> tuple[str, ...]:
    specifiers = (
        match["behind"] or match["double"] or match["single"] for match in _LOOKALIKE.finditer(text)
    )
    return tuple(specifier.strip() for specifier in specifiers if specifier)


def _blanked(text: str) -> tuple[str, str]:
    """The text without its comments, and also without what strings hold; what else holds no code ends an import.

    Both are as long as the text. One that ends in a template was not understood: it is left as it is, and no program.
    """
    code: list[str] = []
    program: list[str] = []
    braces: list[bool] = []
    """For each open brace whether its end goes on with a template."""
    at, last = 0, ("mark", "")
    while at < len(text):
        match = t.cast("re.Match[str]", _TOKEN.match(text, at))
        kind, end = str(match.lastgroup), match.end()
        if match[0] == "/" and _regex_may_begin(*last) and (regex := _REGEX.match(text, at)):
            kind, end = "regex", regex.end()
        elif kind == "template" or (match[0] == "}" and braces and braces.pop()):
            template = _TEMPLATE.match(text, end)
            if template is None:
                return text, ""
            if template["end"] != "`":
                braces.append(True)
            whole = kind == "template" and template["end"] == "`"
            kind, end = "string" if whole else "hole", template.end()
        elif match[0] == "{":
            braces.append(False)
        piece = text[at:end]
        blank = re.sub(r"[^\n]", " ", piece)
        code.append(blank if kind == "comment" else piece)
        if kind == "string":
            program.append(f'"{blank[1:-1]}"')
        elif kind in ("regex", "hole") or piece == '"':
            program.append(f";{blank[1:]}")
        else:
            program.append(blank if kind == "comment" else piece)
        if kind not in ("space", "comment"):
            last = (kind, piece)
        at = end
    return "".join(code), "".join(program)


def _regex_may_begin(kind: str, text: str) -> bool:
    """Behind this token."""
    if kind == "name":
        return bool(_BEFORE_REGEX.fullmatch(text))
    return kind == "mark" and text not in (")", "]")


# import("x"), import "x", import … from "x" and export … from "x"; import { "any name" as x } holds strings, too.
_STATEMENT = re.compile(
    r"""(?x) (?<![\w$\#@.]) (?<!\.\s) (?=
        (?: import \s* (?: \( \s* )?
          | (?:im|ex)port (?![\w$\#@]) [\w$\#@{},*"\s]*? (?<![\w$\#@]) from \s*
        ) (?P<text>"[^"]*")
    )"""
)
