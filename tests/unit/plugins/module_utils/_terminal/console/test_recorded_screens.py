"""Screens drawn again from the recorded events of real runs, as they lie in `recorded/`, and what must hold for each.

With EASYMO_REDRAW=1 the files are written anew: read the difference before it is committed.
"""

import gzip
import json
import os
import re
import typing as t
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._formats import shortened
from ansible_collections.easymo.deploy.plugins.module_utils._release.order import (
    SUPERSEDES,
    by_name,
)
from ansible_collections.easymo.deploy.plugins.module_utils._story.next_step import commands_in
from ansible_collections.easymo.deploy.plugins.module_utils._story.plan import Plan, Planned
from ansible_collections.easymo.deploy.plugins.module_utils._terminal import models
from ansible_collections.easymo.deploy.plugins.module_utils._terminal.commands import (
    Command,
    Typed,
)
from ansible_collections.easymo.deploy.plugins.module_utils._terminal.console import Console
from ansible_collections.easymo.deploy.plugins.module_utils._variable_check import typed_unchanged

HERE = Path(__file__).parent
RUNS = sorted(one.name.partition(".")[0] for one in (HERE / "events").glob("*.jsonl.gz"))
MOST = {
    "green": 80,
    "again": 80,
    "resume": 80,
    "check": 80,
    "failing": 60,
    "hold": 60,
    "rollback": 26,
}
"""Lines; every other playbook has 25."""
BEAT = 0.5
"""Seconds between two looks at the line that is drawn anew."""
HEADING = re.compile(r"\d/\d ")
BESIDE_ONCE = ("rollback", "ramp", "status", "diagnose")
COMMANDS = ("  next ", "  or ", "  back ", "  look ", "  detail ")


def read(fields: dict[str, t.Any]) -> models.Event:
    """What the recorder wrote."""
    kind = getattr(models, fields.pop("kind"))
    # Recordings have when a run began, which no line tells any more.
    fields.pop("began", None)
    if "task" in fields:
        if fields["task"]["action"] == "easymo.deploy.pod_flags":
            # Recorded before feature_flags proved what pods run.
            fields["task"]["action"] = "easymo.deploy.feature_flags"
            for result in (fields.get("result") or {}).pop("results", ()):
                told = fields["result"].setdefault("consumers", {})
                told[result["_ansible_item_label"]] = result
        if "report.html" in str((fields.get("result") or {}).get("msg")):
            # Recorded before the module release_report said where its report lies.
            fields["result"].pop("msg")
        probes = (fields.get("result") or {}).pop("probes", ())
        if probes and "outcome" in probes[0]:
            # Recorded before exchanges with the webhook were a smoke test, and calls of functions checks.
            fields["task"]["action"] = "easymo.deploy.smoke_tests"
            probes = [{"name": "webhook", "detail": f"{len(probes)} of {len(probes)} well"}]
            fields["result"]["results"] = [{**probes[0], "kind": "webhook", "status": "pass"}]
        elif probes:
            row = {"kind": "function_calls", "status": "pass"}
            fields["result"]["results"] = [{**row, "name": one["name"]} for one in probes]
        fields["task"] = models.Task(**fields["task"])
    if "hosts" in fields:
        fields["hosts"] = tuple(fields["hosts"])
    if "command" in fields:
        fields["command"] = read_command({"place": "playbooks", **fields["command"]})
        fields["plan"] = Plan(
            Planned(one["name"], one["title"], one["seconds"] / 60) for one in fields["plan"]
        )
    return t.cast("models.Event", kind(**fields))


def read_command(typed: dict[str, t.Any]) -> Command:
    """Older recordings have a field for each playbook beside it, and for each part of what was typed."""
    listed = {n: tuple(one) if isinstance(one, list) else one for n, one in typed.items()}
    place = [listed.pop(name, ()) for name in ("place", "inventories", "program")]
    if "typed" in listed:
        given = listed.pop("typed")
        return Command(
            **listed, typed=Typed(**{**given, "inventories": tuple(given["inventories"])})
        )
    known = {"deploy": listed.pop("release"), **{n: listed.pop(n) for n in BESIDE_ONCE}}
    beside = tuple(f"{name}.yml" for name, path in known.items() if path)
    return Command(**listed, beside=beside, typed=Typed(*place))


def recording(run: str) -> list[models.Event]:
    with gzip.open(HERE / "events" / f"{run}.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [read(json.loads(line)) for line in lines]


def drawn(
    run: str,
    columns: int = 80,
    *,
    terminal: bool = False,
    verbose: bool = False,
    change: t.Callable[[models.Event], models.Event] = lambda event: event,
) -> list[str]:
    """At a terminal also each line that is drawn anew, behind an arrow, when its words change."""
    console, shown, last = Console(verbose=verbose), [], ""
    beat = 0.0
    for event in map(change, recording(run)):
        while terminal and beat < event.at:
            words = console.live.text(beat).partition("  ")[2]
            if words and words != last:
                shown.append(shortened(f"↻   … {words}", columns - 1))
                last = words
            beat += BEAT
        shown += [line.text for line in console.on(event, columns)]
    return shown


AT_A_TERMINAL = ("failing_database", "hold", "rollback")
"""Of backups and migrations, of a watch, and of checks and services: the lines that are drawn anew."""
VERBOSE = ("failing",)
AS_RECORDED = ("failing", "green")
"""Of the others only what holds of all is asked: a dozen plays have their words (plays/outcomes.json)."""


@pytest.mark.parametrize(
    ("file", "way"),
    [
        *((run, {}) for run in AS_RECORDED),
        *((f"{run}-terminal", {"terminal": True}) for run in AT_A_TERMINAL),
        *((f"{run}-verbose", {"verbose": True}) for run in VERBOSE),
    ],
)
def test_the_screen_is_as_recorded(file: str, way: dict[str, bool]) -> None:
    shown = drawn(file.partition("-")[0], **way)
    if file.startswith("failing") and "verbose" not in way:
        # Their other phases are like those of the whole deployments.
        shown = shown[max(place for place, line in enumerate(shown) if HEADING.match(line)) :]
    text = "\n".join(shown) + "\n"
    path = HERE / "recorded" / f"{file}.txt"
    if os.environ.get("EASYMO_REDRAW"):
        path.write_text(text, "utf-8")
    assert text == path.read_text("utf-8")


@pytest.mark.parametrize("run", RUNS)
def test_a_run_at_a_terminal_shows_in_the_end_what_a_log_shows(run: str) -> None:
    assert [line for line in drawn(run, terminal=True) if line[:1] != "↻"] == drawn(run)


@pytest.mark.parametrize("columns", [70, 140])
@pytest.mark.parametrize("run", RUNS)
def test_a_terminal_of_any_width_shows_the_same_words(run: str, columns: int) -> None:
    """Where they are folded, and how far they are from the left and from the right, may differ."""
    letters = sorted("".join(drawn(run, columns)).replace(" ", ""))
    assert letters == sorted("".join(drawn(run)).replace(" ", ""))


@pytest.mark.parametrize(
    ("run", "columns", "lines"),
    [
        pytest.param(
            "green",
            60,
            [
                "Release 2.0.0 → sandbox · deploy.yml · attempt 1 · locked",
                "  by jane@ops-1",
                "1/8 Pre-Deploy · 13:20 · planned 15 min",
                "    · page       /home/jane/.sandbox/report/2.0.0/rep   0:01",
                "                 ort.html ·",
                "                 s3://easymo-db-backups/page/2.0.0.ht",
                "                 ml",
            ],
            id="the top, and words that are longer than a line",
        ),
        pytest.param(
            "rollback",
            60,
            ["Rollback 2: services to previous versions, in revers…  16:17"],
            id="a long title",
        ),
        pytest.param(
            "failing",
            60,
            [
                "  now      v2.0.0: agent-core ranking-service vendor-service",
                "           · v1.9.0: the other 9",
                "           databases migrated, 6 applied",
            ],
            id="the end",
        ),
        pytest.param(
            "green",
            140,
            [
                "    ✓ wave 2     ranking-service wallet-service vendor-service  3/3 v1.9.0→v2.0.0  0:05",
                "    ✓ wave 3     buyer-service station-service driver-service voice-bridge  0:06",
                "                 marketplace-service property-service healthcare-service",
                "                 customer-support-service  3/3 v1.9.0→v2.0.0",
            ],
            id="a duration behind a line that leaves it no room",
        ),
        pytest.param(
            "green",
            140,
            [
                "    ✓ backups    supabase_prod 801.4 kB · agent_core_prod 823.9 kB, read back  0:06",
                "    · supabase_prod is backed up without objects that its user may not read: sequence",
                "      cron.jobid_seq, table auth.schema_migrations, table realtime.schema_migrations, table",
                "      storage.migrations.",
            ],
            id="a duration as far to the right as in 80 columns, and lines that are easy to read",
        ),
        pytest.param(
            "failing",
            140,
            [
                "  cause    wallet-service: The rollout of release '2.0.0' of 'wallet-service' failed: its image",
                "           easymo/wallet-service:v2.0.0 is not in the registry (Back-off pulling image",
            ],
            id="nor a line of the end",
        ),
    ],
)
def test_lines_are_folded_for_a_narrow_and_for_a_wide_terminal(
    run: str, columns: int, lines: list[str]
) -> None:
    shown = drawn(run, columns)
    place = shown.index(lines[0])
    assert shown[place : place + len(lines)] == lines


@pytest.mark.parametrize("run", RUNS)
def test_a_run_is_within_its_lines(run: str) -> None:
    most = 60 if run.startswith(("failing_", "hold_", "not_")) else MOST.get(run, 25)
    assert len(drawn(run)) <= most


@pytest.mark.parametrize("columns", [60, 80, 140])
@pytest.mark.parametrize("run", RUNS)
def test_no_line_is_wider_than_the_terminal_but_a_command_and_a_path(
    run: str, columns: int
) -> None:
    wide = [line for line in drawn(run, columns, terminal=True) if len(line) > columns]
    copied = (*COMMANDS, "ansible-playbook ")
    wide = [one for one in wide if not any(word in one for word in copied) and " " in one.strip()]
    assert wide == []


@pytest.mark.parametrize("run", RUNS)
def test_nothing_is_said_twice(run: str) -> None:
    said = [line.strip() for line in drawn(run, 140) if len(line.strip()) > 60]
    assert sorted(said) == sorted(set(said))


@pytest.mark.parametrize("run", RUNS)
def test_a_cause_names_no_other_command_than_the_next_ones(run: str) -> None:
    shown = drawn(run, 4000)
    cause = " ".join(line for line in shown if line.startswith("  cause "))
    commands = "".join(line for line in shown if line.startswith(COMMANDS))
    assert [options for _playbook, options in commands_in(cause) if options not in commands] == []
    assert "--tags" not in cause


def test_what_another_release_stops_is_for_whoever_runs_that_one() -> None:
    text = f"Go on by name: add {by_name(SUPERSEDES, '1.9.0')}."
    told = {"reason": "OutOfOrder", "msg": text, "unfinished": "1.9.0"}

    def refused(event: models.Event) -> models.Event:
        failed = isinstance(event, models.TaskEnded) and event.status == "failed"
        return replace(event, result=told) if failed else event

    first, second = (line for line in drawn("locked", change=refused) if line.startswith(COMMANDS))
    assert first.startswith("  next     the operator of release 1.9.0: finish it or roll it back")
    assert """'{"release_supersedes": {"1.9.0": {"by": """ in second


def test_a_list_of_all_that_is_missing_is_whole_where_no_file_has_it() -> None:
    missing = [f"secret_number_{number}" for number in range(90)]

    def lacking(event: models.Event) -> models.Event:
        if not isinstance(event, models.TaskEnded) or "Unknown variable" not in str(event.result):
            return event
        return replace(event, result={**event.result, "msg": f"Missing: {', '.join(missing)}."})

    shown = " ".join(drawn("typo", change=lacking))
    assert [name for name in missing if name not in shown] == []
    assert "…" not in shown


def test_a_page_that_reached_nobody_is_the_loudest_line() -> None:
    def refused(event: models.Event) -> models.Event:
        result = getattr(event, "result", {})
        if not result.get("delivered") or result["delivered"][0]["channel"] != "pagerduty":
            return event
        [page] = result["delivered"]
        lost = {"delivered": [], "undelivered": [{**page, "msg": "PagerDuty answered HTTP 500."}]}
        return replace(event, result={**result, **lost})

    shown = drawn("failing_microservices", columns=200, change=refused)
    end = next(place for place, line in enumerate(shown) if line.startswith("✗ STOPPED"))
    assert "NOBODY WAS PAGED: PagerDuty answered HTTP 500. Call the engineer" in shown[end + 1]
    assert not [line for line in shown if "told" in line and "PagerDuty" in line]


def test_a_difference_that_was_asked_for_stands_whole_behind_what_came_before() -> None:
    console, shown = Console(), []
    whole = recording("check")
    place = next(n for n, one in enumerate(whole) if isinstance(one, models.PlayBegun) and n > 3)
    for event in whole[: place + 1]:
        shown += console.on(event, 80)
    task = models.Task(
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


def test_a_run_that_is_cut_off_says_where_and_how_to_go_on() -> None:
    whole = recording("green")
    place = next(
        number
        for number, one in enumerate(whole)
        if isinstance(one, models.Reported) and one.event == "RolloutProgress"
    )
    console = Console()
    for event in whole[:place]:
        console.on(event)
    at = whole[place].at
    shown = [line.text for line in console.on(models.RunEnded("interrupted", at))]
    assert shown[1].startswith("✗ INTERRUPTED in 4/8 Microservices, ")
    place = next(number for number, line in enumerate(shown) if line.startswith("  next "))
    typed = shown[place]
    assert typed.startswith("  next     .venv/bin/ansible-playbook playbooks/deploy.yml -i ")
    assert "--tags microservices,feature_flags,smoke_tests,monitoring,sign_off -e " in typed
    assert [line.split()[0] for line in shown[place + 1 :]] == ["back"]


def test_hosts_that_fail_in_the_same_wave_are_each_told() -> None:
    said = {"reason": "CrashLoop", "msg": "It crashes.", "result": "rollback_failed"}

    def also(event: models.Event) -> models.Event:
        """The neighbour in the wave fails as well."""
        if isinstance(event, models.Reported) and event.data.get("wave") == 2:
            services = event.data["services"]
            crashed = {**services["vendor-service"], **said, "failed": True}
            services = {**services, "vendor-service": crashed}
            return replace(event, data={**event.data, "services": services})
        ended = isinstance(event, models.TaskEnded) and event.host == "vendor-service"
        if not ended or event.task.action != "easymo.deploy.wave_result":
            return event
        return replace(event, status="failed", result={**event.result, **said})

    shown = drawn("failing", change=also)
    assert "    ✗ wave 2     wallet-service  image not found" in shown
    assert "    ✗ wave 2     vendor-service  crash loop" in shown
    assert "    ✗ ↩ vendor-service serves 3/3, but is not back whole" in shown
    assert "  also     vendor-service: It crashes." in shown


def test_missing_images_are_laid_to_no_one_service() -> None:
    why = "1 of 12 images are not in their registry: easymo/voice-bridge:v2.0.0."

    def missing(event: models.Event) -> models.Event:
        looked = isinstance(event, models.TaskEnded) and event.task.action == "easymo.deploy.images"
        return replace(event, status="failed", result={"msg": why}) if looked else event

    shown = drawn("failing", change=missing)
    assert any(line.startswith("  cause    1 of 12 images") for line in shown)


def test_a_container_s_last_lines_are_shown_without_what_a_terminal_would_obey() -> None:
    def crashed(event: models.Event) -> models.Event:
        if not isinstance(event, models.TaskEnded) or event.result.get("reason") != "ImageNotFound":
            return event
        lines = ["first", "\x1b[31mKey \x1b[0mnot found: ключ ✅", "\x1b]0;title\x07end\r\n"]
        return replace(event, result={**event.result, "diagnosis": {"logs": {"pod": lines}}})

    shown = drawn("failing", change=crashed)
    place = shown.index("  log      first")
    assert shown[place + 1 : place + 3] == ["           Key not found: ключ ✅", "           end"]


def test_what_has_no_room_in_the_cause_is_named_there_and_told_above() -> None:
    def at_length(event: models.Event) -> models.Event:
        if not isinstance(event, models.TaskEnded) or "sentence" not in event.result:
            return event
        return replace(event, result={**event.result, "sentence": "x" * 500})

    shown = drawn("failing_preflight", 140, change=at_length)
    told = "    ✗ check      on_call: no person is on call in the schedule PONCALL: find somebody until 12:36"
    cause = "  cause    1 of 48 checks stand against the release: (1) on_call (above). The platform was not"
    assert told in shown
    assert cause in shown


def test_the_next_command_is_without_what_was_refused() -> None:
    def typed(event: models.Event) -> models.Event:
        if not isinstance(event, models.RunBegun):
            return event
        extra = ("right=1", '{"typo": {}, "other": "x"}')
        return replace(event, command=replace(event.command, extra=extra))

    command = next(line for line in drawn("typo", change=typed) if line.startswith("  next "))
    assert command.endswith(""" -e right=1 -e '{"other": "x"}'""")


def test_the_next_command_keeps_the_place_of_a_name_and_a_reason_and_all_that_was_right() -> None:
    given = {"decision": "reject", "by": "", "reason": "why"}
    refused = " ".join(typed_unchanged({**given, "by": "name"}))

    def typed(event: models.Event) -> models.Event:
        if isinstance(event, models.RunBegun):
            extra = tuple(f"{name}={value}" for name, value in given.items())
            return replace(event, command=replace(event.command, extra=extra))
        if isinstance(event, models.TaskEnded) and event.status == "failed":
            return replace(event, result={**event.result, "msg": refused})
        return event

    command = next(line for line in drawn("no_reason", change=typed) if line.startswith("  next "))
    assert command.endswith(""" -e decision=reject -e "by='NAME'" -e "reason='WHY'\"""")


def test_a_result_of_a_megabyte_is_told_in_a_few_lines() -> None:
    def loud(event: models.Event) -> models.Event:
        if not isinstance(event, models.TaskEnded) or event.result.get("reason") != "ImageNotFound":
            return event
        return replace(event, result={**event.result, "msg": "no " * 400_000})

    assert len(drawn("failing", change=loud)) <= MOST["failing"]


def test_a_phase_that_the_release_does_not_have_is_shown_to_whoever_asked_for_it_alone() -> None:
    def shown(*tags: str) -> list[str]:
        begun = t.cast("models.RunBegun", recording("green")[0])
        plan = Plan(one for one in begun.plan if one.name != "edge_functions")
        command = replace(begun.command, tags=tags or begun.command.tags)
        console = Console()
        console.on(replace(begun, plan=plan, command=command))
        lines = console.on(
            models.PlayBegun("Phase 3: edge functions", "edge_functions", ("localhost",))
        )
        return [line.text for line in lines]

    assert shown() == []
    assert shown("edge_functions")[-1] == "    - edge_functions is not a phase of this release"


def test_a_wave_whose_end_no_report_told_is_told_by_its_hosts() -> None:
    """As where a listener fell behind."""
    heard = [
        event
        for event in recording("failing")
        if not (isinstance(event, models.Reported) and event.event == "WaveRolled")
    ]
    console = Console()
    shown = [line.text for event in heard for line in console.on(event, 80)]
    told = [line for line in drawn("failing") if " wave " in line]
    assert len(told) == 3
    assert [line[:50] for line in shown if " wave " in line] == [line[:50] for line in told]


@pytest.mark.parametrize(("automatic", "playbook"), [(True, "deploy"), (False, "kill_switch")])
def test_a_person_s_kill_switch_comes_before_the_next_deployment(automatic, playbook):
    """It outlives the rollback, and the deployment would be refused."""

    def switched(event: models.Event) -> models.Event:
        result = getattr(event, "result", None) or {}
        if not result.get("kill_switch"):
            return event
        switch = {**result["kill_switch"], "by": "jane@ops-1", "automatic": automatic}
        return replace(event, result={**result, "kill_switch": switch})

    (after,) = [line for line in drawn("rollback", change=switched) if line.startswith("  next ")]
    assert f"/{playbook}.yml" in after
