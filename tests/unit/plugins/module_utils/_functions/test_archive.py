import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.easymo.deploy.plugins.module_utils._errors import (
    InputError,
    UnreachableError,
    VerificationError,
)
from ansible_collections.easymo.deploy.plugins.module_utils._functions.archive import (
    Archive,
    fetch,
    keep,
)
from ansible_collections.easymo.deploy.plugins.module_utils._functions.models import (
    FunctionSource,
    KnownVersion,
)
from ansible_collections.easymo.deploy.plugins.module_utils._functions.prepare import (
    parse_sources,
    static_rest,
    uploaded_path,
)
from tests.fakes.bucket import MemoryBucket
from tests.tables import cases

ROOT = "supabase/functions"


def archive_of(content: bytes = b"1", *, verify_jwt: bool = False) -> Archive:
    entrypoint = f"{ROOT}/a/index.ts"
    source = FunctionSource("a", entrypoint, "", ("*.html",), verify_jwt, {entrypoint: content})
    return Archive((source,), ("b",), {"a": KnownVersion(7, "s", source.fingerprint)})


@given(st.binary(max_size=200), st.booleans())
def test_an_archive_keeps_every_byte_and_every_setting(content, verify_jwt):
    archive = archive_of(content, verify_jwt=verify_jwt)
    assert Archive.load(archive.dump(), where="x") == archive


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"functions": [{}], "absent": []}'])
def test_what_is_no_archive_is_refused(content):
    with pytest.raises(InputError, match="x is not an archive of edge functions"):
        Archive.load(content, where="x")


def test_an_archive_goes_to_the_bucket_under_a_name_made_of_its_content(tmp_path):
    bucket, path = MemoryBucket(), tmp_path / "before.json"
    predicted = keep(archive_of(), path, bucket, "functions/2.0.0/", check_mode=True)
    assert (bucket.objects, path.exists()) == ({}, False)
    saved = keep(archive_of(), path, bucket, "functions/2.0.0/", check_mode=False)
    again = keep(archive_of(), path, bucket, "functions/2.0.0/", check_mode=False)
    assert predicted == saved == again
    assert saved.key == f"functions/2.0.0/{saved.sha256[:16]}.json"
    assert fetch(bucket, saved.key, saved.sha256) == archive_of()
    assert saved.attachable


def test_what_the_bucket_holds_is_compared_with_its_checksum(tmp_path):
    bucket, path = MemoryBucket(), tmp_path / "before.json"
    saved = keep(archive_of(), path, bucket, "", check_mode=False)
    bucket.objects[saved.key] = archive_of(b"other").dump()
    with pytest.raises(InputError, match="is another archive"):
        fetch(bucket, saved.key, saved.sha256)
    with pytest.raises(VerificationError, match="does not have the stored archive"):
        keep(archive_of(), path, bucket, "", check_mode=False)


@given(st.binary(max_size=200).filter(lambda content: b"--B" not in content))
def test_sources_come_out_of_the_multipart_answer_byte_for_byte(content):
    body = (
        b'--B\r\nContent-Disposition: form-data; name="metadata"\r\n\r\n{"entrypoint_path": "a"}\r\n'
        b'--B\r\nContent-Disposition: form-data; name="file"; filename="x"\r\nSupabase-Path: d/a.ts\r\n\r\n'
        + content
        + b"\r\n--B--\r\n"
    )
    assert parse_sources("multipart/form-data; boundary=B", body) == (
        {"entrypoint_path": "a"},
        {"d/a.ts": content},
    )


SENT = {f"{ROOT}/a/index.ts": b"", f"{ROOT}/a/deno.json": b"", "index.ts": b""}


@cases(
    ("location", "path"),
    {
        "nothing-named": ("", ""),
        "as-uploaded": (f"{ROOT}/a/index.ts", f"{ROOT}/a/index.ts"),
        "on-the-builder": (f"tmp/fn_1/source/{ROOT}/a/deno.json", f"{ROOT}/a/deno.json"),
    },
)
def test_a_path_of_the_builder_is_led_back_to_the_upload(location, path):
    assert uploaded_path(SENT, location) == path


def test_a_path_that_was_never_uploaded_is_not_guessed():
    with pytest.raises(UnreachableError, match="sent only"):
        uploaded_path(SENT, "tmp/fn_1/source/other.ts")


def test_files_that_are_no_modules_go_back_as_static_files():
    files = dict.fromkeys(("a/index.ts", "a/deno.json", "s/x.mts", "a/page.html", "a/d.json"), b"")
    assert static_rest(files, "a/index.ts", "a/deno.json") == ["a/d.json", "a/page.html"]
