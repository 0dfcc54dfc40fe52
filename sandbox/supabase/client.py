# SPDX-License-Identifier: GPL-3.0-or-later
"""The few calls by which the sandbox itself sets up the project, over the API that everybody uses.

The supervisor imports this, and it must stay light. Which files make up a function
follows the Supabase CLI's rule: imports are followed by text, a folder named in the import map goes whole.
"""

from __future__ import annotations

import json
import os.path
import re
import typing as t
import urllib.request
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


TIMEOUT_SECONDS = 20.0


@dataclass(frozen=True)
class ManagementClient:
    """Raises urllib.error.HTTPError when the API does not answer 2xx."""

    url: str
    project_ref: str
    access_token: str

    def functions(self) -> list[dict[str, t.Any]]:
        return t.cast("list[dict[str, t.Any]]", self.call("GET", "/functions"))

    def set_secrets(self, values: t.Mapping[str, str]) -> None:
        self.call("POST", "/secrets", [{"name": n, "value": v} for n, v in values.items()])

    def bundle(self, source: Source, *, verify_jwt: bool) -> dict[str, t.Any]:
        """Send and bundle without activating; gives the record that `activate` wants."""
        body, content_type = encode(source, verify_jwt=verify_jwt)
        path = f"/functions/deploy?slug={source.slug}&bundleOnly=true"
        return t.cast("dict[str, t.Any]", self._send("POST", path, body, content_type))

    def activate(self, records: t.Sequence[dict[str, t.Any]]) -> None:
        self.call("PUT", "/functions", list(records))

    def call(self, method: str, path: str, body: object = None) -> t.Any:
        encoded = None if body is None else json.dumps(body).encode()
        return self._send(method, path, encoded, "application/json")

    def _send(self, method: str, path: str, body: bytes | None, content_type: str) -> t.Any:
        request = urllib.request.Request(  # noqa: S310
            f"{self.url}/v1/projects/{self.project_ref}{path}",
            data=body,
            method=method,
            headers={
                "Authorization": f"Bearer {self.access_token}",
                "Content-Type": content_type,
            },
        )
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:  # noqa: S310
            return json.load(response)


def encode(source: Source, *, verify_jwt: bool) -> tuple[bytes, str]:
    from urllib3.filepost import encode_multipart_formdata  # noqa: PLC0415 - the supervisor imports this file

    metadata = {
        "name": source.slug,
        "entrypoint_path": source.entrypoint_path,
        "import_map_path": source.import_map_path,
        "static_patterns": [],
        "verify_jwt": verify_jwt,
    }
    files = [("file", (path, content)) for path, content in source.files.items()]
    return encode_multipart_formdata([*files, ("metadata", json.dumps(metadata))])
