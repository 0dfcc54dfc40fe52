# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files of a checkout make up a function: its entrypoint, import map and all they import.

The Supabase CLI's rule: imports are followed by text, a folder named in the import map goes whole.
"""

from __future__ import annotations

import json
import os.path
import re
import typing as t
from dataclasses import dataclass
from pathlib import Path

IMPORT = re.compile(r"""(?:\bfrom|\bimport)\s*\(?\s*["']([^"']+)["']""")


@dataclass(frozen=True)
class Source:
    """One function ready to be sent: paths relative to the checkout."""

    slug: str
    entrypoint_path: str
    import_map_path: str
    files: t.Mapping[str, bytes]


def read_functions(checkout: Path) -> tuple[Source, ...]:
    """Every folder of supabase/functions that has an index.ts."""
    entrypoints = sorted((checkout / "supabase" / "functions").glob("*/index.ts"))
    return tuple(read_function(checkout, entrypoint) for entrypoint in entrypoints)


def read_function(checkout: Path, entrypoint: Path) -> Source:
    import_map = entrypoint.with_name("deno.json")
    imports = _imports(import_map)
    waiting = [entrypoint]
    for target in imports.values():
        folder = import_map.parent / target
        waiting += [path for path in folder.rglob("*") if path.is_file()]
    files: dict[str, bytes] = {}
    if imports:
        files[_relative(import_map, checkout)] = import_map.read_bytes()
    while waiting:
        path = waiting.pop()
        if (name := _relative(path, checkout)) in files:
            continue
        files[name] = path.read_bytes()
        specifiers = IMPORT.findall(files[name].decode())
        waiting += [path.parent / specifier for specifier in specifiers if specifier[0] == "."]
    return Source(
        slug=entrypoint.parent.name,
        entrypoint_path=_relative(entrypoint, checkout),
        import_map_path=_relative(import_map, checkout) if imports else "",
        files=files,
    )


def _imports(import_map: Path) -> dict[str, str]:
    if not import_map.exists():
        return {}
    content = json.loads(import_map.read_text(encoding="utf-8"))
    return t.cast("dict[str, str]", content.get("imports", {}))


def _relative(path: Path, checkout: Path) -> str:
    return Path(os.path.normpath(path)).relative_to(checkout).as_posix()
