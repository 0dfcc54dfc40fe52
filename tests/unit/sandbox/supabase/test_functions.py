"""What an upload must be, and the record that it becomes."""

import typing as t

import pytest

from sandbox.supabase.errors import ApiError
from sandbox.supabase.functions import Upload, next_function, validated_slug, validated_upload

FILES = {"f/a/index.ts": b"1", "f/a/deno.json": b"{}"}
METADATA = {"entrypoint_path": "f/a/index.ts", "import_map_path": "f/a/deno.json", "name": "a"}


def upload(**changes: t.Any) -> Upload:
    return validated_upload({**METADATA, **changes}, FILES)


def test_jwts_are_verified_unless_told_otherwise():
    assert upload().verify_jwt is True
    assert upload(verify_jwt=False).verify_jwt is False


@pytest.mark.parametrize(
    ("changes", "files"),
    [
        pytest.param({"entrypoint_path": ""}, FILES, id="no-entrypoint"),
        pytest.param({"entrypoint_path": "f/b/index.ts"}, FILES, id="entrypoint-not-sent"),
        pytest.param({"import_map_path": "f/a/x.json"}, FILES, id="import-map-not-sent"),
        pytest.param({"verify_jwt": "no"}, FILES, id="verify-jwt-not-boolean"),
        pytest.param({"entrypoint_path": 5}, FILES, id="entrypoint-not-a-string"),
        pytest.param({}, {**FILES, "../x.ts": b""}, id="climbs-out"),
        pytest.param({}, {**FILES, "/etc/x": b""}, id="absolute"),
    ],
)
def test_a_bad_upload_is_refused(changes, files):
    with pytest.raises(ApiError) as refused:
        validated_upload({**METADATA, **changes}, files)
    assert refused.value.status == 400


def test_the_digest_is_of_paths_content_and_entrypoint():
    renamed = {"f/a/index.ts": b"1", "f/a/other.json": b"{}"}
    other = validated_upload({**METADATA, "import_map_path": "f/a/other.json"}, renamed)

    assert upload().digest == upload(verify_jwt=False).digest
    assert upload().digest != other.digest


def test_a_new_version_keeps_identity_and_birth():
    first = next_function("a", upload(), None, new_id="one", now=1)
    second = next_function("a", upload(), first, new_id="two", now=2)

    assert (first.version, second.version) == (1, 2)
    assert (second.id, second.created_at, second.updated_at) == ("one", 1, 2)


def test_an_optional_key_without_value_is_absent():
    plain = validated_upload({"entrypoint_path": "f/a/index.ts"}, FILES)
    record = next_function("a", plain, None, new_id="one", now=1).to_json("ref")

    assert record["import_map"] is False
    assert "import_map_path" not in record
    assert None not in record.values()


@pytest.mark.parametrize("slug", [None, "", "_health", "1st", "a/b", "a b", "a\n"])
def test_a_slug_starts_with_a_letter(slug):
    with pytest.raises(ApiError):
        validated_slug(slug)
