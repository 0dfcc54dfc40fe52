# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the files of a function: those that the Supabase CLI uploads, without files that only comments name."""

from __future__ import annotations

import functools
import posixpath
import re
import tomllib
import typing as t
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from .._arguments import read_options
from .._errors import InputError
from .models import FunctionSource
from .scan import ImportMap, find_imports

_SETTINGS: dict[str, dict[str, t.Any]] = {
    "enabled": {"type": "bool", "default": True},
    "verify_jwt": {"type": "bool"},
    "entrypoint": {"type": "str", "default": ""},
    "import_map": {"type": "str", "default": ""},
    "static_files": {"type": "list", "elements": "str", "default": []},
}
"""Those of a function in config.toml that its upload depends on."""


def read_config(path: str, content: bytes | None, project_ref: str) -> dict[str, dict[str, t.Any]]:
    """What it says of each function. A remote of this project overrides the general settings."""
    if content is None:
        return {}
    try:
        parsed = tomllib.loads(content.decode("utf-8-sig"))
    except ValueError as exc:
        raise InputError(f"{path} is not TOML: {exc}.") from exc
    remotes = [
        remote
        for remote in _table(parsed, "remotes").values()
        if isinstance(remote, dict) and remote.get("project_id") == project_ref
    ]
    merged: dict[str, dict[str, t.Any]] = {}
    for source in (parsed, *remotes):
        for slug, settings in _table(source, "functions").items():
            # Beside the functions stand settings of all of them, which are no tables.
            if isinstance(settings, dict):
                merged.setdefault(slug, {}).update(settings)
    return merged


def _table(parsed: t.Mapping[str, t.Any], name: str) -> dict[str, t.Any]:
    section = parsed.get(name, {})
    return section if isinstance(section, dict) else {}


def _settings(path: str, slug: str, given: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """With defaults, and paths from the checkout's root."""
    values, wrong = read_options(_SETTINGS, {k: given[k] for k in _SETTINGS if k in given})
    if wrong:
        raise InputError(f"{path} is wrong about function {slug!r}: {' '.join(wrong)}")

    def located(entry: str) -> str:
        return posixpath.normpath(posixpath.join(posixpath.dirname(path), entry)) if entry else ""

    places = {name: located(values[name]) for name in ("entrypoint", "import_map")}
    return {**values, **places, "static_files": tuple(map(located, values["static_files"]))}


class FolderCheckout:
    """Reads a folder on disk; paths are posix and relative to `root`.

    A link may lead to any place of the repository that the folder belongs to, and not out of it: what is uploaded must
    not depend on the machine.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        root = root.resolve()
        repositories = (each for each in (root, *root.parents) if (each / ".git").exists())
        self._repository = next(repositories, root)
        # Each once, for functions share their modules.
        self.read = functools.cache(self._content)

    def files(self, pattern: str) -> list[str]:
        """Those that match it; `**` stands for folders of any depth. Raises ValueError for what is no pattern."""
        matches = self._root.glob(pattern)
        return sorted(path.relative_to(self._root).as_posix() for path in matches if path.is_file())

    def is_folder(self, path: str) -> bool:
        return (self._root / path).is_dir()

    def _content(self, path: str) -> bytes | None:
        place = self._root / path
        try:
            content = place.read_bytes()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return None
        except OSError as exc:
            raise InputError(
                f"{place} cannot be read ({exc.strerror}): allow this user to read it."
            ) from exc
        if not place.resolve().is_relative_to(self._repository):
            raise InputError(
                f"{place} is a link out of {self._repository}: keep the file in the repository."
            )
        return content


SLUG = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


@dataclass(frozen=True)
class Collected:
    sources: tuple[FunctionSource, ...]
    disabled: tuple[str, ...]
    """Functions that config.toml switches off: they are not deployed."""


def collect_functions(
    checkout: FolderCheckout, functions: str, options: t.Mapping[str, t.Any]
) -> Collected:
    """Collect all functions of a folder. Raises one InputError with all problems of all of them.

    `options` are the module's, which override config.toml; paths are relative to the checkout's root.
    """
    path = f"{posixpath.dirname(functions)}/config.toml"
    config = read_config(path, checkout.read(path), options["project_ref"])
    names = options["names"]
    if names is None:
        entries = checkout.files(f"{functions}/*/index.ts")
        names = [*(entry.split("/")[-2] for entry in entries), *sorted(config)]
    names = list(dict.fromkeys(names))
    refused = [_refusal(name) for name in names if not SLUG.fullmatch(name)]
    if refused:
        raise InputError(" ".join(refused))
    unknown = sorted({*options["verify_jwt_by_name"]} - {*names})
    if unknown:
        raise InputError(
            f"'verify_jwt_by_name' names {', '.join(unknown)}, which is not deployed here: correct the name."
        )
    sources, disabled, problems = [], [], []
    for name in names:
        try:
            settings = _settings(path, name, config.get(name, {}))
            if settings["enabled"]:
                sources.append(_Walk(checkout, functions, name, settings, options).source())
            else:
                disabled.append(name)
        except InputError as exc:
            problems.append(str(exc))
    if problems:
        raise InputError(" ".join(problems))
    return Collected(tuple(sources), tuple(disabled))


def _refusal(slug: str) -> str:
    letter = re.search(r"[A-Za-z].*", slug)
    instead = re.sub(r"[^A-Za-z0-9_-]", "-", letter[0]) if letter else "a name with a letter first"
    return (
        f"{slug!r} cannot be the name of an edge function: Supabase requires a letter, then letters, digits, _ or -. "
        f"Call it {instead}, or serve {slug!r} as a path below another function."
    )


@dataclass
class _Walk:
    """Follows imports from file to file, the import map first. Collects all problems."""

    checkout: FolderCheckout
    functions: str
    slug: str
    config: t.Mapping[str, t.Any]
    options: t.Mapping[str, t.Any]
    files: dict[str, bytes] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    mapping: ImportMap = field(default_factory=ImportMap)
    mapping_path: str = ""
    walked: set[str] = field(default_factory=set)

    def source(self) -> FunctionSource:
        entrypoint = self.config["entrypoint"] or f"{self.functions}/{self.slug}/index.ts"
        import_map = self._import_map(posixpath.dirname(entrypoint))
        if import_map:
            self.add_import_map(import_map)
        for pattern in self.config["static_files"]:
            self.add_static(pattern)
        self.add_module(entrypoint, wanted_by="it is the function's entrypoint")
        self.add_import_map_targets()
        if self.problems:
            raise InputError(" ".join(dict.fromkeys(self.problems)))
        policy = self.options["verify_jwt_by_name"].get(self.slug, self.options["verify_jwt"])
        return FunctionSource(
            slug=self.slug,
            entrypoint=entrypoint,
            import_map=import_map,
            static_patterns=self.config["static_files"],
            verify_jwt=self.config["verify_jwt"] if policy is None else policy,
            files=self.files,
        )

    def _import_map(self, beside: str) -> str:
        """Its path, empty without one: of config.toml, beside the entrypoint, or for all functions."""
        read, slug = self.checkout.read, self.slug
        given: str = self.config["import_map"]
        if given and read(given) is None:
            raise InputError(f"config.toml names {given} as import map of {slug!r}: there is none.")
        if given:
            return given
        for name in ("deno.json", "deno.jsonc"):
            if read(f"{beside}/{name}") is not None:
                return f"{beside}/{name}"
        shared, old = f"{self.functions}/import_map.json", f"{beside}/import_map.json"
        if old != shared and read(old) is not None:
            raise InputError(
                f"{old} is no longer read: call it deno.json, or name it as import_map of {slug!r} "
                "in config.toml."
            )
        return shared if read(shared) is not None else ""

    def add_import_map(self, path: str) -> None:
        chain: list[str] = []
        while path:
            if path in chain:
                raise InputError(f"The import map {path} of {self.slug!r} refers to itself.")
            content = self._add(path, "it is the function's import map")
            if content is None:
                return
            chain.append(path)
            self.mapping, self.mapping_path = ImportMap.load(path, content), path
            path = self.mapping.elsewhere

    def add_import_map_targets(self) -> None:
        """What the import map names goes with the function, used or not: a file with its imports, a folder whole."""
        for name, target in self.mapping.files:
            path = posixpath.normpath(target)
            wanted_by = f"{self.mapping_path} maps {name!r} to it"
            if self._outside(target):
                self._complain_outside(target, wanted_by)
            elif self.checkout.is_folder(path):
                for file in self.checkout.files(f"{path}/**/*"):
                    self._add(file, wanted_by)
            else:
                self.add_module(path, wanted_by=wanted_by)

    def add_static(self, pattern: str) -> None:
        wanted_by = "config.toml names it in static_files"
        if self._outside(pattern):
            self._complain_outside(pattern, wanted_by)
            return
        try:
            paths = self.checkout.files(f"{pattern}/*" if pattern.endswith("**") else pattern)
        except ValueError:
            paths = []
        if not paths:
            self.problems.append(
                f"No file matches {pattern}, which config.toml names in static_files of {self.slug!r}."
            )
        for path in paths:
            self._add(path, wanted_by)

    def add_module(self, path: str, *, wanted_by: str) -> None:
        pending = deque([(path, wanted_by, True)])
        while pending:
            path, wanted_by, needed = pending.popleft()
            if path in self.walked or (not needed and self.checkout.read(path) is None):
                continue
            self.walked.add(path)
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
        target, mapped = self.mapping.resolve(specifier, importer)
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
            f"Function {self.slug!r} needs {target} from outside the checkout ({wanted_by}): "
            "move it inside."
        )

    def _add(self, path: str, wanted_by: str) -> bytes | None:
        content = None if self._outside(path) else self.checkout.read(path)
        if content is None:
            self.problems.append(
                f"Function {self.slug!r} needs {path} ({wanted_by}): it is missing in the checkout."
            )
            return None
        self.files[path] = content
        return content
