"""The journal of a run: every event a line, and never a reason for a run to fail."""

import json
import re
import threading

import pytest

from ansible_collections.easymo.deploy.plugins.callback import journal as module
from ansible_collections.easymo.deploy.plugins.callback.journal import LINE_LIMIT, Journal


@pytest.fixture
def warnings():
    return []


@pytest.fixture
def journal(warnings, monkeypatch):
    monkeypatch.setattr(module, "utc_milliseconds", lambda: "2026-11-24T09:00:00.000Z")
    return Journal(warnings.append)


def lines(path):
    """A run that begins beside another one may leave an empty line."""
    written = path.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in written if line.strip()]


def test_a_line_has_its_run_its_number_and_its_time(journal, tmp_path):
    path = tmp_path / "new" / "journal.jsonl"
    journal.open(path)
    journal.write("run_started", playbook="deploy.yml", none=None)
    journal.write("play_started", play="Phase 1")
    head = {"run": journal.run, "at": "2026-11-24T09:00:00.000Z"}
    assert lines(path) == [
        {**head, "seq": 1, "event": "run_started", "playbook": "deploy.yml"},
        {**head, "seq": 2, "event": "play_started", "play": "Phase 1"},
    ]
    assert re.fullmatch(r"20261124T090000Z-[0-9a-f]{8}", journal.run)


def test_only_its_owner_may_read_it_whoever_made_it(journal, tmp_path):
    path = tmp_path / "journal.jsonl"
    path.touch(mode=0o644)
    journal.open(path)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_torn_line_of_an_earlier_run_does_not_spoil_the_next_one(journal, tmp_path):
    path = tmp_path / "journal.jsonl"
    path.write_text('{"run": "a", "seq": 1, "at": "x", "event": "run_star')
    journal.open(path)
    journal.write("run_started")
    torn, whole = path.read_text("utf-8").splitlines()
    assert torn.endswith("run_star")
    assert json.loads(whole)["run"] == journal.run


def test_runs_that_write_at_the_same_time_do_not_mix(tmp_path, warnings):
    path = tmp_path / "journal.jsonl"
    journals = [Journal(warnings.append) for _each in range(4)]

    def write(one):
        one.open(path)
        for number in range(200):
            one.write("progress", msg="x" * number)
        one.close()

    threads = [threading.Thread(target=write, args=(one,)) for one in journals]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seen = {one.run: [] for one in journals}
    for one in lines(path):
        seen[one["run"]].append(one["seq"])
    assert list(seen.values()) == [list(range(1, 201))] * 4


def test_threads_of_one_run_number_their_lines_in_order(journal, tmp_path):
    journal.open(tmp_path / "j")
    threads = [
        threading.Thread(target=lambda: [journal.write("progress") for _n in range(100)])
        for _each in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [line["seq"] for line in lines(tmp_path / "j")] == list(range(1, 401))


def test_a_second_run_appends(journal, tmp_path, warnings):
    path = tmp_path / "journal.jsonl"
    for one in (journal, Journal(warnings.append)):
        one.open(path)
        one.write("run_started")
        one.close()
    assert len(lines(path)) == 2


def test_a_folder_that_cannot_be_written_is_one_warning(journal, tmp_path, warnings):
    (tmp_path / "file").write_text("")
    journal.open(tmp_path / "file" / "journal.jsonl")
    journal.write("play_started")
    assert len(warnings) == 1
    assert "goes on without it" in warnings[0]


def test_a_full_journal_says_so_and_stops(warnings, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "BYTES", 500)
    journal = Journal(warnings.append)
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


def test_a_journal_that_was_never_opened_or_is_closed_keeps_nothing(journal, tmp_path):
    journal.write("run_started")
    journal.open(tmp_path / "j")
    journal.close()
    journal.write("play_started")
    assert lines(tmp_path / "j") == []
