# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the files of a function: those that the Supabase CLI uploads, without files that only comments name."""

from __future__ import annotations

import posixpath
import re
import typing as t
from collections import deque
from dataclasses import dataclass, field

from .._errors import InputError
from .archive import FolderCheckout, FunctionConfig, read_config
from .models import FunctionSource
from .scan import ImportMap, find_imports

_WILD = re.compile(r"[*?[]")
_PIECE = re.compile(
    r"(?P<deep>\*\*)|(?P<many>\*)|(?P<one>\?)|\[(?P<set>[^\]]+)\]|(?P<plain>.)", re.DOTALL
)


def is_pattern(path: str) -> bool:
    return bool(_WILD.search(path))


def fixed_folder(pattern: str) -> str:
    """The longest folder in which everything lies that can match."""
    fixed = []
    for part in pattern.split("/"):
        if _WILD.search(part):
            break
        fixed.append(part)
    return "/".join(fixed) or "."


def expression(pattern: str) -> re.Pattern[str]:
    return re.compile("".join(_translated(piece) for piece in _PIECE.finditer(pattern)))


def _translated(piece: re.Match[str]) -> str:
    if piece["deep"]:
        return ".*"
    if piece["many"]:
        return "[^/]*"
    if piece["one"]:
        return "[^/]"
    if characters := piece["set"]:
        negated = characters.startswith("!")
        return f"[{'^' if negated else ''}{characters[negated:]}]".replace("\\", "\\\\")
    return re.escape(piece["plain"])


SLUG = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


@dataclass(frozen=True)
class FunctionSelection:
    """The selected functions of a checkout, and the overrides of its config.toml."""

    functions: str
    """The folder supabase/functions, relative to the checkout's root."""
    project_ref: str
    names: tuple[str, ...] | None = None
    """None for all that the checkout holds."""
    verify_jwt: bool | None = None
    verify_jwt_by_name: t.Mapping[str, bool] = field(default_factory=dict)
    import_map: str = ""


@dataclass(frozen=True)
class Collected:
    sources: tuple[FunctionSource, ...]
    disabled: tuple[str, ...]
    """Functions that config.toml switches off: they are not deployed."""


def collect_functions(checkout: FolderCheckout, selection: FunctionSelection) -> Collected:
    """Collect all functions. Raises one InputError with all problems of all of them."""
    path = f"{posixpath.dirname(selection.functions)}/config.toml"
    config = read_config(path, checkout.read(path), selection.project_ref)
    names = (
        selection.names
        if selection.names is not None
        else _listed_functions(checkout, selection, config)
    )
    refused = [_refusal(name) for name in dict.fromkeys(names) if not SLUG.fullmatch(name)]
    if refused:
        raise InputError(" ".join(refused))
    unknown = sorted({*selection.verify_jwt_by_name} - {*names})
    if unknown:
        raise InputError(
            f"'verify_jwt_by_name' names {', '.join(unknown)}, which is not deployed here: correct the name."
        )
    disabled = tuple(name for name in names if not config.get(name, FunctionConfig()).enabled)
    sources, problems = [], []
    for name in dict.fromkeys(names):
        if name in disabled:
            continue
        try:
            sources.append(_collect(checkout, selection, name, config.get(name, FunctionConfig())))
        except InputError as exc:
            problems.append(str(exc))
    if problems:
        raise InputError(" ".join(problems))
    return Collected(tuple(sources), disabled)


def _listed_functions(
    checkout: FolderCheckout, selection: FunctionSelection, config: t.Mapping[str, FunctionConfig]
) -> tuple[str, ...]:
    folder = selection.functions
    there = [
        name
        for name in checkout.folders(folder)
        if checkout.read(f"{folder}/{name}/index.ts") is not None
    ]
    return tuple(dict.fromkeys([*there, *sorted(config)]))


def _refusal(slug: str) -> str:
    letter = re.search(r"[A-Za-z].*", slug)
    instead = re.sub(r"[^A-Za-z0-9_-]", "-", letter[0]) if letter else "a name with a letter first"
    return (
        f"{slug!r} cannot be the name of an edge function: Supabase requires a letter, then letters, digits, _ or -. "
        f"Call it {instead}, or serve {slug!r} as a path below another function."
    )


def _collect(
    checkout: FolderCheckout, selection: FunctionSelection, slug: str, config: FunctionConfig
) -> FunctionSource:
    entrypoint = config.entrypoint or f"{selection.functions}/{slug}/index.ts"
    walk = _Walk(checkout, slug)
    import_map = _import_map(checkout, selection, slug, config, entrypoint)
    if import_map:
        walk.add_import_map(import_map)
    for pattern in config.static_files:
        walk.add_static(pattern)
    walk.add_module(entrypoint, wanted_by="it is the function's entrypoint")
    walk.add_targets()
    if walk.problems:
        raise InputError(" ".join(dict.fromkeys(walk.problems)))
    policy = selection.verify_jwt_by_name.get(slug, selection.verify_jwt)
    return FunctionSource(
        slug=slug,
        entrypoint=entrypoint,
        import_map=import_map,
        static_patterns=config.static_files,
        verify_jwt=config.verify_jwt if policy is None else policy,
        files=walk.files,
    )


def _import_map(
    checkout: FolderCheckout,
    selection: FunctionSelection,
    slug: str,
    config: FunctionConfig,
    entrypoint: str,
) -> str:
    """Its path, empty without one: of the task, of config.toml, beside the entrypoint, or for all functions."""
    for given, by in ((selection.import_map, "'import_map'"), (config.import_map, "config.toml")):
        if given:
            if checkout.read(given) is None:
                raise InputError(f"{by} names {given} as import map of {slug!r}: there is none.")
            return given
    beside = posixpath.dirname(entrypoint)
    for name in ("deno.json", "deno.jsonc"):
        if checkout.read(f"{beside}/{name}") is not None:
            return f"{beside}/{name}"
    shared = f"{selection.functions}/import_map.json"
    old = f"{beside}/import_map.json"
    if old != shared and checkout.read(old) is not None:
        raise InputError(
            f"{old} is no longer read: call it deno.json, or name it as import_map of {slug!r} "
            "in config.toml."
        )
    return shared if checkout.read(shared) is not None else ""


class _Walk:
    """Follows imports from file to file, the import map first. Collects all problems."""

    def __init__(self, checkout: FolderCheckout, slug: str) -> None:
        self.files: dict[str, bytes] = {}
        self.problems: list[str] = []
        self._checkout = checkout
        self._slug = slug
        self._map = ImportMap()
        self._map_path = ""
        self._walked: set[str] = set()

    def add_import_map(self, path: str) -> None:
        chain: list[str] = []
        while path:
            if path in chain:
                raise InputError(f"The import map {path} of {self._slug!r} refers to itself.")
            content = self._add(path, "it is the function's import map")
            if content is None:
                return
            chain.append(path)
            self._map, self._map_path = ImportMap.load(path, content), path
            path = self._map.elsewhere

    def add_targets(self) -> None:
        """What the import map names goes with the function, used or not: a file with its imports, a folder whole."""
        for name, target in self._map.files:
            path = posixpath.normpath(target)
            wanted_by = f"{self._map_path} maps {name!r} to it"
            if self._outside(target):
                self._complain_outside(target, wanted_by)
            elif self._checkout.is_folder(path):
                for file in self._checkout.walk(path):
                    self._add(file, wanted_by)
            else:
                self.add_module(path, wanted_by=wanted_by)

    def add_static(self, pattern: str) -> None:
        wanted_by = "config.toml names it in static_files"
        if not is_pattern(pattern):
            self._add(pattern, wanted_by)
            return
        matches = expression(pattern).fullmatch
        paths = [path for path in self._checkout.walk(fixed_folder(pattern)) if matches(path)]
        if not paths:
            self.problems.append(
                f"No file matches {pattern}, which config.toml names in static_files of {self._slug!r}."
            )
        for path in paths:
            self._add(path, wanted_by)

    def add_module(self, path: str, *, wanted_by: str) -> None:
        pending = deque([(path, wanted_by, True)])
        while pending:
            path, wanted_by, needed = pending.popleft()
            if path in self._walked or (not needed and self._checkout.read(path) is None):
                continue
            self._walked.add(path)
            content = self._add(path, wanted_by)
            if content is not None:
                pending += self._imports(path, content)

    def _imports(self, path: str, content: bytes) -> t.Iterator[tuple[str, str, bool]]:
        imports = find_imports(path, content)
        for specifier in imports.lookalikes:
            target = self._resolve(specifier, path)
            if target and not self._outside(target):
                yield posixpath.normpath(target), path, False
        for each in imports.made:
            target = self._resolve(each.specifier, path)
            wanted_by = f"{path} line {each.line} imports it"
            if target and self._outside(target):
                self._complain_outside(target, wanted_by)
            elif target:
                yield posixpath.normpath(target), wanted_by, True

    def _resolve(self, specifier: str, importer: str) -> str:
        """The path that a specifier names, empty for what is not a file of the checkout (npm:, jsr:, https:)."""
        target, mapped = self._map.resolve(specifier, importer)
        if not target.startswith(("./", "../", "/")) or "." not in posixpath.basename(target):
            return ""
        if mapped or target.startswith("/"):
            return target
        return posixpath.normpath(f"{posixpath.dirname(importer)}/{target}")

    @staticmethod
    def _outside(target: str) -> bool:
        return posixpath.normpath(target).startswith(("/", "../"))

    def _complain_outside(self, target: str, wanted_by: str) -> None:
        self.problems.append(
            f"Function {self._slug!r} needs {target} from outside the checkout ({wanted_by}): "
            "move it inside."
        )

    def _add(self, path: str, wanted_by: str) -> bytes | None:
        content = None if self._outside(path) else self._checkout.read(path)
        if content is None:
            self.problems.append(
                f"Function {self._slug!r} needs {path} ({wanted_by}): it is missing in the "
                "checkout."
            )
            return None
        self.files[path] = content
        return content
