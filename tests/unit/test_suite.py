"""What a person reads of a test run, and in which order its tests begin."""

import json
import os
import re
import signal
import subprocess
import sys
import typing as t

import psutil
import pytest

from tests.caches import ROOT
from tests.suite import screen
from tests.suite.screen import Overview, StepState
from tests.suite.steps import LANES, STAGES, Step
from tests.suite.unchanged import Inputs
from tests.waiting import until

TWO = 2
"""Lanes, whatever this machine has."""
STYLE, UNITS = Step("style", ("true",), 20), Step("units", ("pytest",), 60, TWO)


def running(step: Step, *, passed: int, collected: int, began: float = 0) -> StepState:
    return StepState(step, began=began, collected=collected, passed=passed)


def ended(step: Step, seconds: float, status: int = 0, **more: t.Any) -> StepState:
    return StepState(step, began=0, ended=seconds, status=status, **more)


def test_one_line_tells_the_step_the_counts_the_time_and_what_is_left():
    states = [ended(STYLE, 20), running(UNITS, passed=50, collected=100)]

    line = screen.progress(Overview(states, 0, 30, TWO))

    assert line == "units 50/100 · 50 passed, 0 failed · 0:30, about 0:30 to go"


def test_before_anything_was_measured_the_time_is_the_recorded_one():
    states = [running(STYLE, passed=0, collected=0), StepState(UNITS)]

    assert (
        screen.progress(Overview(states, 0, 5, TWO))
        == "style · 0 passed, 0 failed · 0:05, about 1:07 to go"
    )


def test_the_end_has_ten_lines_however_much_failed():
    failures = [(f"tests/a.py::test_{number}", "assert 1 == 2") for number in range(30)]
    skips = [(f"tests/b.py::test_{number}", f"reason {number % 7}") for number in range(20)]
    states = [ended(UNITS, 60, 1, passed=9, failures=failures, skips=skips), StepState(STYLE)]

    lines = screen.ending(
        Overview(states, 0, 61, TWO), 99, ["sleep 9"], ".cache/test", " after a failure"
    )

    assert len(lines) == 10
    assert lines[0] == "✗ units tests/a.py::test_0: assert 1 == 2"
    assert "not run after a failure: style" in lines
    assert lines[-1] == "9 passed, 30 failed, 20 skipped"


def test_a_step_without_tests_that_fails_counts():
    overview = Overview([ended(STYLE, 3, 1)], 0, 3, TWO)

    assert screen.ending(overview, 1, [], "logs", "")[-1] == "0 passed, 1 failed"


def test_what_is_cheap_comes_first():
    names = [[step.name for step in stage if step.lanes] for stage in STAGES]

    assert names[0][0] == "style"
    assert names[1] == ["units", "project"]
    assert names[-1] == ["traffic"]


FILES = {
    "tests/unit/test_a.py": "from ansible_collections.easymo.deploy.plugins import near",
    "tests/unit/corpus/a.sql": "select 1",
    "tests/conftest.py": "import tests.helper",
    "tests/helper.py": "",
    "plugins/near.py": "def f():\n    from .deep import far",
    "plugins/deep/far.py": "",
    "plugins/other.py": "",
    "requirements.lock": "",
}


@pytest.mark.parametrize("changed", FILES)
def test_a_file_of_tests_runs_again_when_something_it_needs_changes(tmp_path, changed):
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    test = tmp_path / "tests/unit/test_a.py"
    first = Inputs(tmp_path, {})
    before = first.fingerprint(test)
    assert Inputs(tmp_path, first.imports).fingerprint(test) == before
    (tmp_path / changed).write_text(f"{FILES[changed]} # changed")
    after = Inputs(tmp_path, first.imports).fingerprint(test)
    assert (after == before) == (changed == "plugins/other.py")


@pytest.fixture
def suite(tmp_path) -> t.Callable[..., subprocess.Popen[str]]:
    """A run of `tests.suite` over steps of its own, whose logs and temporary files stand in a folder of the test's."""
    program = tmp_path / "suite.py"

    def start(
        *steps: tuple[str, str], beside: tuple[tuple[str, str], ...] = ()
    ) -> subprocess.Popen[str]:
        idle = "".join(
            f"Step({name!r}, ('sh', '-c', {script!r}), 1, 0)," for name, script in beside
        )
        stages = ", ".join(
            f"(Step({name!r}, ('sh', '-c', {script!r}), 1, {LANES}), {idle})"
            for name, script in steps
        )
        program.write_text(
            f"""
import sys, tempfile
from pathlib import Path
sys.path.insert(0, {str(ROOT)!r})
from tests.suite import __main__ as suite
from tests.suite.steps import Step
suite.STAGES = ({stages},)
suite.ROOT = Path({str(tmp_path)!r})
suite.LOGS = suite.ROOT / "logs"
sys.exit(suite.main([]))
"""
        )
        return subprocess.Popen(
            [sys.executable, program],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "TMPDIR": str(tmp_path)},
        )

    return start


def test_a_failure_ends_the_run_and_says_why_at_once(suite):
    run = suite(("first", "echo 'line 3: too long'; exit 1"), ("second", "echo never > ran"))

    printed, _none = run.communicate(timeout=60)

    assert run.returncode == 1
    assert re.search(r"first: FAILED in 0:0\d\n  line 3: too long\n", printed)
    assert "not run after a failure: second" in printed
    assert printed.endswith("0 passed, 1 failed\n")


def test_a_step_without_a_lane_runs_beside_those_that_fill_them_and_gives_way(suite, tmp_path):
    waits = "while [ ! -e done ]; do sleep 0.1; done"

    run = suite(("worlds", waits), beside=(("first", "nice > first"), ("second", "nice > done")))

    printed, _none = run.communicate(timeout=60)
    assert run.returncode == 0, printed
    assert [(tmp_path / name).read_text() for name in ("first", "done")] == ["19\n", "19\n"]


def test_an_orphan_that_ended_is_gone(suite):
    run = suite(("one", "(sleep 0.1 & echo $! > pid); sleep 1.5; test ! -e /proc/$(cat pid)"))

    printed, _none = run.communicate(timeout=60)

    assert run.returncode == 0, printed


def test_ctrl_c_waits_for_what_was_started_and_leaves_nothing(suite, tmp_path):
    """The step needs a moment to take down what it started, and leaves a process that nobody waits for."""
    run = suite(
        (
            "one",
            'sleep 97 & trap "sleep 1; touch down; exit 130" INT; touch up; while :; do sleep 0.1; done',
        ),
        ("two", "touch never"),
    )
    until((tmp_path / "up").exists)
    run.send_signal(signal.SIGINT)

    printed, _none = run.communicate(timeout=60)

    assert run.returncode == 1
    assert (tmp_path / "down").exists()
    assert not (tmp_path / "never").exists()
    assert "not run, for the run was interrupted: two" in printed
    assert "ended what was left running: sleep 97" in printed
    assert not list(tmp_path.glob("deploy-test-*"))


@pytest.mark.parametrize(("killed", "code", "says"), [
    ("terminal", -9, "Interrupted: taking down what was started."),
    ("keeper", 247, "Interrupted: taking down what was started."),
    ("run", 137, "The run was killed by signal 9"),
])  # fmt: skip
def test_a_run_that_is_killed_leaves_nothing_either(suite, tmp_path, killed, code, says):
    """What it started takes down what that started."""
    takes_down = 'sleep 98 & trap "kill $!; touch down; exit" INT'
    run = suite(("one", f"{takes_down}; touch up; while :; do sleep 0.1; done"))
    until((tmp_path / "up").exists)
    processes = [psutil.Process(run.pid)]
    processes += processes[0].children()
    processes += processes[1].children()
    started = processes[2].children(recursive=True)
    processes[["terminal", "keeper", "run"].index(killed)].kill()

    printed, _none = run.communicate(timeout=120)

    assert run.returncode == code
    assert says in printed
    assert (tmp_path / "down").exists()
    assert [process for process in started if process.is_running()] == []
    assert not list(tmp_path.glob("deploy-test-*"))


def test_the_record_of_seconds_names_files_that_are_there():
    record = json.loads((ROOT / "tests/suite/seconds.json").read_text("utf-8"))

    assert [file for file in record if not (ROOT / file).exists()] == []
