from pathlib import Path

from sandbox.node.volumes import located, projected, write
from tests.tables import cases

FOUND = {"data": {"A": "1", "B": "2"}}


@cases(
    ("source", "found", "files"),
    {
        "all": ({}, FOUND, {"A": "1", "B": "2"}),
        "missing": ({}, None, None),
        "optional": ({"optional": True}, None, {}),
        "item": ({"items": [{"key": "A", "path": "a.txt"}]}, FOUND, {"a.txt": "1"}),
        "missing key": ({"items": [{"key": "C", "path": "c"}]}, FOUND, None),
        "optional key": ({"items": [{"key": "C", "path": "c"}], "optional": True}, FOUND, {}),
    },
)
def test_which_files_a_volume_has(source, found, files):
    assert projected({"configMap": {"name": "x", **source}}, found) == files


def test_the_same_content_is_not_written_again(tmp_path):
    write(tmp_path, {"A": "1"})
    before = (tmp_path / "..data").readlink()
    write(tmp_path, {"A": "1"})
    assert (tmp_path / "..data").readlink() == before
    write(tmp_path, {"A": "2"})
    assert (tmp_path / "..data").readlink() != before
    assert (tmp_path / "A").read_text() == "2"


def test_a_path_is_looked_for_in_the_nearest_mount():
    mounts = {"/etc": Path("/a"), "/etc/flags": Path("/b"), "/etc/one": Path("/c/file")}
    assert located(mounts, "/etc/flags/X") == Path("/b/X")
    assert located(mounts, "/etc/flagship") == Path("/a/flagship")
    assert located(mounts, "/etc/one") == Path("/c/file")
    assert located(mounts, "/usr") == Path("/usr")
