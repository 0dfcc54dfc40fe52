# SPDX-License-Identifier: GPL-3.0-or-later
"""Screens drawn again from the recorded events of real runs, as they lie in `recorded/`, and what must hold for each.

With EASYMO_REDRAW=1 the files are written anew: read the difference before it is committed.
"""

from __future__ import annotations

import gzip
import json
import os
import typing as t
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._terminal import events
from ansible_collections.easymo.deploy.plugins.module_utils._terminal.commands import Command
from ansible_collections.easymo.deploy.plugins.module_utils._terminal.console import Console
from ansible_collections.easymo.deploy.plugins.module_utils._terminal.layout import clipped, width
from ansible_collections.easymo.deploy.plugins.module_utils._terminal.models import Planned

HERE = Path(__file__).parent
RUNS = sorted(one.name.partition(".")[0] for one in (HERE / "events").glob("*.jsonl.gz"))
MOST = {"green": 80, "again": 80, "resume": 80, "check": 80, "failing": 60, "hold": 60}
"""Lines; every other playbook has 25."""
BEAT = 0.5
"""Seconds between two looks at the line that is drawn anew."""
COMMANDS = ("  next ", "  or ", "  back ", "  look ", "  detail ")


def read(fields: dict[str, t.Any]) -> events.Event:
    """What the recorder wrote."""
    kind = getattr(events, fields.pop("kind"))
    if "task" in fields:
        fields["task"] = events.Task(**fields["task"])
    if "hosts" in fields:
        fields["hosts"] = tuple(fields["hosts"])
    if "command" in fields:
        typed = fields["command"].items()
        listed = {name: tuple(one) if isinstance(one, list) else one for name, one in typed}
        fields["command"] = Command(**listed)
        fields["plan"] = tuple(Planned(**one) for one in fields["plan"])
    return t.cast("events.Event", kind(**fields))


def recording(run: str) -> list[events.Event]:
    with gzip.open(HERE / "events" / f"{run}.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [read(json.loads(line)) for line in lines]


def drawn(run: str, columns: int, *, terminal: bool = False, verbose: bool = False) -> list[str]:
    """At a terminal also each line that is drawn anew, behind an arrow, when its words change."""
    console, shown, last = Console(verbose=verbose), [], ""
    beat = 0.0
    for event in recording(run):
        while terminal and beat < event.at:
            told = console.live.text(beat).partition("  ")[2]
            if told and told != last:
                shown.append(clipped(f"↻   … {told}", columns - 1))
            last = told
            beat += BEAT
        shown += [line.text for line in console.on(event, columns)]
    return shown


WAYS = {
    **{f"{columns}": {"columns": columns} for columns in (60, 80, 140)},
    **{f"{columns}-terminal": {"columns": columns, "terminal": True} for columns in (80, 140)},
    "verbose": {"columns": 80, "verbose": True},
}


EVERYWHERE = ("80", "140-terminal")
"""A log, and a terminal that is drawn anew: recorded of every run. The other ways differ in layout alone."""
IN_EVERY_WAY = ("check", "failing", "green", "rollback")


@pytest.mark.parametrize(
    ("run", "way"),
    [(run, way) for run in RUNS for way in WAYS if way in EVERYWHERE or run in IN_EVERY_WAY],
)
def test_the_screen_is_as_recorded(run: str, way: str) -> None:
    shown = "\n".join(drawn(run, **WAYS[way])) + "\n"
    file = HERE / "recorded" / f"{run}-{way}.txt"
    if os.environ.get("EASYMO_REDRAW"):
        file.write_text(shown, "utf-8")
    assert shown == file.read_text("utf-8")


@pytest.mark.parametrize("run", RUNS)
def test_a_run_is_within_its_lines(run: str) -> None:
    most = 60 if run.startswith(("failing_", "hold_", "not_")) else MOST.get(run, 25)
    assert len(drawn(run, 80)) <= most


@pytest.mark.parametrize("columns", [60, 80, 140])
@pytest.mark.parametrize("run", RUNS)
def test_no_line_is_wider_than_the_terminal_but_a_command_and_a_path(
    run: str, columns: int
) -> None:
    wide = [line for line in drawn(run, columns, terminal=True) if width(line) > columns]
    copied = (*COMMANDS, "ansible-playbook ")
    wide = [one for one in wide if not any(word in one for word in copied) and " " in one.strip()]
    assert wide == []


@pytest.mark.parametrize("run", RUNS)
def test_nothing_is_said_twice(run: str) -> None:
    said = [line.strip() for line in drawn(run, 140) if len(line.strip()) > 60]
    assert sorted(said) == sorted(set(said))


def test_a_list_of_all_that_is_missing_is_whole_where_no_file_has_it() -> None:
    missing = [f"secret_number_{number}" for number in range(90)]
    console, shown = Console(), []
    for event in recording("typo"):
        result = getattr(event, "result", {})
        if "Unknown variable" in str(result.get("msg")):
            event = replace(event, result={**result, "msg": f"Missing: {', '.join(missing)}."})
        shown += [line.text for line in console.on(event, 80)]
    told = " ".join(shown)
    assert [one for one in missing if one not in told] == []
    assert "…" not in told


def test_a_difference_that_was_asked_for_stands_whole_behind_what_came_before() -> None:
    console, shown = Console(), []
    whole = recording("check")
    place = next(n for n, one in enumerate(whole) if isinstance(one, events.PlayBegun) and n > 3)
    for event in whole[: place + 1]:
        shown += console.on(event, 80)
    task = events.Task(
        "1", "easymo.deploy.feature_flags : Set the flags", "easymo.deploy.feature_flags"
    )
    diff = "--- before\n+++ after\n-  FEATURE_AI_AGENTS: 'false'\n+  FEATURE_AI_AGENTS: 'true'\n"
    lines = [line.text for line in console.differs(task, "localhost", [diff])]
    assert lines[-5:] == [
        "    ± Set the flags · localhost",
        "      --- before",
        "      +++ after",
        "      -  FEATURE_AI_AGENTS: 'false'",
        "      +  FEATURE_AI_AGENTS: 'true'",
    ]
    # The phase that it belongs to has its heading first.
    assert [line for line in lines[:-5] if line.startswith("2/8 Database")]


def test_a_run_at_a_terminal_shows_in_the_end_what_a_log_shows() -> None:
    at_a_terminal = [one for one in drawn("failing", 80, terminal=True) if not one.startswith("↻")]
    assert at_a_terminal == drawn("failing", 80)


def test_a_run_that_is_cut_off_says_where_and_how_to_go_on() -> None:
    whole = recording("green")
    place = next(
        number
        for number, one in enumerate(whole)
        if isinstance(one, events.Reported) and one.event == "RolloutProgress"
    )
    console = Console()
    for event in whole[:place]:
        console.on(event)
    at = whole[place].at
    shown = [line.text for line in console.on(events.RunEnded("interrupted", at))]
    assert shown[1].startswith("✗ INTERRUPTED in 4/8 Microservices, ")
    place = next(number for number, line in enumerate(shown) if line.startswith("  next "))
    typed = shown[place]
    assert typed.startswith("  next     .venv/bin/ansible-playbook playbooks/deploy.yml -i ")
    assert "--tags microservices,feature_flags,smoke_tests,monitoring,sign_off -e " in typed
    assert [line.split()[0] for line in shown[place + 1 :]] == ["back"]


def test_hosts_that_fail_in_the_same_wave_are_each_told() -> None:
    def also(event: events.Event) -> events.Event:
        """The neighbour in the wave fails as well."""
        ended = isinstance(event, events.TaskEnded) and event.host == "vendor-service"
        if not ended or event.task.action != "easymo.deploy.wave_result":
            return event
        said = {"reason": "CrashLoop", "msg": "It crashes.", "result": "rollback_failed"}
        return replace(event, status="failed", result={**event.result, **said})

    console = Console()
    shown = [line.text for one in recording("failing") for line in console.on(also(one), 80)]
    assert "    ✗ wave 2     wallet-service  image not found" in shown
    assert "    ✗ wave 2     vendor-service  crash loop" in shown
    assert "    ✗ ↩ vendor-service did not come back" in shown
    assert "           and 1 other failure, see detail" in shown


def test_a_container_s_last_lines_are_shown_without_what_a_terminal_would_obey() -> None:
    def crashed(event: events.Event) -> events.Event:
        if not isinstance(event, events.TaskEnded) or event.result.get("reason") != "ImageNotFound":
            return event
        lines = ["first", "\x1b[31mKey \x1b[0mnot found: ключ ✅", "\x1b]0;title\x07end\r\n"]
        return replace(event, result={**event.result, "diagnosis": {"logs": {"pod": lines}}})

    console = Console()
    shown = [line.text for one in recording("failing") for line in console.on(crashed(one), 80)]
    place = shown.index("  log      first")
    assert shown[place + 1 : place + 3] == ["           Key not found: ключ ✅", "           end"]


def test_what_has_no_room_in_the_cause_is_named_there_and_told_above() -> None:
    def at_length(event: events.Event) -> events.Event:
        if not isinstance(event, events.TaskEnded) or "sentence" not in event.result:
            return event
        return replace(event, result={**event.result, "sentence": "x" * 500})

    console = Console()
    whole = recording("failing_preflight")
    shown = [line.text for one in whole for line in console.on(at_length(one), 140)]
    told = "    ✗ check      on_call: nobody is on call in the schedule PONCALL: find somebody until 12:36 UTC"
    cause = "  cause    1 of 48 checks stand against the release: (1) on_call (above). The platform was not"
    assert told in shown
    assert cause in shown


def test_the_next_command_is_without_what_was_refused() -> None:
    def typed(event: events.Event) -> events.Event:
        if not isinstance(event, events.RunBegun):
            return event
        extra = ("right=1", '{"typo": {}, "other": "x"}')
        return replace(event, command=replace(event.command, extra=extra))

    console = Console()
    shown = [line.text for one in recording("typo") for line in console.on(typed(one), 80)]
    told = next(line for line in shown if line.startswith("  next "))
    assert told.endswith(""" -e right=1 -e '{"other": "x"}'""")


def test_a_result_of_a_megabyte_is_told_in_a_few_lines() -> None:
    def loud(event: events.Event) -> events.Event:
        if not isinstance(event, events.TaskEnded) or event.result.get("reason") != "ImageNotFound":
            return event
        return replace(event, result={**event.result, "msg": "no " * 400_000})

    console = Console()
    shown = [line.text for one in recording("failing") for line in console.on(loud(one), 80)]
    assert len(shown) <= MOST["failing"]


def test_a_phase_that_the_release_does_not_have_is_shown_to_whoever_asked_for_it_alone() -> None:
    def shown(*tags: str) -> list[str]:
        begun = t.cast("events.RunBegun", recording("green")[0])
        plan = tuple(one for one in begun.plan if one.name != "edge_functions")
        command = replace(begun.command, tags=tags or begun.command.tags)
        console = Console()
        console.on(replace(begun, plan=plan, command=command))
        lines = console.on(
            events.PlayBegun("Phase 3: edge functions", "edge_functions", ("localhost",))
        )
        return [line.text for line in lines]

    assert shown() == []
    assert shown("edge_functions")[-1] == "    - edge_functions is not a phase of this release"
