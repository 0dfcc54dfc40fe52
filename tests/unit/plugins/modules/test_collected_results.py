import typing as t
from pathlib import Path

import pytest

from ansible_collections.easymo.deploy.plugins.modules import smoke_tests
from tests.module_runner import run_module

ROW = {"name": "A", "kind": "health", "status": "pass", "seconds": 0.25, "detail": "well"}


def write(dest: Path, *rows: dict[str, t.Any], **how: bool) -> dict[str, t.Any]:
    given = {"suite": "s", "collected": list(rows or [ROW]), "junit": str(dest)}
    return run_module(smoke_tests, **given, **how)


def test_the_lines_are_told_and_the_file_is_written_only_in_a_run_for_real(tmp_path):
    dest = tmp_path / "folder" / "smoke.xml"
    assert write(dest, check=True)["lines"] == ["✅ A: PASS (well; 0.25 s)"]
    assert not dest.parent.exists()
    assert not write(dest)["changed"]
    assert 'name="A"' in dest.read_text("utf-8")


def test_what_has_the_form_of_a_secret_is_blanked_out(tmp_path):
    dest = tmp_path / "smoke.xml"
    write(dest, {**ROW, "detail": "said password=hunter2"})
    assert "hunter2" not in dest.read_text("utf-8")


@pytest.mark.parametrize("dest", ["", "file/smoke.xml"], ids=["a folder", "below a file"])
def test_a_place_that_is_none_is_one_sentence(tmp_path, dest):
    (tmp_path / "file").write_text("")
    result = write(tmp_path / dest)
    assert (result["failed"], result["reason"]) == (True, "InvalidInput")


def test_a_result_without_a_name_is_refused(tmp_path):
    result = write(tmp_path / "smoke.xml", {"status": "pass"})
    assert result["msg"] == "1 of 1 results have no 'name'."
