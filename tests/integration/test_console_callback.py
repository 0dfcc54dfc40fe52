"""Real runs of ansible-playbook, as somebody sees them at a terminal, through a pipe, in a log, and after a signal."""

import contextlib
import fcntl
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time
import typing as t
import urllib.request
from pathlib import Path

import psutil
import pytest
import yaml

from sandbox.world import World
from tests.ansible_playbook import PROGRAM
from tests.waiting import until, until_ansible_reads

REPOSITORY = Path(__file__).parents[2]
PATIENCE = 180
"""Seconds that one run may take on a busy machine."""
SECRET = "hunter2-hunter2"
ESCAPE = "\x1b["
PLAYBOOK = """\
- name: "Phase 1: preflight"
  hosts: localhost
  gather_facts: false
  tags: preflight
  vars: {release_phase_name: preflight}
  tasks:
    - name: Change something
      ansible.builtin.debug:
        msg: fine
      changed_when: true
- name: "Phase 2: database"
  hosts: localhost
  gather_facts: false
  tags: [never, database]
  vars: {release_phase_name: database}
  tasks:
    - name: Never
      ansible.builtin.debug:
    # A role that is imported ends, with tags that leave out all its tasks too, with a task of Ansible's own.
    - name: Nor this
      ansible.builtin.import_role: {name: idle}
- name: "Phase 3: microservices"
  hosts: microservices
  gather_facts: false
  serial: [1, "100%"]
  tags: microservices
  vars: {release_phase_name: microservices}
  tasks:
    - name: Wait
      ansible.builtin.wait_for: {path: "{{ waits_for }}", timeout: 900}
      when: waits_for is defined
    - name: Roll the service with {{ secret_admin_token }}
      ansible.builtin.fail:
        msg: "The pods of {{ inventory_hostname }}\\r\\nsaid {{ secret_admin_token }}."
      when: inventory_hostname == failing | default('')
"""
PLAN = [
    {"name": "preflight", "title": "Pre-Deploy", "minutes": 15},
    {"name": "database", "title": "Database", "minutes": 15},
    {"name": "microservices", "title": "Microservices", "minutes": 20},
]


@pytest.fixture
def stage(tmp_path) -> Path:
    return staged(tmp_path)


def staged(folder: Path) -> Path:
    """With a playbook, a way back, and an inventory with a plan."""
    variables = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "release_version": "2.0.0",
        "release_plan": PLAN,
        "secret_admin_token": SECRET,
    }
    groups = {
        "control": {"hosts": {"localhost": None}},
        "microservices": {"hosts": {"agent-core": None, "wallet-service": None}},
    }
    inventory = {"all": {"vars": variables, "children": groups}}
    (folder / "inventory.yml").write_text(yaml.safe_dump(inventory))
    (folder / "play.yml").write_text(PLAYBOOK)
    (folder / "rollback.yml").write_text("[]")
    tasks = folder / "roles" / "idle" / "tasks"
    tasks.mkdir(parents=True)
    (tasks / "main.yml").write_text("- ansible.builtin.debug:\n")
    return folder


def command(*more: str) -> list[str]:
    return [PROGRAM, "-i", "inventory.yml", "play.yml", *more]


def environment(**more: str) -> dict[str, str]:
    """A person's: where CI is set, nothing is drawn anew; where COLUMNS is, a terminal has no other width."""
    plain = ("NO_COLOR", "ANSIBLE_NOCOLOR", "CI", "COLUMNS")
    kept = {name: value for name, value in os.environ.items() if name not in plain}
    return {**kept, "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg"), "TERM": "xterm", **more}


def piped(stage: Path, *more: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*more),
        cwd=stage,
        env=environment(**variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )


def at_a_terminal(
    stage: Path, *more: str, shows: str = "", answer: t.Callable[[int, int], object] | None = None
) -> tuple[int, str]:
    """The exit code, and every character that reached the terminal.

    `answer` is called once that `shows`, with the terminal and the process.
    """
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command(*more),
        cwd=stage,
        env=environment(),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        # Ansible asks only at a terminal that is the process's own.
        preexec_fn=lambda: (os.setsid(), fcntl.ioctl(0, termios.TIOCSCTTY, 0)),
    )
    os.close(theirs)
    shown, deadline = b"", time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if select.select([ours], [], [], 1)[0]:
            try:
                shown += os.read(ours, 65536)
                if answer and shows.encode() in shown:
                    answer(ours, process.pid)
                    answer = None
            except OSError:  # the other side is closed
                break
    os.close(ours)
    return process.wait(60), shown.decode()


def test_through_a_pipe_and_in_a_log_there_are_words_and_no_colours(stage):
    log = stage / "ansible.log"
    run = piped(stage, "-vvv", "-e", "failing=wallet-service", ANSIBLE_LOG_PATH=str(log))
    assert run.returncode == 2, run.stdout + run.stderr
    lines = run.stdout.splitlines()
    headings = [line for line in lines if re.match(r"\d/3 ", line)]
    assert [line[:10] for line in headings] == ["1/3 Pre-De", "3/3 Micros"]
    assert headings[0].endswith(" · planned 15 min")
    assert (
        "  next     ansible-playbook play.yml -i inventory.yml -e failing=wallet-service" in lines
    )
    assert "  cause    wallet-service: The pods of wallet-service said ********." in lines
    for text in (run.stdout, log.read_text("utf-8")):
        assert ESCAPE not in text
    logged = [line for line in log.read_text("utf-8").splitlines() if "/3 " in line]
    assert [line for line in logged if "| 1/3 Pre-Deploy" in line]
    assert not [line for line in logged if "\r" in line]
    assert_journal_of_a_failure(stage)


def runs_in(journal: Path) -> list[list[dict[str, t.Any]]]:
    """The events of each run. No line is damaged, and none is missing."""
    runs: dict[str, list[dict[str, t.Any]]] = {}
    for event in map(json.loads, filter(None, journal.read_text("utf-8").splitlines())):
        runs.setdefault(event["run"], []).append(event)
    for events in runs.values():
        assert [one["seq"] for one in events] == [*range(1, len(events) + 1)]
    return [*runs.values()]


def assert_journal_of_a_failure(stage: Path) -> None:
    path = stage / ".deploy/2.0.0/journal.jsonl"
    (events,) = runs_in(path)
    assert events[-1]["outcome"] == "failed"
    begin = events[0]
    assert begin["event"] == "run_started"
    assert begin["extra_variables"] == ["failing"]
    assert begin["options"]["inventory"] == ["inventory.yml"]
    assert re.fullmatch(r"2\.\d+\.\d+\S*", begin["ansible_core"])
    assert all(begin[name] for name in ("user", "controller", "collection", "playbook", "pid"))
    assert SECRET not in path.read_text("utf-8")


def test_at_a_terminal_the_same_lines_have_colours(stage):
    code, shown = at_a_terminal(stage, "-v", "--check", "--tags", "preflight")
    assert code == 0, shown
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown).replace("\r\n", "\n")
    assert "check mode, nothing is changed" in plain
    assert "\r" not in plain
    coloured = next(line for line in shown.splitlines() if "1/3 Pre-Deploy" in line)
    assert coloured.startswith(ESCAPE)
    assert coloured.rstrip().endswith(f"{ESCAPE}0m")


def test_what_is_not_of_this_collection_is_shown_as_ansible_shows_it(stage):
    run = piped(stage, "-e", "failing=wallet-service")
    assert run.returncode == 2, run.stdout + run.stderr
    lines = run.stdout.splitlines()
    assert [line for line in lines if line.startswith("PLAY [Phase 1: preflight]")]
    assert [line for line in lines if line.startswith("TASK [Change something]")]
    assert [line for line in lines if line.startswith("fatal: [wallet-service]: FAILED!")]
    assert [line for line in lines if line.startswith("PLAY RECAP")]
    assert [line for line in lines if line.startswith("✗ STOPPED in 3/3 Microservices, ")]
    assert "  cause    wallet-service: The pods of wallet-service said ********." in lines
    assert SECRET not in run.stdout.partition("PLAY RECAP")[2]


def test_a_pipe_that_closes_ends_the_output_and_not_the_run(stage):
    """Its reader has gone before the first line."""
    read, write = os.pipe()
    os.close(read)
    run = subprocess.run(
        command(),
        cwd=stage,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    os.close(write)
    assert run.returncode == 0
    assert run.stderr == ""
    (events,) = runs_in(stage / ".deploy/2.0.0/journal.jsonl")
    assert events[-1]["outcome"] == "done"


def test_at_a_terminal_one_line_is_drawn_anew_and_gone_before_the_next(stage):
    (stage / "slow.yml").write_text(
        "- hosts: localhost\n  gather_facts: false\n  tasks:\n"
        f"    - name: Take a while\n      ansible.builtin.wait_for: {{path: {stage}/over, timeout: 900}}\n"
    )
    over = stage / "over"
    code, shown = at_a_terminal(
        stage, "slow.yml", shows="  Take a while", answer=lambda *_: over.touch()
    )
    assert code == 0, shown
    drawn = drawn_lines(shown)
    assert [line for line in drawn if re.fullmatch(r"\s*… 0:0\d  Take a while", line)], drawn
    # Whatever was printed after a drawn line has a line of its own.
    screen = [line.rpartition("\x1b[K")[2] for line in shown.replace("\r\n", "\n").split("\n")]
    assert not [line for line in screen if "Take a while" in line and "…" in line]


def drawn_lines(shown: str) -> list[str]:
    return [line for line in re.findall(r"\r\x1b\[K([^\r\n]*)", shown) if line]


def test_a_prompt_is_shown_and_nothing_is_drawn_into_the_answer(stage):
    (stage / "asks.yml").write_text(
        "- hosts: localhost\n  gather_facts: false\n  tasks:\n"
        "    - name: Ask\n      ansible.builtin.pause: {prompt: Go on}\n      register: said\n"
        "    - name: Show it\n      ansible.builtin.debug: {var: said.user_input}\n"
    )

    def answer(terminal: int, pid: int) -> None:
        until_ansible_reads(pid)
        os.write(terminal, b"yes\r")

    code, shown = at_a_terminal(stage, "asks.yml", shows="Go on:", answer=answer)
    assert code == 0, shown
    asked = shown.partition("Go on:")[2].partition("ok: [localhost]")[0]
    assert "\x1b[K" not in asked.partition("yes")[0]
    assert "said.user_input: 'yes'" in shown or "said.user_input: yes" in shown


def wait_for(process: subprocess.Popen[str], path: Path, text: str) -> None:
    """Until the run has written that, live, into a file."""

    def written() -> bool:
        assert process.poll() is None, "the run ended before"
        return path.exists() and text in path.read_text("utf-8")

    until(written, PATIENCE)


@pytest.fixture(scope="module", autouse=True)
def silent(tmp_path_factory) -> t.Iterator[tuple[Path, subprocess.Popen[str]]]:
    """A run whose task says nothing, with its folder. It is silent while other tests run."""
    stage = staged(tmp_path_factory.mktemp("silent"))
    with waiting_in(stage) as process:
        yield stage, process


@pytest.fixture
def waiting(stage) -> t.Iterator[subprocess.Popen[str]]:
    with waiting_in(stage) as process:
        until_it_waits(stage, process)
        yield process


@contextlib.contextmanager
def waiting_in(stage: Path) -> t.Iterator[subprocess.Popen[str]]:
    """A run in the middle of a phase; what it waits for comes with the end of the test, for whoever outlives it."""
    with (stage / "output").open("w") as output:
        process = subprocess.Popen(
            command("-e", f"waits_for={stage}/nothing"),
            cwd=stage,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        (stage / "nothing").touch()
        if process.poll() is None:
            process.kill()
            process.wait(60)


def until_it_waits(stage: Path, process: subprocess.Popen[str]) -> None:
    """Once its task runs, and Ansible has no more to do than to look for its end: what SIGINT does to a task that just
    begins is Ansible's matter.
    """
    wait_for(process, stage / ".deploy/2.0.0/journal.jsonl", '"task": "Wait"')
    run = psutil.Process(process.pid)
    # A worker, and what it has begun.
    until(lambda: len(run.children(recursive=True)) > 1 and run.status() == psutil.STATUS_SLEEPING)


@pytest.mark.parametrize(
    ("number", "code"),
    [
        pytest.param(signal.SIGINT, 99, id="SIGINT"),
        pytest.param(signal.SIGTERM, -signal.SIGTERM, id="SIGTERM"),
    ],
)
def test_a_run_that_a_signal_ends_says_so_and_how_to_resume(stage, waiting, number, code):
    waiting.send_signal(number)
    assert waiting.wait(PATIENCE) == code
    shown = (stage / "output").read_text("utf-8").splitlines()
    assert [line for line in shown if line.startswith("✗ INTERRUPTED in 3/3 Microservices, ")]
    resume = "  next     ansible-playbook play.yml -i inventory.yml -e waits_for="
    assert [line for line in shown if line.startswith(resume)]
    (events,) = runs_in(stage / ".deploy/2.0.0/journal.jsonl")
    assert events[-1]["outcome"] == "interrupted"


def test_a_silent_task_is_told_of_and_a_killed_run_leaves_whole_lines(silent):
    stage, process = silent
    wait_for(process, stage / "output", "  Wait · agent-core")
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(60)
    journal = stage / ".deploy/2.0.0/journal.jsonl"
    killed = [json.loads(line) for line in journal.read_text("utf-8").splitlines()]
    assert killed[-1]["event"] != "run_finished"
    assert piped(stage, "--tags", "preflight").returncode == 0
    assert [run[-1].get("outcome") for run in runs_in(journal)] == [None, "done"]


def in_slack(world: World) -> list[str]:
    with urllib.request.urlopen(f"{world.facts('sinks')['url']}api/messages.json") as answer:
        return [one["text"] for one in json.load(answer)["slack"]["engineering-alerts"]]


@pytest.fixture
def told_before(stage, world) -> int:
    """How many messages the sandbox's Slack has, which the run is going to write to."""
    sinks = world.facts("sinks")
    inventory = yaml.safe_load((stage / "inventory.yml").read_text("utf-8"))
    inventory["all"]["vars"] |= {
        "slack_api_url": sinks["slack_api_url"],
        "slack_bot_token": sinks["slack_bot_token"],
        "slack_channel": "#engineering-alerts",
    }
    (stage / "inventory.yml").write_text(yaml.safe_dump(inventory))
    return len(in_slack(world))


def test_slack_is_told_of_a_signal_too(world, told_before, waiting):
    waiting.send_signal(signal.SIGTERM)
    assert waiting.wait(PATIENCE) == -signal.SIGTERM
    assert [text for text in in_slack(world)[told_before:] if "interrupted" in text]
