import errno
import os

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._backup import apply
from ansible_collections.easymo.deploy.plugins.module_utils._errors import InputError, RefusedError

KEY = "v2/supabase_prod_20251111_060012_5e1f0a.dump"


def test_the_copy_has_its_name_only_once_it_is_kept(tmp_path):
    with apply.opened(tmp_path, KEY) as copy:
        copy.write(b"PG")
        copy.write(b"DMP")
        assert [path.suffix for path in tmp_path.iterdir()] == [".part"]
        copy.keep()
    assert copy.path.read_bytes() == b"PGDMP"
    assert list(tmp_path.iterdir()) == [copy.path]


def fail_later(folder, *, copied):
    with apply.opened(folder, KEY) as copy:
        copy.write(b"PG")
        if copied:
            copy.keep()
        raise ValueError("later")


@pytest.mark.parametrize("copied", [False, True])
def test_a_failure_leaves_no_file_not_even_a_kept_one(tmp_path, copied):
    with pytest.raises(ValueError, match="later"):
        fail_later(tmp_path, copied=copied)
    assert list(tmp_path.iterdir()) == []


def test_without_a_folder_there_is_no_copy():
    with apply.opened(None, KEY) as copy:
        assert copy is None


def test_a_full_disk_is_one_sentence_that_names_the_folder(tmp_path, monkeypatch):
    def full(_descriptor, _content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(apply.os, "write", full)
    with (
        pytest.raises(RefusedError, match="No space left on device") as caught,
        apply.opened(tmp_path, KEY) as copy,
    ):
        copy.write(b"PG")
    assert str(tmp_path) in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_refused(tmp_path, monkeypatch):
    apply.refuse_unusable(tmp_path)
    monkeypatch.setattr(apply.os, "access", lambda *_arguments: False)
    with pytest.raises(InputError, match="may not write"):
        apply.refuse_unusable(tmp_path)
