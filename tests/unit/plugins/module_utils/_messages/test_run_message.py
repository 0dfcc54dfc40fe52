"""Which message of a release is edited by which run, and what of a secret reaches it."""

import json
import stat
from dataclasses import replace

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._messages.headline import (
    Release,
    ReleaseStatus,
)
from ansible_collections.easymo.deploy.plugins.module_utils._messages.outbox import (
    MessageState,
)
from ansible_collections.easymo.deploy.plugins.module_utils._messages.run_message import RunMessage
from ansible_collections.easymo.deploy.plugins.module_utils._redaction import Redactor
from ansible_collections.easymo.deploy.plugins.module_utils._terminal.models import (
    PlayBegun,
    Reported,
    RunEnded,
    Task,
    TaskEnded,
)

SECRET = "hunter2-hunter2"
STARTED = "2026-11-24T06:00:00Z"


class FakeOutbox:
    """Keeps what was said, and about which message: `began` is None while that is not known."""

    def __init__(self):
        self.began = ("", "")
        self.headlines = []
        self.replies = []
        self.broadcast = []

    def wait(self):
        self.began = None

    def begin(self, channel, ts):
        self.began = (channel, ts)

    def headline(self, write, *, last=False):
        self.headlines.append(write())

    def reply(self, text, *, detail=False, broadcast=False):
        self.replies.append(text)
        self.broadcast += [text] if broadcast else []

    def close(self, drain):
        return 0


LOOK = Task("1", "Look", "ansible.builtin.command")


def see(message, body):
    message.on(TaskEnded(LOOK, "localhost", "ok", {"document": json.dumps(body)}))


def fail(message, host, task, said, reason=""):
    result = {"msg": said, "reason": reason}
    message.on(TaskEnded(replace(LOOK, name=task), host, "failed", result))


def report(message, event, text, data=None):
    message.on(Reported(event, "localhost", text, data or {}))


def decide(message, sentence):
    result = {"document": "{}", "decision": {"by": "Jane"}, "changed": True, "sentence": sentence}
    message.on(TaskEnded(LOOK, "localhost", "ok", result))


@pytest.fixture
def path(tmp_path):
    return tmp_path / ".deploy" / "2.0.0" / "slack.json"


@pytest.fixture
def run(path):
    """A run that has changed something: (its message, its outbox, its memory)."""

    def begin(playbook="deploy_v2.yml", phase="preflight", *, touched=True, seen=None):
        memory = MessageState(path, "https://slack.com/api/", "#devops")
        box = FakeOutbox()
        release = ReleaseStatus(Release("R", playbook, on_call="U0ONCALL01"), 0.0)
        message = RunMessage(release, box, Redactor([SECRET]), memory, clock=lambda: 1.0)
        message.on(PlayBegun("Phase", phase, ("localhost",)))
        if touched:
            message.on(TaskEnded(LOOK, "localhost", "ok", {"changed": True}))
        if seen:
            see(message, seen)
        return message, box, memory

    return begin


def record(attempt=1, status="running", started=STARTED):
    return {"attempt": attempt, "status": status, "started": started, "phases": {}}


def leave(run, seen):
    """What a first run leaves behind: a message."""
    run(seen=seen)[2].posted("C0DEVOPS01", "1.0")


def test_the_next_run_of_the_attempt_edits_the_message_once_the_record_was_seen(run):
    leave(run, record())
    message, box, _memory = run()
    assert (box.began, box.headlines) == (None, [])
    see(message, record())
    assert box.began == ("C0DEVOPS01", "1.0")
    assert box.headlines


def test_what_is_kept_is_for_this_user_alone_and_has_no_secret(run, path):
    leave(run, record())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_text()) == {
        "api_url": "https://slack.com/api/",
        "wanted": "#devops",
        "channel": "C0DEVOPS01",
        "ts": "1.0",
        "attempt": 1,
        "started": STARTED,
    }


@pytest.mark.parametrize(
    "seen",
    [record(2, started="2026-11-25T06:00:00Z"), record(1, started="2026-01-01T00:00:00Z")],
    ids=["next attempt", "another environment"],
)
def test_another_attempt_has_a_message_of_its_own(run, seen):
    leave(run, record())
    message, box, _memory = run()
    see(message, seen)
    assert box.began == ("", "")
    assert box.headlines


def test_a_run_that_sees_the_end_of_an_attempt_first_waits_for_the_next(run):
    leave(run, record())
    message, box, memory = run()
    see(message, record(status="rolled_back"))
    assert (box.began, box.headlines) == (None, [])
    see(message, record(2, started="2026-11-25T06:00:00Z"))
    memory.posted("C0DEVOPS01", "2.0")
    assert box.began == ("", "")
    assert memory.of((2, "2026-11-25T06:00:00Z")) == ("C0DEVOPS01", "2.0")


def test_a_rollback_edits_the_message_of_the_attempt_that_it_takes_back(run):
    leave(run, record())
    message, box, _memory = run("rollback.yml", phase="")
    see(message, record(status="rolled_back"))
    assert box.began == ("C0DEVOPS01", "1.0")


def test_a_run_that_stops_before_it_saw_the_record_tells_only_the_thread(run):
    leave(run, record())
    message, box, _memory = run()
    fail(message, "localhost", "Check variables", "secret_x is empty")
    message.on(RunEnded("failed"))
    assert box.began == ("C0DEVOPS01", "1.0")
    assert box.headlines == []
    assert "secret_x is empty" in box.broadcast[-1]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"ts": 1}', '{"api_url": 1}', "null"])
def test_a_file_that_makes_no_sense_counts_as_none(run, path, text):
    path.parent.mkdir(parents=True)
    path.write_text(text)
    message, box, _memory = run()
    see(message, record())
    assert box.began == ("", "")


def test_a_folder_that_cannot_be_written_costs_only_the_memory(run, path):
    path.parent.parent.mkdir()
    path.parent.write_text("a file")
    message, box, memory = run()
    memory.posted("C0DEVOPS01", "1.0")
    see(message, record())
    assert box.headlines


def test_no_secret_of_a_name_a_message_or_progress_is_told(run):
    message, box, _memory = run(seen=record())
    message.on(PlayBegun(f"Phase {SECRET}", "", ("localhost",)))
    report(message, "Odd", f"said {SECRET}", {"values": {}})
    fail(message, "localhost", f"Ask with {SECRET}", f"refused {SECRET}")
    decide(message, f"Ann approved {SECRET}")
    message.on(RunEnded("failed"))
    assert SECRET not in json.dumps([box.headlines, box.replies])


def test_metrics_are_shown_with_their_status(run):
    message, box, _memory = run(phase="monitoring", seen=record())
    errors = {"name": "errors", "unit": "ratio", "status": "breach", "last": 0.2}
    report(message, "MetricsSampled", "watched", {"metrics": [errors]})
    assert "🔴 errors 20 %" in box.headlines[-1]


def test_the_cause_is_told_once_in_the_thread_however_often_it_is_quoted(run):
    message, box, _memory = run(seen=record())
    fail(message, "localhost", "Roll", "no image")
    fail(message, "localhost", "Stop", "Phase failed: no image. Resume.")
    message.on(RunEnded("failed"))
    (alarm,) = box.replies
    assert alarm.count("no image") == 1
    assert box.broadcast == [alarm]


def test_a_hold_calls_the_engineer_but_leaves_it_to_the_notice_to_tell_the_channel(run):
    message, box, _memory = run(seen=record())
    fail(message, "localhost", "Judge", "nobody answered", "Hold")
    message.on(RunEnded("failed"))
    assert "<@U0ONCALL01>" in box.replies[-1]
    assert box.broadcast == []


def test_what_fails_besides_is_told_in_the_thread(run):
    message, box, _memory = run(seen=record())
    fail(message, "a", "Roll", "no image")
    fail(message, "b", "Roll", "it crashes")
    assert ["it crashes" in reply for reply in box.replies] == [True]


def test_the_thread_gets_one_line_a_phase_once_the_record_has_settled_it(run):
    message, box, _memory = run(phase="monitoring", seen=record())
    settled = {
        "status": "done",
        "started": "1970-01-01T00:00:01Z",
        "finished": "1970-01-01T00:01:01Z",
        "evidence": {"decision": {"decision": "approve", "by": "Jane", "reason": "one scrape"}},
    }
    running = {**settled, "status": "running", "finished": "", "evidence": {}}
    see(message, {**record(), "phases": {"monitoring": running}})
    assert box.replies == []
    for _again in range(2):
        see(message, {**record(), "phases": {"monitoring": settled}})
    assert box.replies == ["✅ Monitoring · 1 min · approved by Jane: one scrape"]


def test_what_another_run_did_before_is_no_line_of_this_ones_thread(run):
    message, box, _memory = run(phase="monitoring", seen=record())
    before = {
        "status": "done",
        "started": "1969-12-31T00:00:01Z",
        "finished": "1969-12-31T00:01:01Z",
    }
    see(message, {**record(), "phases": {"monitoring": before, "preflight": before}})
    assert box.replies == []


@pytest.mark.parametrize("end", ["failed", "done", "interrupted"])
def test_a_run_that_was_refused_before_it_changed_anything_says_nothing(run, end):
    message, box, _memory = run(touched=False, seen=record())
    fail(message, "localhost", "Check variables", "Unknown variable: typo.")
    message.on(RunEnded(end))
    assert (box.headlines, box.replies) == ([], [])


def test_a_decision_is_told_in_the_thread(run):
    message, box, _memory = run("decide.yml", phase="", seen=record())
    decide(message, "Jane approved the hold: one scrape")
    assert box.replies == ["⚖️ Jane approved the hold: one scrape"]


def test_a_wave_counts_as_rolled_when_it_ends_but_for_what_failed(run):
    message, box, _memory = run(phase="microservices", seen=record())
    services = {"agent-core": {"failed": False}, "wallet-service": {"failed": True}}
    data = {"wave": 1, "waves": 3, "services": services}
    report(message, "WaveRolled", "wave 1 of 3: failed", data)
    assert "*Services* 1 of 1" in box.headlines[-1]
