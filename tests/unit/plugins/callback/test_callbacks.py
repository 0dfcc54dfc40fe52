"""The switchboards: silent without configuration, never a reason for a run to fail, careful with results."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible import context
from ansible.module_utils.common.collections import ImmutableDict

from ansible_collections.easymo.deploy.plugins.callback import console, journal, slack
from ansible_collections.easymo.deploy.plugins.module_utils._release.models import (
    CENSORED,
    sentence_of,
)
from ansible_collections.easymo.deploy.plugins.module_utils._story.plan import Plan, Planned
from ansible_collections.easymo.deploy.plugins.plugin_utils._run_events import task_name

LOADS = """
import json, sys
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.playbook import Playbook
from ansible.plugins.loader import init_plugin_loader
from ansible.vars.manager import VariableManager
init_plugin_loader()
from ansible_collections.easymo.deploy.plugins.plugin_utils._run_events import phases_of
loader = DataLoader()
manager = VariableManager(loader=loader, inventory=InventoryManager(loader=loader))
print(json.dumps([phases_of(Playbook.load(name, manager, loader)) for name in sys.argv[1:]]))
"""
"""In a process of its own, for Ansible's loader is one for each."""
ROOT = Path(__file__).parents[4]


def known(variables):
    return lambda name: variables.get(name, "")


@pytest.fixture(params=[slack, journal], ids=["slack", "journal"])
def callback(request, monkeypatch):
    monkeypatch.setattr(context, "CLIARGS", ImmutableDict())
    module = request.param.CallbackModule()
    warnings = []
    monkeypatch.setattr(module._display, "warning", warnings.append)
    return module, warnings


def test_what_goes_wrong_in_a_callback_is_one_warning_and_no_error(callback):
    module, warnings = callback
    broken = SimpleNamespace()
    module.v2_playbook_on_play_start(broken)
    module.v2_playbook_on_play_start(broken)
    module.v2_runner_on_ok(broken)
    assert len(warnings) == 1
    assert "goes on without it" in warnings[0]


def test_what_goes_wrong_in_the_console_is_one_warning_and_ansibles_own_output(monkeypatch):
    monkeypatch.setattr(context, "CLIARGS", ImmutableDict(check=False))
    module = console.CallbackModule()
    module.set_options()
    told, warnings = [], []
    monkeypatch.setattr(module._display, "warning", warnings.append)
    monkeypatch.setattr(module._display, "banner", told.append)
    play = SimpleNamespace(
        get_name=lambda: "Phase 1: preflight",
        get_path=lambda: f"{ROOT}/playbooks/preflight.yml:3",
        check_mode=False,
    )
    module.v2_playbook_on_play_start(play)
    module.v2_playbook_on_play_start(play)
    assert len(warnings) == 1
    assert "goes on without it" in warnings[0]
    assert told == ["PLAY [Phase 1: preflight]"] * 2


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"slack_bot_token": "xoxb-1"}, id="token without channel"),
        pytest.param({"slack_channel": "#devops"}, id="channel without token"),
    ],
)
def test_without_a_whole_configuration_nobody_is_told_anything(settings):
    assert slack.connect(known(settings)) is None


def test_a_token_is_preferred_to_a_webhook():
    both = {
        "slack_webhook_url": "https://x.example/T/B/s",
        "slack_channel": "#x",
        "slack_bot_token": "t",
    }
    assert slack.connect(known(both)).can_edit is True
    assert slack.connect(known({**both, "slack_bot_token": ""})).can_edit is False


def test_what_the_inventory_says_of_the_release_is_taken_as_far_as_it_makes_sense():
    settings = known({"release_version": "2.0.0", "release_on_call": "U0ONCALL01"})
    plan = [{"name": "database", "title": "Database", "minutes": 15}, {"name": "x"}, "y", {"z": 1}]
    release = slack.describe(settings, "deploy_v2.yml", plan)
    assert release.title == "Release 2.0.0"
    assert [(one.name, one.title, one.minutes) for one in release.plan] == [
        ("database", "Database", 15.0),
        ("x", "X", 0),
    ]
    assert slack.describe(known({}), "deploy_v2.yml", "{{ x }}").plan == ()


@pytest.mark.parametrize("playbook", ["status.yml", "diagnose.yml"])
def test_slack_is_silent_about_a_playbook_that_only_looks(monkeypatch, playbook):
    monkeypatch.setattr(context, "CLIARGS", ImmutableDict())
    module = slack.CallbackModule()
    module.v2_playbook_on_start(SimpleNamespace(_file_name=f"/x/playbooks/{playbook}"))
    assert module.silent is True


@pytest.mark.parametrize(
    ("version", "wanted"),
    [
        ("2.0.0", ".deploy/2.0.0/slack.json"),
        ("../../etc", ".deploy/_.._etc/slack.json"),
        ("", None),
    ],
)
def test_the_file_that_remembers_the_message_stays_in_its_folder(version, wanted):
    settings = {
        "slack_bot_token": "t",
        "slack_channel": "#x",
        "release_version": version,
    }
    path = slack.message_state(known(settings))._path
    assert (path and str(path)) == wanted
    assert slack.message_state(known({**settings, "slack_bot_token": ""}))._path is None


def test_a_report_that_waits_for_the_display_keeps_no_callback_waiting(monkeypatch):
    """As under ansible-runner, which holds the display's lock while callbacks run: both waited for ever."""
    module = console.CallbackModule()
    monkeypatch.setattr(module, "_console", SimpleNamespace(on=lambda *_event: []))

    def prints(_lines):
        with module._display._lock:
            pass

    monkeypatch.setattr(module, "_show", prints)
    report = threading.Thread(target=module._on, args=(None,), daemon=True)
    with module._display._lock:
        report.start()
        report.join(0.2)
        assert module._lock.acquire(blocking=False)
        module._lock.release()
    report.join(5)
    assert not report.is_alive()


def test_slack_is_silent_in_check_mode(monkeypatch):
    monkeypatch.setattr(context, "CLIARGS", ImmutableDict(check=True))
    assert slack.CallbackModule().silent is True


RESULTS = {"uri": "s3://x", "undocumented": 1, "msg": "done", "invocation": {"module_args": {}}}


def test_only_what_our_documentation_promises_of_our_modules_is_written(monkeypatch):
    monkeypatch.setattr(journal, "documented", lambda _module: frozenset({"uri", "msg"}))
    kept = {"uri": "s3://x", "msg": "done"}
    assert journal.promised(RESULTS, "easymo.deploy.pg_backup") == kept
    assert journal.promised(RESULTS, "ansible.builtin.command") is None
    assert journal.promised({**RESULTS, "censored": "x"}, "easymo.deploy.pg_backup") is None
    looped = journal.promised({"results": [RESULTS]}, "easymo.deploy.pg_backup")
    assert looped == {"results": [kept]}


def test_the_whole_record_is_left_out_so_that_the_rest_of_a_result_stays(monkeypatch):
    written = {"at": "2026-11-24T06:00:00Z", "record": {"phases": {}}, "document": "{}"}
    monkeypatch.setattr(journal, "documented", lambda _module: frozenset(written))
    assert journal.promised(written, "easymo.deploy.release") == {"at": written["at"]}


@pytest.mark.parametrize(
    ("plan", "read"),
    [
        (None, ()),
        ("{{ undefined }}", ()),
        ([{"name": "database", "minutes": 15}], (Planned("database", "Database", 15),)),
        ([{"name": "x"}, 3, {"minutes": 1}], (Planned("x", "X"),)),
    ],
)
def test_of_a_plan_that_is_none_nothing_is_told(plan, read):
    assert Plan.read(plan) == read


@pytest.mark.parametrize(("result", "said"), [
    ({"msg": " no image "}, "no image"),
    ({"censored": "x", "msg": "hunter2"}, CENSORED),
    ({"results": [{"msg": "fine"}, {"failed": True, "msg": "bad"}], "msg": "All"}, "bad"),
    ({"results": [{"msg": "fine"}, {"exception": "…", "msg": "bad"}], "msg": "All"}, "bad"),
    ({"results": [{"failed": True, "msg": one} for one in ("bad", "bad", "worse")]}, "bad worse"),
    ({"stderr": "boom"}, "boom"),
    ({}, "it failed without a reason"),
])  # fmt: skip
def test_a_failure_is_told_as_its_module_put_it(result, said):
    assert sentence_of(result) == said


def test_the_name_of_a_task_with_no_log_is_not_told():
    task = SimpleNamespace(
        no_log=True,
        action="ansible.builtin.uri",
        get_path=lambda: "/x/roles/r/tasks/main.yml:7",
        get_name=lambda: "Send hunter2",
    )
    assert task_name(task) == "ansible.builtin.uri (main.yml:7)"
    task.no_log = False
    assert task_name(task) == "Send hunter2"


@pytest.mark.slow
def test_the_phases_of_a_playbook_are_those_that_ansible_loads():
    """One phase in two plays, no phase, and all by import."""
    phases = {
        "microservices.yml": ["microservices"],
        "rollback.yml": [],
        "deploy_v2.yml": [
            "preflight",
            "database",
            "edge_functions",
            "microservices",
            "feature_flags",
            "smoke_tests",
            "monitoring",
            "sign_off",
        ],
    }
    done = subprocess.run(
        [sys.executable, "-c", LOADS, *(f"playbooks/{name}" for name in phases)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": "playbooks/collections"},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert json.loads(done.stdout) == [*phases.values()]
