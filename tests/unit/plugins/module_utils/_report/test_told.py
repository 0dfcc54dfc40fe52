"""A journal tells which tasks took long and what was tried again; damage is told, and rehearsals don't count."""

import json

from ansible_collections.easymo.deploy.plugins.module_utils._report.journal import (
    read_journal,
)
from ansible_collections.easymo.deploy.plugins.module_utils._time import parse_time


def line(event, minute, run="r1", **fields):
    at = f"2026-11-24T06:{minute:02}:00Z"
    return json.dumps({"run": run, "seq": 1, "at": at, "event": event, **fields}) + "\n"


def task(minute, name, duration, event="task_ok", run="r1"):
    return line(event, minute, run, task=name, host="localhost", duration=duration)


def rows(lines, since=None, until=None):
    return {
        table.title: [[cell.text for cell in row] for row in table.rows]
        for table in read_journal(
            lines, parse_time(since) if since else None, parse_time(until) if until else None
        )
    }


def test_the_longest_tasks_come_first():
    found = rows(
        [task(1, "Quick", 0.2), task(2, "Back up", 186.0), task(3, "Roll", 40.5, "task_failed")]
    )
    longest = found["Longest tasks"]
    assert [row[0] for row in longest] == ["Back up", "Roll", "Quick"]
    assert longest[0][2] == "3 min 6 s"
    assert longest[1][3] == "failed"


def test_only_the_ten_longest_are_kept_however_long_the_journal_is():
    found = rows([task(1, f"t{n}", n) for n in range(2000)])
    assert [row[0] for row in found["Longest tasks"]] == [f"t{n}" for n in range(1999, 1989, -1)]


def test_what_was_tried_again_is_counted():
    found = rows([line("task_retried", 1, task="Ask", host="a")] * 3 + [task(2, "Ask", 9)])
    assert found["Retried tasks"] == [["Ask", "a", "3"]]


def test_damaged_lines_are_counted_and_told():
    (table,) = read_journal(["{\n", "[]\n", "\n", "[" * 100_000, task(1, "Roll", 1)], None, None)
    assert table.lead == "3 lines of the journal could not be read."
    assert len(table.rows) == 1


def test_rehearsals_and_what_ran_before_or_after_the_release_do_not_count():
    lines = [
        line("run_started", 12, "dry", check=True), line("run_started", 2, "real", check=False),
        task(13, "Rehearsed", 99, run="dry"), task(3, "Before", 98, run="real"),
        task(11, "Inside", 1, run="real"), task(31, "After", 97, run="real"),
    ]  # fmt: skip
    found = rows(lines, "2026-11-24T06:10:00Z", "2026-11-24T06:30:00Z")
    assert [row[0] for row in found["Longest tasks"]] == ["Inside"]


def test_an_empty_journal_adds_nothing():
    assert read_journal([], None, None) == ()
