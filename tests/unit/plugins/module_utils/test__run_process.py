"""Processes as they really are: which lives, which is another with an old number, and one that outlives its task."""

import os
import resource
import select
import subprocess
import sys
import typing as t
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils import _run_process
from ansible_collections.easymo.deploy.plugins.module_utils._run_process import (
    Run,
    alive,
    current_run,
    detach,
    end,
    identified,
    wait_for_end,
)
from tests.waiting import until


@pytest.fixture
def child() -> t.Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with process:
        yield process
        process.kill()


def test_a_process_lives_until_it_ends(child):
    run = identified(child.pid)
    assert alive(run) is True
    child.kill()
    assert wait_for_end(run, 60)
    assert alive(run) is False  # although nobody has read its exit code
    child.wait()
    assert alive(run) is False


def test_the_end_is_seen_without_proc_and_pidfd_too(child, monkeypatch):
    monkeypatch.setattr(_run_process, "_machine", lambda: "")
    monkeypatch.setattr(_run_process, "_stat", lambda _pid: [])
    monkeypatch.delattr(os, "pidfd_open")
    run = identified(child.pid)
    assert alive(run) is None
    assert wait_for_end(run, 0.1) is False
    child.kill()
    child.wait()
    assert wait_for_end(run, 60)


def test_an_old_number_that_another_process_has_now_is_dead():
    assert alive(replace(current_run(), started="1")) is False
    assert wait_for_end(replace(current_run(), started="1"), 0)


@pytest.mark.parametrize("machine", ["", "another-boot/pid:[1]"])
def test_nothing_is_known_of_another_machine(machine):
    assert alive(replace(current_run(), machine=machine)) is None


def test_this_run_is_not_at_its_end():
    assert current_run().pid == os.getpid()
    assert wait_for_end(current_run(), 0.05) is False


def test_a_run_survives_being_written_down():
    for run in (current_run(), Run(machine="", pid=3)):
        assert Run.from_text(run.to_text()) == run
    for damaged in ("", "x y z", "12", "12 - - -"):
        assert Run.from_text(damaged) is None


def test_a_companion_outlives_its_maker_and_holds_nothing_of_it_open(tmp_path):
    mark = tmp_path / "mark"
    program = (
        "import time\n"
        "from ansible_collections.easymo.deploy.plugins.module_utils import _run_process as p\n"
        "from pathlib import Path\n"
        "def work():\n"
        f"    Path({str(mark)!r}).write_text(str(p.os.getsid(0)))\n"
        "    time.sleep(600)\n"
        "p.detach(work)\n"
        "print(p.os.getsid(0))\n"
    )
    # Ends when its output is closed by all who had it: a companion must not be among them.
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,  # less than the companion sleeps
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    until(lambda: mark.exists() and mark.read_text() != "")
    session = int(mark.read_text())
    assert session != int(done.stdout)
    companion = identified(_member(session))
    end(companion)
    assert wait_for_end(companion, 60)


def test_a_companion_holds_no_pipe_open():
    reader, writer = os.pipe()
    release, held = os.pipe()
    detach(lambda: os.read(_run_process.FIRST, 1), release)
    os.close(writer)
    ready, _writable, _errors = select.select([reader], [], [], 60)
    os.close(held)
    assert ready
    assert os.read(reader, 1) == b""
    os.close(reader)
    os.close(release)


def _member(session: int) -> int:
    """The one process of a session, whose leader has gone."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                if os.getsid(int(folder.name)) == session:
                    return int(folder.name)
            except ProcessLookupError:
                continue
    raise AssertionError("no companion")


def test_only_the_process_that_is_meant_is_ended(child):
    end(replace(identified(child.pid), started="1"))
    assert child.poll() is None
    end(identified(child.pid))
    assert child.wait(60) != 0


def test_what_a_companion_raises_stays_with_it(capfd):
    def work() -> None:
        raise RuntimeError("secret")

    reader, writer = os.pipe()
    detach(work, writer)
    os.close(writer)
    assert os.read(reader, 1) == b"", "it has ended"
    os.close(reader)
    assert "secret" not in "".join(capfd.readouterr())


def test_the_end_of_a_run_is_seen_by_a_process_with_many_open_files():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 1200:
        pytest.skip("this machine allows too few open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1200), hard))
    opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    try:
        assert wait_for_end(identified(os.getpid()), 0) is False
    finally:
        for descriptor in opened:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
