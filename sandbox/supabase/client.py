# SPDX-License-Identifier: GPL-3.0-or-later
"""The few calls by which the sandbox itself sets up the project, over the API that everybody uses.

Of the standard library alone: the supervisor imports this, and it must stay light.
"""

from __future__ import annotations

import json
import secrets
import typing as t
import urllib.request
from dataclasses import dataclass

if t.TYPE_CHECKING:
    from sandbox.supabase.sources import Source

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
    """The multipart body of a deployment and its content type."""
    boundary = secrets.token_hex(16)
    metadata = {
        "name": source.slug,
        "entrypoint_path": source.entrypoint_path,
        "import_map_path": source.import_map_path,
        "static_patterns": [],
        "verify_jwt": verify_jwt,
    }
    parts = [
        b'name="file"; filename="%s"\r\nContent-Type: application/octet-stream\r\n\r\n%s'
        % (path.encode(), content)
        for path, content in source.files.items()
    ]
    parts.append(b'name="metadata"\r\n\r\n' + json.dumps(metadata).encode())
    opening = f"--{boundary}\r\nContent-Disposition: form-data; ".encode()
    body = b"".join(opening + part + b"\r\n" for part in parts) + f"--{boundary}--\r\n".encode()
    return body, f"multipart/form-data; boundary={boundary}"
