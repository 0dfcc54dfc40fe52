"""S3 below botocore, whose signing, retries and parsing stay: what is put, listed, uploaded in parts and given up.

What it answers is by https://docs.aws.amazon.com/AmazonS3/latest/API/ (PutObject with If-None-Match, GetObject with
Range and If-Match, ListObjectsV2, CreateMultipartUpload, UploadPart, CompleteMultipartUpload, AbortMultipartUpload,
ListMultipartUploads). moto knows as much, and takes 1.5 to 7 ms for a request where a run has thirty.
"""

from __future__ import annotations

import functools
import hashlib
import io
import typing as t
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import parse_qsl, unquote, urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import boto3
import botocore.endpoint
import botocore.exceptions
import botocore.hooks
import botocore.retries.standard
import botocore.session
import urllib3
from botocore.awsrequest import AWSResponse

from . import plan
from .client import Journey
from .scheduler import sender_of

if t.TYPE_CHECKING:
    from .scheduler import Process
    from .world import World

NAME, HOST = "backups", "s3.example.com"
CONNECTION = {
    "bucket": NAME,
    "endpoint_url": f"https://{HOST}",
    "region": "eu-west-1",
    "access_key": "not-a-key",
    "secret_key": "not-a-secret",
    "path_style": True,
}
_WRITES = ("PUT", "POST", "DELETE")


@dataclass(frozen=True)
class Object:
    body: bytes
    modified: float

    @property
    def etag(self) -> str:
        return f'"{hashlib.md5(self.body, usedforsecurity=False).hexdigest()}"'


@dataclass
class Upload:
    key: str
    by: str
    started: float
    parts: dict[int, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes = b""
    headers: t.Mapping[str, str] = field(default_factory=dict)


class Bucket:
    """The server's side."""

    def __init__(self, now: t.Callable[[], float]) -> None:
        self.objects: dict[str, Object] = {}
        self.uploads: dict[str, Upload] = {}
        self.observers: list[t.Callable[[str, str], None]] = []
        """Told of each object that is put, and by whom."""
        self._now = now
        self._started = 0

    def answer(
        self, method: str, url: str, headers: t.Mapping[str, str], body: bytes, by: str
    ) -> Answer:
        parts = urlsplit(url)
        bucket, _slash, key = unquote(parts.path).lstrip("/").partition("/")
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        if bucket != NAME:
            return _refused(404, "NoSuchBucket")
        if "uploadId" in query:
            return self._of_upload(method, key, query, body, by)
        if "uploads" in query:
            if method == "GET":
                return self._list_uploads(query.get("prefix", ""))
            return self._start(key, by)
        if not key:
            return Answer(200) if method == "HEAD" else self._list(query.get("prefix", ""))
        if method == "PUT":
            return self._put(key, headers, body, by)
        if method == "DELETE":
            self.objects.pop(key, None)
            return Answer(204)
        return self._get(method, key, headers)

    def _put(self, key: str, headers: t.Mapping[str, str], body: bytes, by: str) -> Answer:
        if headers.get("If-None-Match") == "*" and key in self.objects:
            return _refused(412, "PreconditionFailed")
        return self._store(key, body, by)

    def _store(self, key: str, body: bytes, by: str) -> Answer:
        self.objects[key] = Object(body, self._now())
        for observer in self.observers:
            observer(key, by)
        return Answer(200, headers={"ETag": self.objects[key].etag})

    def _get(self, method: str, key: str, headers: t.Mapping[str, str]) -> Answer:
        found = self.objects.get(key)
        if found is None:
            return _refused(404, "NoSuchKey")
        if headers.get("If-Match", found.etag) != found.etag:
            return _refused(412, "PreconditionFailed")
        begins = int(headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
        body = found.body[begins:]
        told = {"ETag": found.etag, "Content-Length": str(len(body))}
        return Answer(206 if begins else 200, b"" if method == "HEAD" else body, told)

    def _list(self, prefix: str) -> Answer:
        entries = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>{_time(one.modified)}</LastModified>"
            f"<ETag>{escape(one.etag)}</ETag><Size>{len(one.body)}</Size></Contents>"
            for key, one in sorted(self.objects.items())
            if key.startswith(prefix)
        )
        return _xml("ListBucketResult", f"<IsTruncated>false</IsTruncated>{entries}")

    def _list_uploads(self, prefix: str) -> Answer:
        entries = "".join(
            f"<Upload><Key>{escape(one.key)}</Key><UploadId>{name}</UploadId>"
            f"<Initiated>{_time(one.started)}</Initiated></Upload>"
            for name, one in self.uploads.items()
            if one.key.startswith(prefix)
        )
        return _xml("ListMultipartUploadsResult", f"<IsTruncated>false</IsTruncated>{entries}")

    def _start(self, key: str, by: str) -> Answer:
        self._started += 1
        name = f"upload-{self._started}"
        self.uploads[name] = Upload(key, by, self._now())
        told = f"<Bucket>{NAME}</Bucket><Key>{escape(key)}</Key><UploadId>{name}</UploadId>"
        return _xml("InitiateMultipartUploadResult", told)

    def _of_upload(
        self, method: str, key: str, query: t.Mapping[str, str], body: bytes, by: str
    ) -> Answer:
        upload = self.uploads.get(query["uploadId"])
        if upload is None or upload.key != key:
            return _refused(404, "NoSuchUpload")
        if method == "DELETE":
            del self.uploads[query["uploadId"]]
            return Answer(204)
        if method == "PUT":
            upload.parts[int(query["partNumber"])] = body
            return Answer(200, headers={"ETag": Object(body, 0.0).etag})
        wanted = [
            (int(t.cast("str", part.findtext("{*}PartNumber"))), part.findtext("{*}ETag"))
            for part in ElementTree.fromstring(body).findall("{*}Part")
        ]
        if any(
            number not in upload.parts or Object(upload.parts[number], 0.0).etag != etag
            for number, etag in wanted
        ):
            return _refused(400, "InvalidPart")
        del self.uploads[query["uploadId"]]
        stored = self._store(key, b"".join(upload.parts[number] for number, _etag in wanted), by)
        told = f"<Bucket>{NAME}</Bucket><Key>{escape(key)}</Key><ETag>{escape(stored.headers['ETag'])}</ETag>"
        return _xml("CompleteMultipartUploadResult", told)


class Sent(Journey):
    """One request and its answer."""

    def __init__(self, world: World, bucket: Bucket, request: t.Any) -> None:
        super().__init__(world, request.url, writes=request.method in _WRITES, patience=60.0)
        self._bucket = bucket
        self._request = request

    def answered(self) -> AWSResponse:
        url = self._request.url
        try:
            answer = self.go()
        except urllib3.exceptions.ReadTimeoutError as exc:
            raise botocore.exceptions.ReadTimeoutError(endpoint_url=url, error=exc) from exc
        except urllib3.exceptions.ProtocolError as exc:
            raise botocore.exceptions.ConnectionClosedError(
                endpoint_url=url, request=self._request, error=exc
            ) from exc
        return AWSResponse(url, answer.status, Headers(answer.headers), Body(answer.body))

    def _serve(self, by: Process | None) -> Answer:
        request = self._request
        headers = {name: _text(value) for name, value in request.headers.items()}
        body = request.body or b""
        data = (
            body.encode()
            if isinstance(body, str)
            else bytes(body if isinstance(body, (bytes, bytearray)) else body.read())
        )
        name = sender_of(by)
        answer = self._bucket.answer(request.method, request.url, headers, data, name)
        place = urlsplit(request.url)
        if request.method in _WRITES or answer.status >= 400:
            told = f"{place.path}{'?' + place.query[:24] if place.query else ''}"
            self._world.say(f"{name}: {request.method} s3:/{told} -> {answer.status}")
        return answer

    def _twice(self) -> Answer:
        return _refused(409, "OperationAborted")

    def _refusal(self, kind: str) -> Answer:
        return _refused(*((503, "SlowDown") if kind == plan.THROTTLED else (500, "InternalError")))


class Headers(dict[str, str]):
    """Of any case, as botocore's own."""

    def __init__(self, given: t.Mapping[str, str]) -> None:
        super().__init__({name.lower(): value for name, value in given.items()})

    def get(self, name: str, default: t.Any = None) -> t.Any:
        return super().get(name.lower(), default)

    def __contains__(self, name: object) -> bool:
        return super().__contains__(str(name).lower())

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name.lower())


class Body(io.BytesIO):
    def stream(self, amount: int = 1 << 16, decode_content: object = None) -> t.Iterator[bytes]:
        del decode_content
        while chunk := self.read(amount):
            yield chunk


@functools.cache
def _session() -> boto3.Session:
    """One for all: to make it takes longer than what is asked of it. Each client is made anew, with its own memory."""
    return boto3.Session(botocore_session=botocore.session.Session())


class Session:
    """boto3.Session, whose clients lead into the world."""

    def __init__(self, world: World, bucket: Bucket) -> None:
        self._world = world
        self._bucket = bucket

    def client(self, service: str, **options: t.Any) -> t.Any:
        client = _session().client(service, **options)

        def answer(request: t.Any, **_more: t.Any) -> AWSResponse:
            return Sent(self._world, self._bucket, request).answered()

        client.meta.events.register("before-send.s3", answer)
        return client


def install(sleep: t.Callable[[float], None], chance: t.Callable[[], float]) -> None:
    """In botocore too, time and chance are the world's."""
    botocore.endpoint.time = type("Time", (), {"sleep": staticmethod(sleep)})
    # Asked some thousand times a run: each client begins to remember anew.
    aliaser = botocore.hooks.EventAliaser
    alias = functools.partial(aliaser._alias_event_name, aliaser(None))
    aliaser._alias_event_name = staticmethod(functools.cache(alias))
    backoff = botocore.retries.standard.ExponentialBackoff
    backoff.__init__ = functools.partialmethod(backoff.__init__, random=chance)


def _text(value: t.Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _time(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _xml(name: str, inside: str) -> Answer:
    space = "http://s3.amazonaws.com/doc/2006-03-01/"
    text = f'<?xml version="1.0" encoding="UTF-8"?><{name} xmlns="{space}">{inside}</{name}>'
    return Answer(200, text.encode(), {"Content-Type": "application/xml"})


def _refused(status: int, code: str) -> Answer:
    body = f"<Error><Code>{code}</Code><Message>{code}</Message></Error>"
    return Answer(status, body.encode(), {"Content-Type": "application/xml"})
