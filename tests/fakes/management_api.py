"""A Management API on loopback for the Supabase CLI and for us to deploy to, which keeps what was uploaded to it.

Alone it is a project that takes everything and runs nothing. Before the sandbox's API it hands each call on.
Either way it can be made to go wrong at one call.
"""

import email.parser
import email.policy
import hashlib
import json
import socket
import threading
import typing as t
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

import requests

from tests.fakes.http_server import Handler, serving

REF = "abcdefghijklmnopqrst"
TOKEN = f"sbp_{'a1' * 20}"
LOST = 0
"""A status that is none: the call arrives, and the connection ends without an answer."""
_HOP = frozenset({"connection", "content-length", "host", "transfer-encoding", "accept-encoding"})

Record = dict[str, t.Any]


@dataclass(frozen=True)
class Upload:
    slug: str
    files: dict[str, bytes]
    metadata: dict[str, t.Any]


@dataclass
class Trouble:
    """Answers `status` to the next `times` calls of this method whose path ends so."""

    method: str
    ending: str
    status: int
    times: int = 1_000_000
    headers: dict[str, str] = field(default_factory=dict)


class Management:
    """`uploads` and `calls` are those since they were last emptied."""

    def __init__(self, behind: str | None) -> None:
        self.behind = behind
        self.uploads: list[Upload] = []
        self.calls: list[str] = []
        self.troubles: list[Trouble] = []
        self.functions: dict[str, Record] = {}
        self.secrets: dict[str, str] = {}
        self.url = ""
        self._sources: dict[str, Upload] = {}
        self._lock = threading.Lock()

    def by_slug(self) -> dict[str, Upload]:
        return {upload.slug: upload for upload in self.uploads}

    def trouble(self, method: str, path: str) -> Trouble | None:
        with self._lock:
            self.calls.append(f"{method} {path}")
            for each in self.troubles:
                if each.method == method and path.endswith(each.ending) and each.times > 0:
                    each.times -= 1
                    return each
        return None

    def note(self, path: str, content_type: str, body: bytes) -> Upload:
        slug = parse_qs(urlsplit(path).query)["slug"][0]
        head = f"Content-Type: {content_type}\r\n\r\n".encode()
        message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + body)
        files: dict[str, bytes] = {}
        metadata: dict[str, t.Any] = {}
        for part in message.iter_parts():
            content = part.get_payload(decode=True)
            if part.get_param("name", header="content-disposition") == "metadata":
                metadata = json.loads(content)
            else:
                assert part.get_content_type() == "application/octet-stream"
                files[str(part.get_filename())] = content
        upload = Upload(slug, files, metadata)
        with self._lock:
            self.uploads.append(upload)
        return upload

    def alone(
        self, method: str, path: str, upload: Upload | None, body: bytes
    ) -> tuple[int, t.Any]:
        parts = urlsplit(path)
        place = parts.path.removeprefix(f"/v1/projects/{REF}")
        with self._lock:
            if upload:
                record = self._bundle(upload)
                if "bundleOnly" not in parts.query:
                    self.functions[upload.slug] = record
                return 201, record
            if method == "PUT":
                self.functions.update({record["slug"]: record for record in json.loads(body)})
                return 200, {"functions": []}
            if method == "DELETE":
                return 200 if self.functions.pop(place.rpartition("/")[2], None) else 404, {}
            if place.endswith("/body"):
                return 200, self._sources[self.functions[place.split("/")[2]]["ezbr_sha256"]]
            if place == "/functions":
                return 200, list(self.functions.values())
            if place == "/secrets":
                return 200, [{"name": n, "value": v} for n, v in self.secrets.items()]
            return 200, {"id": REF, "name": "stand-in"}

    def _bundle(self, upload: Upload) -> Record:
        what = json.dumps(upload.metadata) + repr(sorted(upload.files.items()))
        digest = hashlib.sha256(what.encode()).hexdigest()
        self._sources[digest] = upload
        record = {
            "id": upload.slug,
            "slug": upload.slug,
            "name": upload.slug,
            "status": "ACTIVE",
            "version": self.functions.get(upload.slug, {}).get("version", 0) + 1,
            "created_at": 1,
            "updated_at": 1,
            "ezbr_sha256": digest,
            "entrypoint_path": upload.metadata["entrypoint_path"],
        }
        for key in ("verify_jwt", "import_map_path"):
            if upload.metadata.get(key) not in (None, ""):
                record[key] = upload.metadata[key]
        return record


class _Handler(Handler):
    management: t.ClassVar[Management]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = self.body()
        trouble = self.management.trouble(self.command, urlsplit(self.path).path)
        if trouble:
            self._fail(trouble)
            return
        upload = None
        if self.command == "POST" and urlsplit(self.path).path.endswith("/deploy"):
            upload = self.management.note(self.path, self.headers["Content-Type"], body)
        if self.management.behind:
            status, content, kind = self._hand_on(self.management.behind, body)
        else:
            status, answer = self.management.alone(self.command, self.path, upload, body)
            content, kind = _encoded(answer)
        self.answer(status, content, {"Content-Type": kind})

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815

    def _fail(self, trouble: Trouble) -> None:
        if trouble.status == LOST:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        said = {"message": f"no {trouble.status} today"}
        self.answer_json(said, trouble.status, trouble.headers)

    def _hand_on(self, behind: str, body: bytes) -> tuple[int, bytes, str]:
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
        answer = requests.request(
            self.command, behind + self.path, headers=headers, data=body, timeout=60
        )
        return answer.status_code, answer.content, answer.headers.get("Content-Type", "")

    def log_message(self, *_arguments: t.Any) -> None:
        return


def _encoded(answer: t.Any) -> tuple[bytes, str]:
    if not isinstance(answer, Upload):
        return json.dumps(answer).encode(), "application/json"
    parts = [b'name="metadata"\r\n\r\n' + json.dumps(answer.metadata).encode()]
    for path, content in answer.files.items():
        head = f'name="file"; filename="{path}"\r\nSupabase-Path: {path}\r\n\r\n'
        parts.append(head.encode() + content)
    opening = b"--stand-in\r\nContent-Disposition: form-data; "
    body = b"".join(opening + part + b"\r\n" for part in parts) + b"--stand-in--\r\n"
    return body, "multipart/form-data; boundary=stand-in"


@contextmanager
def management_api(behind: str | None = None) -> t.Iterator[Management]:
    made = Management(behind)
    handler = type("Handler", (_Handler,), {"management": made})
    with serving(handler) as made.url:
        yield made


class PassingTime:
    """Time that passes by sleeping alone, in place of the module `time`."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def monotonic(self) -> float:
        return sum(self.slept)
