"""What the simulation tells of itself: what was tried is counted once, and nothing that was counted goes."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml

from scripts import guarantees
from tests.simulation import report, totals
from tests.simulation.totals import Totals

ROOT = Path(__file__).parents[2]


def tried(runs: int) -> Totals:
    return Totals(
        runs=runs,
        cpu=2.0 * runs,
        services=3 * runs,
        requests=100 * runs,
        checked=Counter({"fenced": 5 * runs}),
        faults=Counter({"lost": runs}),
        scripts=Counter({"deploy|done": runs, "deploy|killed": 1}),
        tasks=Counter({"a/main: Roll out|failed": runs}),
    )


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """Where sessions are, and what is kept of them."""
    monkeypatch.setattr(report, "TRIED", tmp_path / "tried.yml")
    for name in ("KEPT", "REACHED", "MUTANTS"):
        monkeypatch.setattr(report, name, tmp_path / name.lower())
    sessions = tmp_path / "sessions.jsonl"
    monkeypatch.setattr(totals.sessions, "__defaults__", (sessions,))
    return tmp_path


def test_sessions_are_added_up(folder):
    for runs in (2, 3):
        totals.append("abc", tried(runs), folder / "sessions.jsonl")
    found = totals.together(totals.sessions())
    assert (found.runs, found.requests, found.runs_a_minute) == (5, 500, 30.0)
    assert found.scripts == {"deploy|done": 5, "deploy|killed": 2}


def test_a_session_is_kept_once(folder):
    totals.append("abc", tried(2), folder / "sessions.jsonl")
    report.keep()
    report.keep()
    totals.append("def", tried(1), folder / "sessions.jsonl")
    report.keep()
    kept = yaml.safe_load((folder / "tried.yml").read_text("utf-8"))
    assert kept["runs"] == 3
    assert kept["checked"] == {"fenced": 15}


def test_the_screen_tells_what_of_the_tasks_ended_how(folder):
    totals.append(totals.commit(), tried(1234), folder / "sessions.jsonl")
    told = report.screen(report.gathered())
    assert "fenced 6,170 | 6,170" in told
    assert "deploy 1,234/0/1 | 1,234/0/1" in told
    assert "0/1,234/0" in told
    assert "mutants: not tried" in told


def test_coverage_and_mutants_are_told_with_their_commit(folder):
    areas = [{"name": "_lock", "lines": 200, "covered": 150, "unreached": [["plan.py: hold", 3]]}]
    reached = {"commit": "abc", "runs": 150, "areas": areas}
    (folder / "reached").write_text(json.dumps(reached), "utf-8")
    trials = [
        {"name": "one", "killed": True, "seconds": 2.0, "commit": "abc"},
        {"name": "two", "killed": False, "seconds": 120.0, "commit": "abc"},
    ]
    (folder / "mutants").write_text(json.dumps(trials), "utf-8")
    told = report.screen(report.gathered())
    assert "_lock 75 %" in told
    assert "_lock/plan.py: hold 3" in told
    assert "mutants at abc: 1 of 2 killed, in 2.0 s of CPU at the median; alive: two" in told


def test_a_sentence_that_nothing_was_compared_for_is_told_so():
    told = {**tried(2).to_dict(), "since": "2026-11-01", "until": "2026-11-02", "mutants": None}
    text = "| `fenced` | It is. |\n| `capacity` | It stays. | 7 |\n"
    made = guarantees.page(
        f"{text}{guarantees.BEGIN}\n{guarantees.END}\n", {**told, "coverage": {"_lock": 90}}
    )
    assert "| `fenced` | It is. | 10 |\n| `capacity` | It stays. | never |" in made
    assert "From 2026-11-01 to 2026-11-02 2 runs" in made
    assert "is not known" in made


def test_the_page_tells_what_was_kept():
    argv = [sys.executable, "scripts/guarantees.py", "--check"]
    ended = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout
