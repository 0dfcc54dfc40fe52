# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place that talks to S3: a bucket with streaming in, streaming out and objects that are never overwritten."""

from __future__ import annotations

import re
import typing as t
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from ._decode import Shape, restored, restored_each, under
from ._errors import (
    ConflictError,
    DeployError,
    InputError,
    Library,
    RefusedError,
    UnreachableError,
    VerificationError,
)

BOTO3 = Library("boto3 >= 1.40")
with BOTO3:
    import boto3
    import botocore.config
    import botocore.exceptions
    import botocore.parsers

_READ_SIZE = 1 << 20
# boto3 repeats requests, but not the reading of a body.
_READ_LOSSES = 4
_PATIENCE = 60.0
_ATTEMPTS = 5
_CROSSED = ("OperationAborted", "ConditionalRequestConflict")
"""409 of two conditional writes that meet (the page "Error responses" of S3's API)."""
_REFUSALS = frozenset(
    {
        "403",
        "AccessDenied",
        "ExpiredToken",
        "Forbidden",
        "InvalidAccessKeyId",
        "InvalidToken",
        "SignatureDoesNotMatch",
    }
)
_QUERY = re.compile(r'\?[^\s"]*')
"""Of an address: the upload's id, which tells an operator nothing."""
CREDENTIALS = ("access_key", "secret_key", "session_token", "profile")
CHECK = "check 'access_key', 'secret_key' or the profile, and what they may do"
NO_CREDENTIALS: tuple[type[Exception], ...] = ()
if not BOTO3.import_error:
    NO_CREDENTIALS = (
        botocore.exceptions.NoCredentialsError,
        botocore.exceptions.PartialCredentialsError,
        botocore.exceptions.CredentialRetrievalError,
        botocore.exceptions.MetadataRetrievalError,
        botocore.exceptions.SSOError,
        botocore.exceptions.TokenRetrievalError,
        botocore.exceptions.RefreshWithMFAUnsupportedError,
    )


def _check(given: t.Mapping[str, str | None]) -> None:
    """Of the options CREDENTIALS."""
    if bool(given["access_key"]) != bool(given["secret_key"]):
        raise InputError("Options 'access_key' and 'secret_key' go together: set both, or none.")
    if given["session_token"] and not given["access_key"]:
        raise InputError(
            "Option 'session_token' belongs to 'access_key' and 'secret_key': set them too."
        )
    if given["profile"] and given["access_key"]:
        raise InputError("Options 'profile' and 'access_key' exclude each other: set one of them.")


@dataclass(frozen=True)
class StoredObject:
    key: str = under("Key", required=True)
    size: int = under("Size", required=True)


@dataclass(frozen=True)
class StoredUpload:
    """A multipart upload."""

    key: str = under("Key", required=True)
    id: str = under("UploadId", required=True)


@dataclass(frozen=True)
class StoredPart:
    etag: str = under("ETag", required=True)


class S3Bucket:
    """An object store over boto3. One client serves all threads, which boto3 allows for clients."""

    def __init__(self, name: str, client: t.Any, where: str) -> None:
        self.name = name
        self._client = client
        self._where = where

    @classmethod
    def from_params(
        cls,
        params: t.Mapping[str, t.Any],
        *,
        patience: float = _PATIENCE,
        attempts: int = _ATTEMPTS,
    ) -> S3Bucket:
        """Of the options of the doc fragment _s3. `patience`: seconds of silence after which a request is repeated.

        `attempts`: how often it is made at most.
        """
        given = {name: params.get(name) or None for name in CREDENTIALS}
        _check(given)
        config = botocore.config.Config(
            # Sending has this timeout too.
            connect_timeout=min(10.0, patience),
            read_timeout=min(_PATIENCE, patience),
            retries={"mode": "standard", "total_max_attempts": attempts},
            max_pool_connections=16,
            s3={"addressing_style": "path" if params["path_style"] else "auto"},
            # S3 compatible services differ in these; what we rely on is our own checksum of what comes back.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        try:
            client = boto3.Session(profile_name=given["profile"]).client(
                "s3",
                endpoint_url=params["endpoint_url"],
                region_name=params["region"],
                aws_access_key_id=given["access_key"],
                aws_secret_access_key=given["secret_key"],
                aws_session_token=given["session_token"],
                verify=params["s3_ca_cert"],
                config=config,
            )
        except (ValueError, botocore.exceptions.BotoCoreError) as exc:
            raise InputError(f"The options for S3 are invalid: {exc}.") from exc
        return cls(params["bucket"], client, params["endpoint_url"] or "AWS")

    def check(self) -> None:
        """Raise unless the bucket is there and lets us in."""
        with self._speaking():
            self._client.head_bucket(Bucket=self.name)

    def list(self, prefix: str) -> t.Iterator[StoredObject]:
        return self._listed(StoredObject, "list_objects_v2", "Contents", prefix)

    def _listed(
        self, shape: type[Shape], operation: str, entries: str, prefix: str
    ) -> t.Iterator[Shape]:
        with self._speaking():
            pages = self._client.get_paginator(operation)
            for page in pages.paginate(Bucket=self.name, Prefix=prefix):
                yield from restored_each(shape, page.get(entries, []), entries)

    def read(self, key: str) -> t.Iterator[bytes]:
        """Its bytes; after a lost connection it goes on where it was, and never with those of another object."""
        with self._speaking(key):
            got, losses = 0, 0
            same: dict[str, str] = {}
            while True:
                answer = self._client.get_object(Bucket=self.name, Key=key, **same)
                try:
                    for chunk in answer["Body"].iter_chunks(_READ_SIZE):
                        got += len(chunk)
                        yield chunk
                except botocore.exceptions.HTTPClientError:
                    losses += 1
                    if losses > _READ_LOSSES:
                        raise
                    same = {
                        "Range": f"bytes={got}-",
                        "IfMatch": restored(StoredPart, answer, "answer").etag,
                    }
                else:
                    return

    def put_new(self, key: str, body: bytes) -> None:
        """Store a small object; an object of that key that is already there is a ConflictError."""
        try:
            with self._speaking(key):
                self._client.put_object(
                    Bucket=self.name,
                    Key=key,
                    Body=body,
                    ContentType="application/json",
                    IfNoneMatch="*",
                )
        except ConflictError:
            # boto3 repeats a call whose answer was lost, and then finds what the first one stored, or meets it.
            if not self._holds(key, body):
                raise

    def _holds(self, key: str, body: bytes) -> bool:
        try:
            return b"".join(self.read(key)) == body
        except RefusedError:
            return False

    def put_page(self, key: str, body: bytes) -> None:
        """A page of HTML over the one that is there; caches keep no copy."""
        with self._speaking(key):
            self._client.put_object(
                Bucket=self.name,
                Key=key,
                Body=body,
                ContentType="text/html; charset=utf-8",
                CacheControl="no-store",
            )

    def delete(self, key: str) -> None:
        with self._speaking(key):
            self._client.delete_object(Bucket=self.name, Key=key)

    def list_uploads(self, prefix: str) -> t.Iterator[tuple[str, str]]:
        """The key and the id of each multipart upload that was neither completed nor aborted."""
        for upload in self._listed(StoredUpload, "list_multipart_uploads", "Uploads", prefix):
            yield upload.key, upload.id

    def start_upload(self, key: str) -> str:
        with self._speaking(key):
            answer = self._client.create_multipart_upload(
                Bucket=self.name, Key=key, ContentType="application/octet-stream"
            )
            return restored(StoredUpload, answer, "answer").id

    def upload_part(self, key: str, upload: str, number: int, body: bytes) -> str:
        with self._speaking(key):
            answer = self._client.upload_part(
                Bucket=self.name, Key=key, UploadId=upload, PartNumber=number, Body=body
            )
            return restored(StoredPart, answer, "answer").etag

    def complete_upload(self, key: str, upload: str, etags: t.Sequence[str]) -> None:
        parts = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, 1)]
        with self._speaking(key):
            try:
                self._client.complete_multipart_upload(
                    Bucket=self.name, Key=key, UploadId=upload, MultipartUpload={"Parts": parts}
                )
            except self._client.exceptions.NoSuchUpload:
                # The same: a first call has completed it. Raises when it has not.
                self._client.head_object(Bucket=self.name, Key=key)

    def abort_upload(self, key: str, upload: str) -> None:
        """One that is gone already is fine."""
        with self._speaking(key), suppress(self._client.exceptions.NoSuchUpload):
            self._client.abort_multipart_upload(Bucket=self.name, Key=key, UploadId=upload)

    @contextmanager
    def _speaking(self, key: str = "") -> t.Iterator[None]:
        try:
            yield
        except botocore.exceptions.ClientError as exc:
            raise self._refusal(exc, key) from exc
        except NO_CREDENTIALS as exc:
            raise RefusedError(
                f"There are no credentials for S3 at {self._where} ({str(exc).rstrip('.')}): set 'access_key' and "
                "'secret_key', or 'profile', or log in again as AWS's own tools want it."
            ) from exc
        except (ValueError, RecursionError, botocore.parsers.ResponseParserError) as exc:
            # Of a redirect to no other region, boto3 asks for the region again and again.
            raise VerificationError(
                f"S3 at {self._where} did not answer as S3 does for bucket {self.name!r}: check 'endpoint_url'."
            ) from exc
        except botocore.exceptions.BotoCoreError as exc:
            why = _QUERY.sub("", str(exc)).rstrip(".")
            raise UnreachableError(
                f"S3 at {self._where} cannot be reached for bucket {self.name!r}: {why}."
            ) from exc

    def _refusal(self, exc: t.Any, key: str) -> DeployError:
        code = str(exc.response.get("Error", {}).get("Code", "unknown"))
        status = exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        what = f"s3://{self.name}/{key}" if key else f"bucket {self.name!r}"
        if (code in ("NoSuchBucket", "404") and not key) or code == "NoSuchBucket":
            return InputError(
                f"There is no bucket {self.name!r} at {self._where}: create it, or correct option 'bucket'."
            )
        if status == 412:
            return ConflictError(f"{what} exists already and is not overwritten.")
        if status == 409 and code in _CROSSED:
            return ConflictError(f"{what} is being written by another call ({code}): try again.")
        if code in _REFUSALS:
            return RefusedError(
                f"S3 at {self._where} refused access to {what} ({code}): "
                f"{'log in again or renew the session token' if code == 'ExpiredToken' else CHECK}."
            )
        if status >= 500:
            return UnreachableError(
                f"S3 at {self._where} failed on {what} ({code}, HTTP {status})."
            )
        return RefusedError(f"S3 at {self._where} refused {exc.operation_name} on {what} ({code}).")
