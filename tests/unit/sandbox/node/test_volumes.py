import typing as t
from pathlib import Path

import pytest

from sandbox.node.volumes import located, projected, write

FOUND = {"data": {"A": "1", "B": "2"}}


@pytest.mark.parametrize(
    ("source", "found", "files"),
    [
        ({}, FOUND, {"A": "1", "B": "2"}),
        ({}, None, None),
        ({"optional": True}, None, {}),
        ({"items": [{"key": "A", "path": "a.txt"}]}, FOUND, {"a.txt": "1"}),
        ({"items": [{"key": "C", "path": "c"}]}, FOUND, None),
        ({"items": [{"key": "C", "path": "c"}], "optional": True}, FOUND, {}),
    ],
    ids=["all", "missing", "optional", "item", "missing key", "optional key"],
)
def test_which_files_a_volume_has(source: t.Any, found: t.Any, files: t.Any) -> None:
    assert projected({"configMap": {"name": "x", **source}}, found) == files


def test_the_same_content_is_not_written_again(tmp_path: Path) -> None:
    write(tmp_path, {"A": "1"})
    before = (tmp_path / "..data").readlink()
    write(tmp_path, {"A": "1"})
    assert (tmp_path / "..data").readlink() == before
    write(tmp_path, {"A": "2"})
    assert (tmp_path / "..data").readlink() != before
    assert (tmp_path / "A").read_text() == "2"


def test_a_path_is_looked_for_in_the_nearest_mount() -> None:
    mounts = {"/etc": Path("/a"), "/etc/flags": Path("/b"), "/etc/one": Path("/c/file")}
    assert located(mounts, "/etc/flags/X") == Path("/b/X")
    assert located(mounts, "/etc/flagship") == Path("/a/flagship")
    assert located(mounts, "/etc/one") == Path("/c/file")
    assert located(mounts, "/usr") == Path("/usr")
