# SPDX-License-Identifier: GPL-3.0-or-later
"""A real run through ansible-playbook, as its readers see it: in Slack, journal and terminal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
import yaml

from sandbox.faults import Fault, Faults

REPOSITORY = Path(__file__).parents[2]
SECRET = "hunter2-hunter2"
PROGRESS = """\
from ansible.plugins.action import ActionBase
from ansible_collections.easymo.deploy.plugins.module_utils._progress import report


class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        report("PodsReady", task_vars["inventory_hostname"], "3 of 4 pods are ready", {"ready": 3})
        return {**super().run(tmp, task_vars), "changed": True}
"""
PLAYBOOK = """\
- name: "Phase 1: preflight"
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Look
      ansible.builtin.debug:
        msg: fine
- name: "Phase 2: not selected"
  hosts: localhost
  gather_facts: false
  tags: never
  tasks:
    - name: Never
      ansible.builtin.debug:
- name: "Phase 4: microservices"
  hosts: microservices
  gather_facts: false
  serial: [1, "100%"]
  tasks:
    - name: Roll the service
      crawl:
    - name: Ask it with {{ secret_admin_token }}
      ansible.builtin.fail:
        msg: "<!channel> said 503 to {{ secret_admin_token }}"
      when: inventory_hostname == failing | default('')
"""


@pytest.fixture
def stage(tmp_path, world):
    """A folder with a playbook, an inventory that knows this sandbox's Slack, and a slow action."""
    sinks = world.facts("sinks")
    variables = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "release_version": "2.0.0",
        "release_on_call": "U0ONCALL01",
        "slack_api_url": sinks["slack_api_url"],
        "slack_bot_token": sinks["slack_bot_token"],
        "slack_channel": "#engineering-alerts",
        "secret_admin_token": SECRET,
    }
    groups = {
        "control": {"hosts": {"localhost": None}},
        "microservices": {"hosts": {"agent-core": None, "wallet-service": None}},
    }
    inventory = {"all": {"vars": variables, "children": groups}}
    (tmp_path / "inventory.yml").write_text(yaml.safe_dump(inventory))
    (tmp_path / "play.yml").write_text(PLAYBOOK)
    (tmp_path / "action_plugins").mkdir()
    (tmp_path / "action_plugins" / "crawl.py").write_text(PROGRESS)
    return tmp_path


def play(stage, *more, **environment):
    program = Path(sys.executable).with_name("ansible-playbook")
    return subprocess.run(
        [str(program), "-i", "inventory.yml", "play.yml", *more],
        cwd=stage,
        env={**os.environ, "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg"), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def received(world):
    with urllib.request.urlopen(f"{world.facts('sinks')['url']}api/messages.json") as answer:
        return json.load(answer)["slack"]["engineering-alerts"]


@pytest.fixture
def arrived(world):
    """What came to the channel since the test began: (the messages, the replies)."""
    before = len(received(world))

    def since():
        new = received(world)[before:]
        return [m for m in new if not m["thread_ts"]], [m for m in new if m["thread_ts"]]

    return since


@pytest.fixture
def fault(world):
    faults = Faults(world.faults_file)
    before = faults.all()

    def inject(name, **parameters):
        faults.write([*before, Fault("sinks", name, "slack", parameters)])

    yield inject
    faults.write(before)


def test_a_good_run_is_one_message_with_a_line_for_each_phase(stage, arrived):
    assert play(stage).returncode == 0
    (message,), replies = arrived()
    lines = message["text"].replace("\u2060", "").split("\n")
    assert lines[0].startswith("✅ *Release 2.0.0* finished · play.yml")
    assert [line.split(" · ")[0] for line in lines[1:]] == [
        "✅ Phase 1: preflight",
        "✅ Phase 4: microservices",
    ]
    assert lines[2].endswith("2 hosts")
    assert message["edits"]
    assert "`wallet-service` 3 of 4 pods are ready" in "\n".join(r["text"] for r in replies)


def test_a_failure_calls_the_engineer_and_tells_no_secret(stage, arrived):
    assert play(stage, "-e", "failing=wallet-service").returncode == 2
    (message,), replies = arrived()
    assert message["text"].startswith("🛑 *Release 2.0.0* stopped")
    assert "1 failed" in message["text"]
    alarm = replies[-1]["text"]
    assert alarm.startswith("🛑 <@U0ONCALL01>")
    assert "&lt;!channel&gt; said 503" in alarm
    journal = (stage / ".deploy/2.0.0/journal.jsonl").read_text(encoding="utf-8")
    assert SECRET not in json.dumps([message, *replies]) + journal


def test_the_journal_has_every_event_with_its_time(stage):
    play(stage, EASYMO_DEPLOY_JOURNAL_PATH="journal.jsonl")
    entries = [json.loads(line) for line in (stage / "journal.jsonl").read_text().splitlines()]
    events = [entry["event"] for entry in entries]
    assert (events[0], events[-1]) == ("run_started", "run_finished")
    assert {"play_started", "task_started", "task_ok", "task_skipped", "progress"} <= set(events)
    assert all(entry["at"].endswith("Z") for entry in entries)
    assert entries[-1]["hosts"]["agent-core"]["failures"] == 0


def test_check_mode_and_a_run_without_configuration_say_nothing(stage, arrived):
    assert play(stage, "--check").returncode == 0
    silent = play(stage, "-e", "slack_bot_token=")
    assert silent.returncode == 0
    assert "Slack" not in silent.stdout + silent.stderr
    assert arrived() == ([], [])


@pytest.mark.parametrize(
    ("name", "parameters", "told"),
    [
        ("hangs", {"seconds": "30"}, "not delivered"),
        ("errors", {}, "HTTP 500"),
        ("token-revoked", {}, "token_revoked"),
        ("rate-limited", {"seconds": "60"}, "limits the rate"),
    ],
)
def test_a_slack_in_trouble_neither_fails_nor_holds_up_a_run(stage, fault, name, parameters, told):
    fault(name, **parameters)
    if name == "rate-limited":
        play(stage)  # takes the one request that is let through
    result = play(stage)
    assert result.returncode == 0
    assert told in result.stdout + result.stderr


def test_the_callbacks_cost_no_time_worth_mentioning_when_slack_hangs(stage, fault):
    started = time.monotonic()
    play(stage, "-e", "slack_bot_token=")
    without = time.monotonic() - started
    fault("hangs", seconds="30")
    started = time.monotonic()
    play(stage)
    # An upper bound for a busy machine; a run that waited for Slack would take its 10 seconds.
    assert time.monotonic() - started < without * 2 + 5
