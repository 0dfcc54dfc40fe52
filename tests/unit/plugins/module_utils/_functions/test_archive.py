import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.easymo.deploy.plugins.module_utils._errors import (
    InputError,
    UnreachableError,
    VerificationError,
)
from ansible_collections.easymo.deploy.plugins.module_utils._functions import archive
from ansible_collections.easymo.deploy.plugins.module_utils._functions.api import (
    parse_sources,
    static_rest,
    uploaded_path,
)
from ansible_collections.easymo.deploy.plugins.module_utils._functions.archive import (
    Archive,
    FunctionsRecord,
)
from ansible_collections.easymo.deploy.plugins.module_utils._functions.models import (
    FunctionSource,
    KnownVersion,
)
from ansible_collections.easymo.deploy.plugins.module_utils._release.plan import RecordChange
from ansible_collections.easymo.deploy.plugins.module_utils._release.store import (
    Attachment,
    ReleaseStore,
)
from tests.fakes.bucket import MemoryBucket
from tests.fakes.cluster import FakeClock, MemoryCluster
from tests.tables import cases

ROOT = "supabase/functions"


def archive_of(content: bytes = b"1", *, verify_jwt: bool = False) -> Archive:
    entrypoint = f"{ROOT}/a/index.ts"
    source = FunctionSource("a", entrypoint, "", ("*.html",), verify_jwt, {entrypoint: content})
    return Archive((source,), ("b",), {"a": KnownVersion(7, "s", source.fingerprint)})


@given(st.binary(max_size=200), st.booleans())
def test_an_archive_keeps_every_byte_and_every_setting(content, verify_jwt):
    made = archive_of(content, verify_jwt=verify_jwt)
    assert Archive.load(made.dump(), where="x") == made


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"functions": [{}], "absent": []}'])
def test_what_is_no_archive_is_refused(content):
    with pytest.raises(InputError, match="x is not an archive of edge functions"):
        Archive.load(content, where="x")


def record_of(
    cluster: MemoryCluster, bucket: MemoryBucket | None = None, version: str = "2.0.0"
) -> FunctionsRecord:
    store = ReleaseStore(cluster, version, clock=FakeClock())
    return FunctionsRecord(store, "edge_functions", lambda: bucket, "functions/2.0.0/")


def test_an_archive_is_attached_once_and_goes_to_the_bucket_under_a_name_made_of_its_content():
    bucket, cluster = MemoryBucket(), MemoryCluster()
    saved = record_of(cluster, bucket).write({}, archive_of())
    sha256 = hashlib.sha256(archive_of().dump()).hexdigest()
    key = f"functions/2.0.0/{sha256[:16]}.json"
    where = {"attachment": f"functions-{sha256[:8]}", "bucket": "backups", "key": key}
    assert saved == {**where, "sha256": sha256}
    assert bucket.objects == {key: archive_of().dump()}
    written = dict(cluster.objects)
    again = record_of(cluster)
    assert (again.before(), again.write({}, archive_of())) == (archive_of(), {})
    assert cluster.objects == written


def test_an_archive_that_no_record_can_hold_is_in_the_bucket_alone(monkeypatch):
    monkeypatch.setattr(archive, "LIMIT", 10)
    bucket, cluster = MemoryBucket(), MemoryCluster()
    with pytest.raises(
        InputError, match="too large for the release record, and there is no bucket"
    ):
        record_of(cluster).write({}, archive_of())
    assert cluster.objects == {}
    saved = record_of(cluster, bucket).write({}, archive_of())
    assert (saved["attachment"], record_of(cluster, bucket).before()) == ("", archive_of())
    with pytest.raises(InputError, match="in a bucket alone: set 'bucket'"):
        record_of(cluster)
    bucket.objects[saved["key"]] = archive_of(b"other").dump()
    with pytest.raises(InputError, match="is another archive"):
        record_of(cluster, bucket)
    with pytest.raises(VerificationError, match="does not have the stored archive"):
        record_of(cluster, bucket, "2.0.1").write({}, archive_of())


def test_what_version_0_1_attached_leads_back_too():
    cluster = MemoryCluster()
    store = ReleaseStore(cluster, "2.0.0", clock=FakeClock())
    Attachment(store, "functions").write(1, archive_of().dump())
    record = record_of(cluster)
    assert (record.archive, record.before()) == (None, archive_of())


def test_versions_that_are_none_are_refused():
    cluster = MemoryCluster()
    facts = {"edge_functions": {"known": {"a": [{"version": "x"}]}}}
    change = RecordChange(version="2.0.0", actor="ann", now="2025-11-10T14:00:00Z", facts=facts)
    ReleaseStore(cluster, "2.0.0", clock=FakeClock()).change(change, check_mode=False)
    with pytest.raises(VerificationError, match=r"has no valid versions of functions"):
        record_of(cluster)


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
