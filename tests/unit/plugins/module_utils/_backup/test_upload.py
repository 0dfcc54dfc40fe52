import hashlib
import io

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._backup import programs
from ansible_collections.easymo.deploy.plugins.module_utils._backup.programs import (
    Upload,
    part_size,
)
from ansible_collections.easymo.deploy.plugins.module_utils._errors import UnreachableError
from tests.fakes.bucket import MemoryBucket


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(programs, "_PART", 8)
    monkeypatch.setattr(programs, "_IN_FLIGHT", 16)


def ignore(_size: int) -> None:
    pass


@pytest.mark.parametrize("size", [1, 8, 9, 1000])
def test_what_is_sent_is_what_is_stored(size):
    bucket = MemoryBucket()
    content = bytes(number % 251 for number in range(size))
    upload = Upload(bucket, "key")
    upload.send(io.BytesIO(content), ignore)
    upload.complete()
    assert bucket.objects == {"key": content}
    assert (upload.size, upload.sha256) == (size, hashlib.sha256(content).hexdigest())


def test_nothing_is_stored_before_completion():
    bucket = MemoryBucket()
    Upload(bucket, "key").send(io.BytesIO(b"x" * 100), ignore)
    assert not bucket.objects


def test_a_lost_part_loses_all():
    bucket = MemoryBucket()
    bucket.fail_part = 2
    upload = Upload(bucket, "key")
    upload.send(io.BytesIO(b"x" * 16), ignore)
    with pytest.raises(UnreachableError, match="part 2"):
        upload.complete()
    upload.stop()
    assert not bucket.objects


def test_parts_grow_so_that_ten_thousand_are_enough(monkeypatch):
    monkeypatch.undo()
    assert part_size(0) == 8 << 20
    assert sum(part_size(number) for number in range(10_000)) > 900 << 30


def test_parts_stay_small_for_every_realistic_dump(monkeypatch):
    monkeypatch.undo()
    small = [size for size in map(part_size, range(10_000)) if size <= 32 << 20]
    assert sum(small) > 87 << 30
