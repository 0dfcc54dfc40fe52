"""The process that acts when we die, in processes that the tests fork and kill."""

import os
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]

PROGRAM = """
import os, signal, sys, time
from pathlib import Path
from ansible_collections.easymo.deploy.plugins.module_utils._child_process import cleanup_process
folder, how = Path(sys.argv[1]), sys.argv[2]
sys.argv.append(str(os.getsid(0)))

def execute(notes):
    descriptors = sorted(int(name) for name in os.listdir("/proc/self/fd"))
    (folder / "state").write_text(f"{os.getsid(0) == int(sys.argv[3])} {descriptors[:4]} {len(descriptors)}")
    (folder / "new").write_text(" ".join(notes))
    (folder / "new").rename(folder / "executed")

kept = open(folder / "open", "w")
with cleanup_process(execute) as will:
    will.note("one")
    will.note("two")
    if how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "left":
        will.leave_it()
print("zombies:", sum(1 for line in os.popen(f"ps --ppid {os.getpid()} -o stat=") if line.startswith("Z")))
"""


def play(folder: Path, how: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(ROOT), str(ROOT / "playbooks" / "collections")])
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, str(folder), how],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def executed(folder: Path, within: float = 120) -> t.Any:
    deadline = time.monotonic() + within
    while not (folder / "executed").exists():
        if time.monotonic() > deadline:
            return None
        time.sleep(0.02)
    return (folder / "executed").read_text()


@pytest.mark.parametrize("how", ["killed", "left"])
def test_the_notes_are_acted_upon(tmp_path, how):
    play(tmp_path, how)
    assert executed(tmp_path) == "one two"


def test_it_is_a_session_of_its_own_and_holds_nothing_of_ours(tmp_path):
    play(tmp_path, "killed")
    executed(tmp_path)
    # The standard three, and the folder that is being listed.
    assert (tmp_path / "state").read_text() == "False [0, 1, 2, 3] 4"


def test_who_ends_well_leaves_nothing_to_do_and_no_zombie(tmp_path):
    ended = play(tmp_path, "well")
    assert (ended.returncode, ended.stdout) == (0, "zombies: 0\n")
    assert executed(tmp_path, within=0.2) is None
