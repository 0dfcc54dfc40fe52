"""What an answer that was lost means: boto3 made the call again, and found what the first one did."""

import typing as t

import botocore.exceptions
import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError

from ansible_collections.easymo.deploy.plugins.module_utils._errors import (
    ConflictError,
    RefusedError,
    UnreachableError,
)
from ansible_collections.easymo.deploy.plugins.module_utils._s3 import S3Bucket
from tests.simulation.bucket import CONNECTION, Body, Bucket, Headers


class Server:
    """Carries out each call, and loses the first answer to one whose address has this in it."""

    def __init__(self) -> None:
        self.bucket = Bucket(lambda: 0.0)
        self.loses = ""

    def answer(self, request: t.Any, **_more: t.Any) -> AWSResponse:
        headers = {
            name: value.decode() if isinstance(value, bytes) else str(value)
            for name, value in request.headers.items()
        }
        body = request.body.read() if hasattr(request.body, "read") else request.body or b""
        answer = self.bucket.answer(request.method, request.url, headers, body, "test")
        if self.loses and self.loses in f"{request.method} {request.url}":
            self.loses = ""
            raise botocore.exceptions.ConnectionClosedError(endpoint_url=request.url)
        return AWSResponse(request.url, answer.status, Headers(answer.headers), Body(answer.body))


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def bucket(server, monkeypatch) -> S3Bucket:
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)
    params = {"session_token": None, "profile": None, "s3_ca_cert": None, **CONNECTION}
    found = S3Bucket.from_params(params)
    found._client.meta.events.register("before-send.s3", server.answer)
    return found


def test_an_object_that_was_stored_and_not_answered_is_ours(server, bucket):
    server.loses = "PUT"
    bucket.put_new("manifest", b"{}")
    assert server.bucket.objects["manifest"].body == b"{}"


@pytest.mark.parametrize("stored", [b"{}", b"theirs", None], ids=["ours", "theirs", "nothing"])
def test_a_write_that_meets_another_is_looked_at(stored, bucket, monkeypatch):
    """As S3 answers a conditional write while another one is under way."""
    if stored is not None:
        bucket.put_new("manifest", stored)

    def meets(**_options: object) -> None:
        said = {"Error": {"Code": "ConditionalRequestConflict"}}
        raise ClientError({**said, "ResponseMetadata": {"HTTPStatusCode": 409}}, "PutObject")

    monkeypatch.setattr(bucket._client, "put_object", meets)
    if stored == b"{}":
        bucket.put_new("manifest", b"{}")
    else:
        with pytest.raises(ConflictError, match="is being written by another call"):
            bucket.put_new("manifest", b"{}")


def test_an_object_of_somebody_else_is_not_overwritten(server, bucket):
    bucket.put_new("manifest", b"theirs")
    server.loses = "PUT"
    with pytest.raises(ConflictError, match="exists already"):
        bucket.put_new("manifest", b"ours")
    assert server.bucket.objects["manifest"].body == b"theirs"


def test_an_upload_that_was_completed_and_not_answered_is_complete(server, bucket):
    upload = bucket.start_upload("dump")
    etag = bucket.upload_part("dump", upload, 1, b"rows")
    server.loses = "POST"
    bucket.complete_upload("dump", upload, [etag])
    assert server.bucket.objects["dump"].body == b"rows"


def test_an_upload_that_was_given_up_is_not_complete(bucket):
    upload = bucket.start_upload("dump")
    etag = bucket.upload_part("dump", upload, 1, b"rows")
    bucket.abort_upload("dump", upload)
    with pytest.raises(RefusedError):
        bucket.complete_upload("dump", upload, [etag])


def test_a_connection_that_is_lost_for_good_is_told_without_the_uploads_id(bucket):
    upload = bucket.start_upload("dump")

    def reset(request: t.Any, **_more: t.Any) -> AWSResponse:
        raise botocore.exceptions.ConnectionClosedError(endpoint_url=request.url)

    bucket._client.meta.events.register_first("before-send.s3", reset)
    with pytest.raises(UnreachableError) as told:
        bucket.upload_part("dump", upload, 1, b"rows")
    message = str(told.value)
    assert upload not in message
    assert "uploadId" not in message
    assert message.endswith('dump".')
