from datetime import UTC, datetime, timedelta

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._backup.catalog import (
    UnfinishedBackup,
    find_remains,
    plan_sweep,
    read_catalog,
    run_cleanup,
)
from ansible_collections.easymo.deploy.plugins.module_utils._backup.plan import manifest_key
from ansible_collections.easymo.deploy.plugins.module_utils._errors import (
    RefusedError,
    UnreachableError,
)
from ansible_collections.easymo.deploy.plugins.module_utils._s3 import StoredObject, Unfinished
from tests.fakes.bucket import MemoryBucket

KEY = "v2/supabase_prod_20251111_060012_5e1f0a.dump"
NOW = datetime(2025, 11, 11, 12, 0, tzinfo=UTC)


@pytest.fixture
def bucket() -> MemoryBucket:
    return MemoryBucket({"v2/other.dump": b"x"})


def test_an_upload_and_a_dump_without_manifest_are_removed(bucket):
    bucket.start_upload(KEY)
    bucket.objects[KEY] = b"PGDMP"
    UnfinishedBackup(KEY).remove(bucket)
    assert (bucket.uploads, bucket.objects) == ({}, {"v2/other.dump": b"x"})


def test_a_dump_with_its_manifest_stays_and_so_does_its_copy(bucket, tmp_path):
    bucket.objects |= {KEY: b"PGDMP", manifest_key(KEY): b"{}"}
    part, final = tmp_path / "x.part", tmp_path / "x"
    final.touch()
    UnfinishedBackup(KEY, (part, final)).remove(bucket)
    assert KEY in bucket.objects
    assert final.exists()


def test_both_files_of_an_unfinished_copy_are_removed(bucket, tmp_path):
    part, final = tmp_path / "x.part", tmp_path / "x"
    for path in (part, final, tmp_path / "other"):
        path.touch()
    UnfinishedBackup(KEY, (part, final)).remove(bucket)
    assert [path.name for path in tmp_path.iterdir()] == ["other"]


def test_who_may_not_list_uploads_aborts_the_one_that_was_noted(bucket, monkeypatch):
    def refuse(_prefix):
        raise RefusedError("no")
        yield

    monkeypatch.setattr(bucket, "list_uploads", refuse)
    upload = bucket.start_upload(KEY)
    UnfinishedBackup(KEY).remove(bucket, [upload])
    assert bucket.uploads == {}


class Away(MemoryBucket):
    """Not there for the first requests."""

    def __init__(self, requests: int) -> None:
        super().__init__()
        self.away = requests

    def list_uploads(self, prefix):
        if self.away:
            self.away -= 1
            raise UnreachableError("away")
        return super().list_uploads(prefix)


def test_the_will_is_executed_when_s3_comes_back():
    bucket, slept = Away(3), []
    bucket.start_upload(KEY)
    run_cleanup(UnfinishedBackup(KEY), lambda: bucket, [], slept.append)
    assert bucket.uploads == {}
    assert len(slept) > 3


def test_the_will_is_given_up_when_s3_stays_away():
    bucket, slept = Away(10**6), []
    bucket.start_upload(KEY)
    run_cleanup(UnfinishedBackup(KEY), lambda: bucket, [], slept.append)
    assert sum(slept) < 600


def test_what_was_under_way_when_we_died_is_found_by_a_later_look():
    bucket = MemoryBucket()
    slept = [0.0]

    def arrive(seconds):
        slept.append(slept[-1] + seconds)
        if slept[-2] < 2 <= slept[-1]:
            bucket.objects[KEY] = b"PGDMP"

    run_cleanup(UnfinishedBackup(KEY), lambda: bucket, [], arrive)
    assert slept[-1] >= 2
    assert bucket.objects == {}


def sweep(*, upload=None, dump=None, timeout=3600):
    uploads = [Unfinished(key, "u", NOW - age) for key, age in upload or []]
    dumps = [StoredObject(key, 1, NOW - age) for key, age in dump or []]
    return plan_sweep(
        uploads, dumps, prefix="v2/", name="supabase_prod", timeout=timeout, now=NOW
    ).keys


HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("age", "timeout", "goes"),
    [
        (2.9 * HOUR, 3600, False),
        (3.1 * HOUR, 3600, True),
        (2.9 * HOUR, 1, False),
        (4.9 * HOUR, 7200, False),
        (5.1 * HOUR, 7200, True),
    ],
)
def test_only_what_cannot_be_alive_is_swept(age, timeout, goes):
    expected = [KEY] if goes else []
    assert sweep(upload=[(KEY, age)], timeout=timeout) == expected
    assert sweep(dump=[(KEY, age)], timeout=timeout) == expected


@pytest.mark.parametrize(
    "key",
    [
        "v2/supabase_prod_old_20251111_060012_5e1f0a.dump",
        "v2/supabase_prod_20251111_060012.dump",
        "v2/supabase_prod_20251111_060012_5e1f0a.dump.gz",
        "v2/supabase_prod_notes.txt",
        "v1/supabase_prod_20251111_060012_5e1f0a.dump",
    ],
)
def test_the_keys_of_others_are_never_touched(key):
    assert sweep(upload=[(key, 99 * HOUR)], dump=[(key, 99 * HOUR)]) == []


def test_a_sweep_removes_just_what_it_found(bucket):
    manifest = manifest_key("v2/supabase_prod_20251110_060012_000001.dump")
    sealed = {manifest.removesuffix(".manifest.json"): b"PGDMP", manifest: b"{}"}
    bucket.objects |= {KEY: b"PGDMP", **sealed}
    bucket.start_upload(KEY)
    catalog = read_catalog(bucket, prefix="v2/", name="supabase_prod")
    later = bucket.now + 9 * HOUR
    remains = find_remains(bucket, catalog, "v2/", "supabase_prod", timeout=60, now=later)
    assert remains.keys == [KEY]
    remains.apply(bucket)
    assert bucket.uploads == {}
    assert bucket.objects == {"v2/other.dump": b"x", **sealed}


def test_what_cannot_be_swept_is_a_warning(bucket, monkeypatch):
    def refuse(*_arguments):
        raise RefusedError("not allowed.")

    monkeypatch.setattr(bucket, "delete", refuse)
    monkeypatch.setattr(bucket, "list_uploads", refuse)
    bucket.objects[KEY] = b"PGDMP"
    catalog = read_catalog(bucket, prefix="v2/", name="supabase_prod")
    later = bucket.now + 9 * HOUR
    remains = find_remains(bucket, catalog, "v2/", "supabase_prod", timeout=60, now=later)
    remains.apply(bucket)
    assert [problem.rpartition(": ")[2] for problem in remains.problems] == ["not allowed."] * 2
