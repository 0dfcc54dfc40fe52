"""The bucket takes keys, a profile or an environment as AWS's own tools do, and says what is missing."""

import typing as t

import botocore.exceptions
import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._errors import (
    DeployError,
    InputError,
    RefusedError,
)
from ansible_collections.easymo.deploy.plugins.module_utils._s3 import S3Bucket
from sandbox.world import World
from tests.integration.running import bucket

Options = dict[str, t.Any]


@pytest.fixture
def options(world, monkeypatch, tmp_path) -> Options:
    """Of the sandbox's bucket without its keys, on a machine that has no other credentials."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    return {
        **bucket(world, ""),
        "s3_ca_cert": None,
        "access_key": "",
        "secret_key": "",
        "profile": "",
    }


def keys(world: World) -> tuple[str, str]:
    given = bucket(world, "")
    return given["access_key"], given["secret_key"]


def test_a_profile_serves(options, world, tmp_path):
    access, secret = keys(world)
    text = f"[release]\naws_access_key_id = {access}\naws_secret_access_key = {secret}\n"
    (tmp_path / "credentials").write_text(text, "utf-8")
    S3Bucket.from_params({**options, "profile": "release"}).check()
    with pytest.raises(RefusedError, match="There are no credentials"):
        S3Bucket.from_params(options).check()
    with pytest.raises(InputError, match=r"profile \(nobody\) could not be found"):
        S3Bucket.from_params({**options, "profile": "nobody"})


def test_the_environment_serves(options, world, monkeypatch):
    access, secret = keys(world)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", access)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    S3Bucket.from_params(options).check()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"access_key": "a"}, "go together"),
        ({"session_token": "t"}, "'session_token' belongs to 'access_key'"),
        ({"access_key": "a", "secret_key": "s", "profile": "p"}, "exclude each other"),
    ],
)
def test_what_does_not_belong_together_is_refused(options, given, words):
    with pytest.raises(InputError, match=words):
        S3Bucket.from_params({**options, **given})


@pytest.mark.parametrize(("ended", "words"), [
    (botocore.exceptions.ClientError({"Error": {"Code": "ExpiredToken"},
     "ResponseMetadata": {"HTTPStatusCode": 400}}, "HeadBucket"),
     "ExpiredToken.*log in again or renew the session token"),
    (botocore.exceptions.UnauthorizedSSOTokenError(), "There are no credentials.*log in again"),
    (botocore.exceptions.CredentialRetrievalError(provider="process", error_msg="it ended"),
     "There are no credentials.*it ended"),
], ids=["session token", "sso", "helper program"])  # fmt: skip
def test_credentials_that_end_midway_say_how_to_go_on(options, ended, words):
    class Client:
        def head_bucket(self, **_asked: str) -> t.NoReturn:
            raise ended

    with pytest.raises(DeployError, match=words):
        S3Bucket("backups", Client(), "AWS").check()
