"""A bucket in memory that behaves as S3 does where backups rely on it."""

import typing as t

from ansible_collections.easymo.deploy.plugins.module_utils._errors import (
    ConflictError,
    InputError,
    UnreachableError,
)
from ansible_collections.easymo.deploy.plugins.module_utils._s3 import (
    StoredObject,
)


class MemoryBucket:
    name = "backups"

    def __init__(self, objects: dict[str, bytes] | None = None) -> None:
        self.objects = dict(objects or {})
        self.uploads: dict[str, dict[int, bytes]] = {}
        self.fail_part: int | None = None

    def check(self) -> None:
        pass

    def list(self, prefix: str) -> t.Iterator[StoredObject]:
        for key, body in sorted(self.objects.items()):
            if key.startswith(prefix):
                yield StoredObject(key, len(body))

    def read(self, key: str) -> t.Iterator[bytes]:
        if key not in self.objects:
            raise InputError(f"no object {key}")
        yield self.objects[key]

    def put_new(self, key: str, body: bytes) -> None:
        if key in self.objects:
            raise ConflictError(f"{key} exists")
        self.objects[key] = body

    def start_upload(self, key: str) -> str:
        self.uploads[key] = {}
        return key

    def delete(self, key: str) -> None:
        self.objects.pop(key, None)

    def list_uploads(self, prefix: str) -> t.Iterator[tuple[str, str]]:
        for key in sorted(self.uploads):
            if key.startswith(prefix):
                yield key, key

    def upload_part(self, key: str, upload: str, number: int, body: bytes) -> str:
        if number == self.fail_part:
            raise UnreachableError(f"part {number} was lost")
        self.uploads[upload][number] = body
        return f"etag-{number}"

    def complete_upload(self, key: str, upload: str, etags: t.Sequence[str]) -> None:
        parts = self.uploads.pop(upload)
        assert list(etags) == [f"etag-{number}" for number in sorted(parts)]
        self.objects[key] = b"".join(parts[number] for number in sorted(parts))

    def abort_upload(self, key: str, upload: str) -> None:
        self.uploads.pop(upload, None)
