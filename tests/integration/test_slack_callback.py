"""A real run through ansible-playbook, as its readers see it: in Slack, journal and terminal."""

import json
import sys
import urllib.request
import uuid
from datetime import UTC, datetime

import pytest
import yaml

from tests.ansible_playbook import ROOT, run_playbook

SECRET = "hunter2-hunter2"
TITLE = ""
"""Of the release of this test, as no other has it."""
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
  tags: preflight
  vars: {release_phase_name: preflight}
  module_defaults: {group/easymo.deploy.kubernetes: "{{ kubernetes_connection }}"}
  tasks:
    - name: Open the phase
      easymo.deploy.release: {name: "{{ release_version }}", phase: preflight, phase_status: running}
    - name: Close it
      easymo.deploy.release: {name: "{{ release_version }}", phase: preflight, phase_status: done}
- name: "Phase 2: not selected"
  hosts: localhost
  gather_facts: false
  tags: never
  vars: {release_phase_name: database}
  tasks:
    - name: Never
      ansible.builtin.debug:
- name: "Phase 4: microservices"
  hosts: microservices
  gather_facts: false
  serial: [1, "100%"]
  tags: microservices
  vars: {release_phase_name: microservices}
  module_defaults: {group/easymo.deploy.kubernetes: "{{ kubernetes_connection }}"}
  tasks:
    - name: Open the phase
      easymo.deploy.release: {name: "{{ release_version }}", phase: microservices, phase_status: running}
      run_once: true
    - name: Roll the service
      crawl:
    - name: Ask it with {{ secret_admin_token }}
      ansible.builtin.assert:
        that: inventory_hostname != failing | default('')
        fail_msg: "<!channel> said 503 to {{ secret_admin_token }}"
        success_msg: "{{ secret_admin_token }}"
"""


@pytest.fixture(autouse=True)
def title(monkeypatch):
    made = f"EasyMO {uuid.uuid4().hex[:8]}"
    monkeypatch.setattr(sys.modules[__name__], "TITLE", made)
    return made


@pytest.fixture
def stage(tmp_path, world, place, title):
    """A folder with a playbook, an inventory that knows this sandbox's Slack and a namespace, and a slow action."""
    sinks, cluster = world.facts("sinks"), world.facts("kubernetes")
    connection = {
        "host": cluster["server"],
        "api_key": cluster["token"],
        "ca_cert": cluster["ca_cert"],
        "namespace": place.namespace,
    }
    variables = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "release_version": "2.0.0",
        "release_title": title,
        "release_on_call": "U0ONCALL01",
        "release_plan": [
            {"name": "preflight", "title": "Pre-Deploy", "minutes": 15},
            {"name": "microservices", "title": "Microservices", "minutes": 20},
            {"name": "monitoring", "title": "Monitoring", "minutes": 60},
        ],
        "kubernetes_connection": connection,
        "slack_api_url": sinks["slack_api_url"],
        "slack_bot_token": sinks["slack_bot_token"],
        "slack_channel": "#engineering-alerts",
        "page": "https://page.easymo.com:8443/2.0.0/",
        "release_links": [
            {"text": "Live page", "url": "{{ page }}"},
            {"text": "Runbook", "url": ""},
        ],
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
    words = ("-i", "inventory.yml", "play.yml", *more)
    config = str(ROOT / "ansible.cfg")
    return run_playbook(*words, cwd=stage, ANSIBLE_CONFIG=config, **environment)


def received(world):
    with urllib.request.urlopen(f"{world.facts('sinks')['url']}api/messages.json") as answer:
        return [one for channel in json.load(answer)["slack"].values() for one in channel]


@pytest.fixture
def arrived(world):
    """What came of this test's release: (the messages, the replies)."""

    def since():
        new = received(world)
        heads = [m for m in new if not m["thread_ts"] and TITLE in m["text"].replace("\u2060", "")]
        known = {m["ts"] for m in heads}
        return heads, [m for m in new if m["thread_ts"] in known]

    return since


def test_the_runs_of_a_release_edit_one_message_and_the_record_tells_of_the_others(stage, arrived):
    first = play(stage, "--tags", "preflight", EASYMO_DEPLOY_JOURNAL_PATH="journal.jsonl")
    assert first.returncode == 0, first.stdout
    (message,), (reply,) = arrived()
    assert reply["text"].replace("\u2060", "").startswith("✅ Pre-Deploy · ")
    lines = message["text"].replace("\u2060", "").split("\n")
    assert lines[0] == f"☑️ *{TITLE}* run finished: 1 of 3 phases are done"
    assert lines[2].startswith("✅ Pre-Deploy · ")
    assert lines[3:5] == ["▫️ Microservices · 20 min planned", "▫️ Monitoring · 1 h planned"]
    assert lines[5:] == ["Live page: https://page.easymo.com:8443/2.0.0/"]

    entries = [json.loads(line) for line in (stage / "journal.jsonl").read_text().splitlines()]
    events = [entry["event"] for entry in entries]
    assert (events[0], events[-1]) == ("run_started", "run_finished")
    assert {"play_started", "task_started", "task_ok"} <= set(events)
    assert all(entry["at"].endswith("Z") for entry in entries)

    # Another run of the attempt, which fails: the same message, and the engineer is called.
    failing = play(stage, "--tags", "microservices", "-e", "failing=wallet-service")
    assert failing.returncode == 2, failing.stdout
    (edited,), replies = arrived()
    assert edited["ts"] == message["ts"]
    shown = edited["text"].replace("\u2060", "")
    assert shown.startswith(f"🛑 *{TITLE}* stopped in Microservices")
    assert "✅ Pre-Deploy · " in shown
    assert "❌ Microservices · " in shown
    assert "*Services* 0 of 2" in shown, "all batches together"
    assert "```wallet-service: &lt;!channel&gt; said 503" in shown
    assert "❌ wallet-service" in shown
    assert "pods are ready" not in "\n".join(r["text"] for r in replies)
    alarm = replies[-1]
    assert alarm["text"].startswith("🛑 <@U0ONCALL01>")
    assert alarm["broadcast"] is True
    assert "&lt;!channel&gt; said 503" in alarm["text"]
    # The name, the arguments and the message of the failing task had it.
    told = json.dumps([edited, *replies]) + (stage / ".deploy/2.0.0/journal.jsonl").read_text()
    assert SECRET not in told + (stage / ".deploy/2.0.0/slack.json").read_text()


def test_a_slack_that_hangs_neither_fails_nor_holds_up_a_run(stage, fault):
    fault("sinks", "hangs", "slack", seconds="30")
    result = play(stage)
    ended = datetime.now(UTC)
    assert result.returncode == 0, result.stdout
    assert "not delivered" in result.stdout + result.stderr
    journal = (stage / ".deploy/2.0.0/journal.jsonl").read_text().splitlines()
    entries = [json.loads(line) for line in journal]
    tasks = [one["at"] for one in entries if one["event"].startswith("task_")]
    # Each request that is waited for takes 10 seconds; how long a busy machine takes to begin is none of that.
    assert (ended - datetime.fromisoformat(tasks[-1])).total_seconds() < 10
