# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""What a specifier means under an import map: scopes first, then the longest name that fits, as Deno has it."""

from __future__ import annotations

import posixpath
import re
import typing as t
from dataclasses import dataclass, field

from .._errors import InputError
from . import jsonc

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


@dataclass(frozen=True)
class ImportMap:
    """Targets are URLs, absolute paths, or paths from the checkout's root that begin with ./ or ../."""

    imports: t.Mapping[str, str] = field(default_factory=dict)
    scopes: t.Mapping[str, t.Mapping[str, str]] = field(default_factory=dict)
    elsewhere: str = ""
    """The file that holds the map in this one's place, as deno.json may say."""

    @classmethod
    def load(cls, path: str, content: bytes) -> ImportMap:
        try:
            parsed = jsonc.load(content)
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
            found = _substitute(specifier, table)
            if found is not None:
                return found, True
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
        if name
        and (
            (target.endswith("/") and specifier.startswith(name))
            if name.endswith("/")
            else specifier == name
        )
    ]
    if not fitting:
        return None
    longest = max(fitting, key=len)
    return table[longest] + specifier[len(longest) :]
