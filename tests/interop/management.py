# SPDX-License-Identifier: GPL-3.0-or-later
"""A Management API on loopback that keeps what was uploaded to it, for the Supabase CLI and for us to deploy to.

Alone it answers as an empty project would. Before the sandbox's it hands each call on, and only listens.
"""

from __future__ import annotations

import email.parser
import email.policy
import http.server
import json
import threading
import typing as t
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import requests

REF = "abcdefghijklmnopqrst"
TOKEN = f"sbp_{'a1' * 20}"
HOP = frozenset({"connection", "content-length", "host", "transfer-encoding", "accept-encoding"})


@dataclass(frozen=True)
class Upload:
    slug: str
    files: dict[str, bytes]
    metadata: dict[str, t.Any]


class Recorder:
    """`uploads` are those since it was last emptied."""

    def __init__(self, behind: str | None) -> None:
        self.behind = behind
        self.uploads: list[Upload] = []
        self.url = ""

    def by_slug(self) -> dict[str, Upload]:
        return {upload.slug: upload for upload in self.uploads}

    def note(self, path: str, content_type: str, body: bytes) -> None:
        slug = parse_qs(urlsplit(path).query)["slug"][0]
        head = f"Content-Type: {content_type}\r\n\r\n".encode()
        message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + body)
        files: dict[str, bytes] = {}
        metadata: dict[str, t.Any] = {}
        for part in message.iter_parts():
            content = t.cast("bytes", part.get_payload(decode=True))
            if part.get_param("name", header="content-disposition") == "metadata":
                metadata = json.loads(content)
            else:
                assert part.get_content_type() == "application/octet-stream"
                files[str(part.get_filename())] = content
        self.uploads.append(Upload(slug, files, metadata))

    def alone(self, method: str, path: str) -> tuple[int, t.Any]:
        if method == "POST":
            slug = parse_qs(urlsplit(path).query)["slug"][0]
            record = {"id": slug, "slug": slug, "name": slug, "status": "ACTIVE", "version": 1}
            return 201, record
        if method == "PUT":
            return 200, {"functions": []}
        return (200, []) if path.endswith("/functions") else (200, {"id": REF, "name": "recorder"})


class _Handler(http.server.BaseHTTPRequestHandler):
    recorder: t.ClassVar[Recorder]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.command == "POST":
            self.recorder.note(self.path, self.headers["Content-Type"], body)
        if self.recorder.behind:
            status, content, kind = self._hand_on(self.recorder.behind, body)
        else:
            status, answer = self.recorder.alone(self.command, self.path)
            content, kind = json.dumps(answer).encode(), "application/json"
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815

    def _hand_on(self, behind: str, body: bytes) -> tuple[int, bytes, str]:
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP}
        answer = requests.request(
            self.command, behind + self.path, headers=headers, data=body, timeout=60
        )
        return answer.status_code, answer.content, answer.headers.get("Content-Type", "")

    def log_message(self, *_arguments: t.Any) -> None:
        return


@contextmanager
def recorder(behind: str | None = None) -> t.Iterator[Recorder]:
    made = Recorder(behind)
    handler = type("Handler", (_Handler,), {"recorder": made})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    made.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
