# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal of a run: every event a line, and never a reason for a run to fail."""

from __future__ import annotations

import json

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._report.journal import (
    LINE_LIMIT,
    Journal,
)


@pytest.fixture
def warnings():
    return []


@pytest.fixture
def journal(warnings):
    return Journal(warnings.append, limit=100_000, now=lambda: "2026-11-24T09:00:00.000Z")


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_what_came_before_it_was_opened_is_in_it(journal, tmp_path):
    path = tmp_path / "new" / "journal.jsonl"
    journal.write("run_started", playbook="deploy.yml", none=None)
    journal.open(path)
    journal.write("play_started", play="Phase 1")
    at = "2026-11-24T09:00:00.000Z"
    assert lines(path) == [
        {"at": at, "event": "run_started", "playbook": "deploy.yml"},
        {"at": at, "event": "play_started", "play": "Phase 1"},
    ]
    assert path.stat().st_mode & 0o077 == 0


def test_a_second_run_appends(journal, tmp_path, warnings):
    path = tmp_path / "journal.jsonl"
    for one in (journal, Journal(warnings.append, limit=100_000)):
        one.open(path)
        one.write("run_started")
        one.close()
    assert len(lines(path)) == 2


def test_a_folder_that_cannot_be_written_is_one_warning(journal, tmp_path, warnings):
    (tmp_path / "file").write_text("")
    journal.write("run_started")
    journal.open(tmp_path / "file" / "journal.jsonl")
    journal.write("play_started")
    assert len(warnings) == 1
    assert "goes on without it" in warnings[0]


def test_a_full_journal_says_so_and_stops(warnings, tmp_path):
    journal = Journal(warnings.append, limit=500)
    journal.open(tmp_path / "j")
    for _number in range(100):
        journal.write("progress", msg="x" * 50)
    assert lines(tmp_path / "j")[-1]["event"] == "journal_full"
    assert (tmp_path / "j").stat().st_size < 700
    assert len(warnings) == 1


def test_a_huge_result_does_not_make_a_huge_line(journal, tmp_path):
    journal.open(tmp_path / "j")
    journal.write("task_ok", result={"x": "y" * 100_000}, msg="m")
    journal.write("task_failed", msg="z" * 100_000)
    first, second = lines(tmp_path / "j")
    assert (first["truncated"], first["msg"]) == (True, "m")
    assert len(json.dumps(second)) < LINE_LIMIT


def test_a_disabled_journal_keeps_nothing(journal, tmp_path):
    journal.write("run_started")
    journal.disable()
    journal.write("play_started")
    assert not list(tmp_path.iterdir())
