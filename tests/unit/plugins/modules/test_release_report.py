# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.easymo.deploy.plugins.modules import release_report

RECORD = {
    "version": "2.0.0",
    "status": "running",
    "phases": {},
    "facts": {"note": "token=abcdefgh"},
}


@pytest.fixture
def run_module(capsys, tmp_path):
    def run(**args):
        given = {"record": RECORD, "dest": str(tmp_path / "report"), **args}
        with patch_module_args(given), pytest.raises(SystemExit):
            release_report.main()
        return json.loads(capsys.readouterr().out)

    return run


def test_check_mode_predicts_without_writing(run_module, tmp_path):
    result = run_module(_ansible_check_mode=True, _ansible_diff=True)
    assert result["changed"] is True
    assert result["diff"]["before"] == ""
    assert "IN PROGRESS" in result["diff"]["after"]
    assert not list(tmp_path.iterdir())


def test_the_same_record_changes_nothing_and_another_does(run_module):
    assert [run_module()["changed"] for _time in range(2)] == [True, False]
    assert run_module(record={**RECORD, "status": "failed"})["changed"] is True


def test_the_files_are_written_without_secrets(run_module, tmp_path):
    result = run_module()
    for path in result["files"].values():
        assert "abcdefgh" not in Path(path).read_text(encoding="utf-8")
    assert {p.name for p in (tmp_path / "report").iterdir()} == {
        "report.html",
        "report.txt",
        "report.json",
        "lessons.md",
    }


def test_the_runbooks_phases_are_expected_unless_others_are_planned(run_module):
    assert "Smoke tests" in run_module()["missing"][0]
    other = run_module(plan=[{"name": "database", "minutes": 5}])
    assert other["missing"][0] == "Phases that were not run: Database."


def test_a_dest_that_is_a_file_is_refused(run_module, tmp_path):
    (tmp_path / "file").write_text("")
    result = run_module(dest=str(tmp_path / "file"))
    assert (result["failed"], result["reason"]) == (True, "InvalidInput")
