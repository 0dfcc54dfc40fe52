"""A person at a real terminal, one who goes away, and no terminal at all."""

import contextlib
import json
import os
import re
import select
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import psutil

from tests.tables import cases
from tests.waiting import until_ansible_reads

ROOT = Path(__file__).parents[2]
ANSIBLE = str(Path(sys.executable).with_name("ansible"))
QUESTIONS = [
    {"name": "phone", "question": "Do buttons appear?", "asked_of": "the team"},
    {"name": "dashboard", "question": "Do metrics flow?"},
]
TERMINAL = "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)"
PATIENCE = 180
"""Seconds that one run may take on a busy machine."""


def command(**arguments: t.Any) -> list[str]:
    given = {"questions": QUESTIONS, **arguments}
    return [
        ANSIBLE, "localhost", "-c", "local", "-o", "-m", "easymo.deploy.person_check",
        "-a", json.dumps(given),
    ]  # fmt: skip


def environment() -> dict[str, str]:
    return {**os.environ, "ANSIBLE_NOCOLOR": "1", "LOGNAME": "jane", "TERM": "dumb"}


def types(*dialogue: tuple[str, str], **arguments: t.Any) -> str:
    """What the terminal shows; each answer is typed when its question is there."""
    with subprocess.Popen(
        [sys.executable, "-c", TERMINAL, *command(**arguments)],
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        assert process.stdin
        assert process.stdout
        terminal = psutil.Process(process.pid)
        shown, deadline = "", time.monotonic() + PATIENCE
        for prompt, typed in dialogue:
            while prompt not in shown:
                chunk = _more(process, deadline)
                assert chunk, shown
                shown += chunk.decode(errors="replace")
            # What was shown before is not asked again.
            shown = shown.split(prompt, 1)[1]
            for asking in terminal.children():
                until_ansible_reads(asking.pid)
            process.stdin.write(typed.encode())
            process.stdin.flush()
        while chunk := _more(process, deadline):
            shown += chunk.decode(errors="replace")
        process.stdin.close()
        process.wait(timeout=60)
    return shown


def _more(process: subprocess.Popen[bytes], deadline: float) -> bytes:
    """Nothing at its end, or when nothing comes until the deadline: then the process is ended."""
    assert process.stdout
    if not select.select([process.stdout], [], [], max(deadline - time.monotonic(), 0))[0]:
        process.kill()
        return b""
    with contextlib.suppress(OSError):
        return os.read(process.stdout.fileno(), 4096)
    return b""


def statuses(shown: str) -> list[str]:
    return re.findall(r'"status": "(\w+)"', shown)


def test_a_person_answers_and_gives_a_name_once():
    shown = types(
        ("Do buttons appear? (the team) [yes/no]: ", "perhaps\r"),
        ("Do buttons appear? (the team) [yes/no]: ", "yes\r"),
        ("Who answers? [jane]: ", "Jane Doe\r"),
        ("Do metrics flow? [yes/no]: ", "no\r"),
    )
    assert statuses(shown) == ["pass", "fail"]
    assert shown.count('"by": "Jane Doe"') == 2
    assert "Jane Doe said no at " in shown


def test_who_says_that_it_is_minor_says_what():
    question = {"name": "tickets", "question": "How many?", "scale": "severity"}
    shown = types(
        ("How many? [good/minor/bad]: ", "yes\r"),
        ("How many? [good/minor/bad]: ", "minor\r"),
        ("What is minor?: ", "the menu is slow\r"),
        ("Who answers? [jane]: ", "\r"),
        questions=[question],
    )
    assert statuses(shown) == ["hold"]
    assert "jane said minor at " in shown
    assert "the menu is slow" in shown


def test_a_yes_that_was_not_ended_in_time_is_none():
    shown = types(
        ("Do buttons appear? (the team) [yes/no]: ", "yes"),
        ("Do metrics flow? [yes/no]: ", ""),
        timeout=2,
    )
    assert statuses(shown) == ["hold", "hold"]
    assert "no answer within 2 s" in shown


@cases(
    ("answers", "found"),
    {
        "nobody": ({}, ["hold", "hold"]),
        "one by variable": ({"phone": {"answer": "yes", "by": "Joe"}}, ["pass", "hold"]),
    },
)
def test_without_a_terminal_what_has_no_answer_holds(answers, found):
    done = subprocess.run(
        command(answers=answers),
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode != 0
    assert statuses(done.stdout) == found
    assert '"reason": "Hold"' in done.stdout
    assert "there is no terminal" in done.stdout
