"""Whatever ends a run, its callbacks have the last word, once, and no signal waits for them for ever."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
BEGIN = """\
import os, signal, sys, threading, time
from ansible_collections.easymo.deploy.plugins.plugin_utils import _process as _interruption

def told(text):
    os.write(1, (text + "\\n").encode())

"""


def ended(script: str, number: signal.Signals | None = None) -> tuple[int, list[str]]:
    """Exit code and lines of a process that got the signal once it said that it is ready."""
    with subprocess.Popen(
        [sys.executable, "-c", BEGIN + script],
        env={**os.environ, "PYTHONPATH": str(ROOT / "playbooks/collections")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        if number is not None:
            assert process.stdout.readline() == "ready\n"
            process.send_signal(number)
        said, _errors = process.communicate("\n", timeout=60)
    return process.returncode, said.split("\n")[:-1]


HOOKS = """\
_interruption.when_cut_short(lambda: told("first"))
_interruption.when_cut_short(lambda: told("second"))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=["SIGTERM", "SIGHUP"])
def test_a_signal_lets_the_hooks_speak_and_then_ends_the_process_as_ever(number):
    assert ended(f"{HOOKS}told('ready'); time.sleep(60)", number) == (-number, ["second", "first"])


def test_whoever_handled_the_signal_before_still_does():
    script = "signal.signal(signal.SIGTERM, lambda *_: (told('before'), sys.exit(3)))\n"
    code, said = ended(f"{script}{HOOKS}told('ready'); time.sleep(60)", signal.SIGTERM)
    assert (code, said) == (3, ["second", "first", "before"])


def test_an_ignored_hangup_stays_ignored():
    script = "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
    # The signal is there before the line is read that is sent after it.
    wait = "told('ready'); sys.stdin.readline(); told('goes on')"
    code, said = ended(f"{script}{HOOKS}{wait}", signal.SIGHUP)
    assert (code, said) == (0, ["goes on", "second", "first"])


def test_the_end_without_a_signal_lets_them_speak_too():
    assert ended(f"{HOOKS}raise SystemExit(99)") == (99, ["second", "first"])


def test_a_fork_is_not_the_run():
    script = f"{HOOKS}\nif os.fork() == 0:\n    sys.exit(0)\nos.wait()\n"
    assert ended(script) == (0, ["second", "first"])


@pytest.mark.parametrize("moment", ["before", "after_in_parent"])
def test_a_ctrl_c_while_it_forks_is_not_lost(moment):
    script = f"""\
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.unraisablehook = lambda lost: told("a traceback")
os.register_at_fork({moment}=lambda: os.kill(os.getpid(), signal.SIGINT))
{HOOKS}
try:
    if os.fork() == 0:
        os._exit(0)
    told("forked")
    time.sleep(60)
except KeyboardInterrupt:
    told("interrupted")
"""
    assert ended(script) == (0, ["forked", "interrupted", "second", "first"])


def test_a_fork_that_gets_the_terminals_ctrl_c_prints_nothing():
    script = f"""\
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.excepthook = lambda *_: told("a traceback")
{HOOKS}
if (pid := os.fork()) == 0:
    os.kill(os.getpid(), signal.SIGINT)
told(str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])))
"""
    assert ended(script) == (0, ["-2", "second", "first"])


def test_a_hook_that_needs_what_the_main_thread_holds_does_not_hold_up_the_signal():
    script = """\
lock = threading.Lock()
_interruption.PATIENCE = 0.2
_interruption.when_cut_short(lambda: lock.acquire())
with lock:
    told("ready")
    time.sleep(60)
"""
    assert ended(script, signal.SIGTERM)[0] == -signal.SIGTERM


def test_a_broken_hook_does_not_silence_the_others():
    script = "_interruption.when_cut_short(lambda: 1 / 0)\n"
    assert ended(f"{HOOKS}{script}") == (0, ["second", "first"])


def test_a_hook_speaks_although_the_signal_stopped_who_holds_its_lock():
    script = """\
lock = threading.RLock()

def hook():
    with _interruption.held_if_free(lock):
        told("had the last word")

_interruption.when_cut_short(hook)
with lock:
    told("ready")
    time.sleep(60)
"""
    assert ended(script, signal.SIGTERM) == (-signal.SIGTERM, ["had the last word"])
