import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._backup.catalog import (
    remove_remains,
    run_cleanup,
)
from ansible_collections.easymo.deploy.plugins.module_utils._backup.plan import manifest_key
from ansible_collections.easymo.deploy.plugins.module_utils._errors import (
    RefusedError,
    UnreachableError,
)
from tests.fakes.bucket import MemoryBucket

KEY = "v2/supabase_prod_20251111_060012_5e1f0a.dump"


@pytest.fixture
def bucket() -> MemoryBucket:
    return MemoryBucket({"v2/other.dump": b"x"})


def test_an_upload_and_a_dump_without_manifest_are_removed(bucket):
    bucket.start_upload(KEY)
    bucket.objects[KEY] = b"PGDMP"
    remove_remains(bucket, KEY)
    assert (bucket.uploads, bucket.objects) == ({}, {"v2/other.dump": b"x"})


def test_a_dump_with_its_manifest_stays(bucket):
    bucket.objects |= {KEY: b"PGDMP", manifest_key(KEY): b"{}"}
    remove_remains(bucket, KEY)
    assert KEY in bucket.objects


def test_who_may_not_list_uploads_aborts_the_one_that_was_noted(bucket, monkeypatch):
    def refuse(_prefix):
        raise RefusedError("no")
        yield

    monkeypatch.setattr(bucket, "list_uploads", refuse)
    upload = bucket.start_upload(KEY)
    remove_remains(bucket, KEY, [upload])
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
    run_cleanup(KEY, lambda: bucket, [], slept.append)
    assert bucket.uploads == {}
    assert len(slept) > 3


def test_the_will_is_given_up_when_s3_stays_away():
    bucket, slept = Away(10**6), []
    bucket.start_upload(KEY)
    run_cleanup(KEY, lambda: bucket, [], slept.append)
    assert sum(slept) < 600


def test_what_was_under_way_when_we_died_is_found_by_a_later_look():
    bucket = MemoryBucket()
    slept = [0.0]

    def arrive(seconds):
        slept.append(slept[-1] + seconds)
        if slept[-2] < 2 <= slept[-1]:
            bucket.objects[KEY] = b"PGDMP"

    run_cleanup(KEY, lambda: bucket, [], arrive)
    assert slept[-1] >= 2
    assert bucket.objects == {}
