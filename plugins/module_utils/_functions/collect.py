# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Find the files that belong to a function, as the Supabase CLI does when it deploys through the API."""

from __future__ import annotations

import fnmatch
import json
import posixpath
import re
import tomllib
import typing as t

from ansible_collections.easymo.deploy.plugins.module_utils._errors import InputError
from ansible_collections.easymo.deploy.plugins.module_utils._functions.models import Source

SLUG = re.compile(r"^[A-Za-z][A-Za-z0-9_-]*$")
IMPORT = re.compile(
    r"""(?:\bimport|\bexport)\s+(?:[^'"();]*?\sfrom\s*)?['"](?P<plain>[^'"\n]+)['"]
      | \bimport\s*\(\s*['"](?P<dynamic>[^'"\n]+)['"]""",
    re.VERBOSE,
)
COMMENT = re.compile(r"/\*.*?\*/|(?<![:'\"])//[^\n]*", re.DOTALL)


class Checkout(t.Protocol):
    """A read-only view of the application's checkout. Paths are posix and relative to its root."""

    def read(self, path: str) -> bytes | None:
        """None when there is no such file."""

    def walk(self, folder: str) -> list[str]:
        """Every file below `folder`."""


def collect_function(checkout: Checkout, functions: str, slug: str, *, verify_jwt: bool) -> Source:
    """Everything to upload for the function `slug` below the folder `functions`."""
    if not SLUG.match(slug):
        raise InputError(
            f"{slug!r} cannot be the name of an edge function: Supabase wants a letter, then letters, digits, _ or -."
        )
    settings = _settings(checkout, functions, slug)
    root = posixpath.dirname(functions)
    entrypoint = _from(root, settings.get("entrypoint"), f"{functions}/{slug}/index.ts")
    import_map = _import_map(checkout, functions, slug, _from(root, settings.get("import_map"), ""))
    patterns = tuple(_from(root, pattern, "") for pattern in settings.get("static_files", ()))
    walk = _Walk(checkout, slug)
    if import_map:
        walk.add_import_map(import_map)
    for pattern in patterns:
        walk.add_matching(pattern)
    walk.add_module(entrypoint, wanted_by="the function's entrypoint")
    return Source(slug, entrypoint, import_map, patterns, verify_jwt, walk.files)


def _settings(checkout: Checkout, functions: str, slug: str) -> dict[str, t.Any]:
    path = f"{posixpath.dirname(functions)}/config.toml"
    content = checkout.read(path)
    if content is None:
        return {}
    try:
        parsed = tomllib.loads(content.decode())
    except ValueError as exc:
        raise InputError(f"{path} is not TOML: {exc}.") from exc
    return t.cast("dict[str, t.Any]", parsed.get("functions", {}).get(slug, {}))


def _from(root: str, given: str | None, default: str) -> str:
    """Paths in config.toml are relative to the folder that holds it."""
    return posixpath.normpath(posixpath.join(root, given)) if given else default


def _import_map(checkout: Checkout, functions: str, slug: str, configured: str) -> str:
    candidates = (
        f"{functions}/{slug}/deno.json",
        f"{functions}/{slug}/deno.jsonc",
        f"{functions}/import_map.json",
    )
    for path in (configured,) if configured else candidates:
        if checkout.read(path) is not None:
            return path
    if configured:
        raise InputError(
            f"config.toml names {configured} as import map of {slug!r}: there is none."
        )
    return ""


class _Walk:
    """Follows imports from file to file, the import map first."""

    def __init__(self, checkout: Checkout, slug: str) -> None:
        self.files: dict[str, bytes] = {}
        self._checkout = checkout
        self._slug = slug
        self._mapped: dict[str, str] = {}
        self._mapped_from = ""

    def add_import_map(self, path: str) -> None:
        content = self._add(path, "the function's import map")
        try:
            parsed = json.loads(
                COMMENT.sub("", content.decode()) if path.endswith("c") else content
            )
        except ValueError as exc:
            raise InputError(
                f"The import map {path} of {self._slug!r} is not JSON: {exc}."
            ) from exc
        if "imports" not in parsed and parsed.get("importMap"):
            self.add_import_map(
                posixpath.normpath(f"{posixpath.dirname(path)}/{parsed['importMap']}")
            )
            return
        self._mapped = dict(parsed.get("imports", {}))
        self._mapped_from = path
        for target in self._mapped.values():
            if target.startswith(("./", "../")):
                self._add_target(posixpath.normpath(f"{posixpath.dirname(path)}/{target}"), path)

    def _add_target(self, target: str, wanted_by: str) -> None:
        below = self._checkout.walk(target)
        for path in below:
            self._add(path, wanted_by)
        if not below:
            self.add_module(target, wanted_by=wanted_by)

    def add_matching(self, pattern: str) -> None:
        for path in self._checkout.walk(posixpath.dirname(pattern.split("*", 1)[0])):
            if fnmatch.fnmatch(path, pattern):
                self._add(path, pattern)

    def add_module(self, path: str, *, wanted_by: str) -> None:
        pending = [(path, wanted_by, True)]
        seen: set[str] = set()
        while pending:
            path, wanted_by, needed = pending.pop()
            if path in seen:
                continue
            seen.add(path)
            if not needed and self._checkout.read(path) is None:
                continue
            text = self._add(path, wanted_by).decode(errors="replace")
            in_code = set(_specifiers(COMMENT.sub("", text)))
            pending += [
                (found, path, specifier in in_code)
                for specifier in _specifiers(text)
                if (found := self._resolve(specifier, path))
            ]

    def _resolve(self, specifier: str, importer: str) -> str:
        """The file a specifier names, empty for what is not a file of the checkout (npm:, jsr:, https:)."""
        base = importer
        mapped = _substitute(specifier, self._mapped)
        if mapped != specifier:
            specifier, base = mapped, self._mapped_from
        if not specifier.startswith(("./", "../")) or "." not in posixpath.basename(specifier):
            return ""
        return posixpath.normpath(f"{posixpath.dirname(base)}/{specifier}")

    def _add(self, path: str, wanted_by: str) -> bytes:
        if path.startswith("../"):
            raise InputError(
                f"Function {self._slug!r} imports {path} from outside the checkout (wanted by {wanted_by}): "
                "move the file into the checkout."
            )
        content = self._checkout.read(path)
        if content is None:
            raise InputError(
                f"Function {self._slug!r} needs {path}, wanted by {wanted_by}: there is no such file in the checkout."
            )
        self.files[path] = content
        return content


def _specifiers(text: str) -> list[str]:
    return [found["plain"] or found["dynamic"] for found in IMPORT.finditer(text)]


def _substitute(specifier: str, mapped: t.Mapping[str, str]) -> str:
    if specifier in mapped:
        return mapped[specifier]
    prefixes = [name for name in mapped if name.endswith("/") and specifier.startswith(name)]
    if not prefixes:
        return specifier
    longest = max(prefixes, key=len)
    return mapped[longest] + specifier.removeprefix(longest)
