"""What an action plugin reports from its fork reaches every callback; what nobody hears harms nobody."""

import os
import queue
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils import _progress


@pytest.fixture
def listen():
    """Subscribes and gives the queue in which reports arrive; all ends with the test."""
    ends = []

    def one():
        heard = queue.Queue()
        ends.append(_progress.subscribe(heard.put))
        return heard

    yield one
    for end in ends:
        end()


def test_a_report_from_a_fork_reaches_every_subscriber(listen):
    first, second = listen(), listen()
    child = os.fork()
    if child == 0:
        _progress.report("PodsReady", "wallet-service", "3 of 4 pods are ready", {"ready": 3})
        os._exit(0)
    os.waitpid(child, 0)
    expected = _progress.Progress(
        "PodsReady", "wallet-service", "3 of 4 pods are ready", {"ready": 3}
    )
    assert first.get(timeout=60) == second.get(timeout=60) == expected


def test_news_arrive_at_a_listener_that_falls_behind_and_what_was_lost_is_counted(monkeypatch):
    """As on a busy controller: its thread stands still, and a socket holds ten reports or some more."""
    monkeypatch.setattr(_progress, "NEWS_PATIENCE", 60)
    monkeypatch.setattr(_progress, "PATIENCE", 0)
    heard, goes_on = queue.Queue(), threading.Event()

    def slowly(progress):
        goes_on.wait(60)
        heard.put(progress)

    end = _progress.subscribe(slowly)
    for number in range(30):
        _progress.report("Step", "h", str(number))
    # News that finds the queue full waits, and only then is there room.
    monkeypatch.setattr(_progress.time, "sleep", lambda _seconds: goes_on.set())
    for number in range(3):
        _progress.report("StatusChanged", "h", f"news {number}")
    _progress.report("Waiting", "h", "the last")
    end()
    arrived = [heard.get_nowait() for _heard in range(heard.qsize())]
    assert [one.text for one in arrived if one.event in _progress.NEWS] == [
        "news 0",
        "news 1",
        "news 2",
        "the last",
    ]
    lost = [one.data["lost"] for one in arrived if one.event == _progress.LOST]
    steps = [int(one.text) for one in arrived if one.event == "Step"]
    assert len(steps) + sum(lost) == 30 > len(steps)
    assert steps == sorted(set(steps))


def test_nothing_is_left_behind(listen):
    end = _progress.subscribe(lambda _progress: None)
    folder = Path(os.environ[_progress.VARIABLE]).parent
    assert folder.stat().st_mode & 0o077 == 0
    end()
    end()
    assert not folder.exists()
    assert _progress.VARIABLE not in os.environ


@pytest.mark.parametrize("address", ["", "/nonexistent/socket"])
def test_reporting_to_nobody_is_silent(monkeypatch, address):
    monkeypatch.setenv(_progress.VARIABLE, address)
    _progress.report("Step", "h", "text")


def test_a_listener_that_falls_behind_holds_nobody_up(monkeypatch, tmp_path):
    deaf = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    monkeypatch.chdir(tmp_path)
    deaf.bind("deaf")
    deaf.listen(0)
    monkeypatch.setenv(_progress.VARIABLE, "deaf")
    monkeypatch.setattr(_progress, "NEWS_PATIENCE", 0.3)
    # Whoever waited for an answer would wait for ever: nothing is read here.
    for _beat in range(5):
        _progress.report("Step", "h", "x" * 2000, {"much": "y" * 50_000})
    _progress.report("StatusChanged", "h", "what nobody acknowledges")
    assert _progress._lost
    deaf.close()
    _progress._lost = 0


def test_a_failing_subscriber_does_not_silence_the_others(listen):
    def failing(_report):
        raise RuntimeError("no")

    end = _progress.subscribe(failing)
    heard = listen()
    _progress.report("Step", "h", "text", {"large": "x" * 100_000, "path": Path("p")})
    assert heard.get(timeout=60) == _progress.Progress("Step", "h", "text", {})
    end()


def test_a_module_in_a_process_of_its_own_is_heard_by_the_plugin_that_started_it(listen):
    """And not by the callbacks themselves: the plugin knows the host's name."""
    callbacks, heard = listen(), queue.Queue()
    program = (
        "from ansible_collections.easymo.deploy.plugins.module_utils._module import emit_progress\n"
        "emit_progress(object(), 'BackupProgress', 'x: 120 MB dumped, 38 s', {'size': 1})"
    )
    with _progress.relayed(heard.put):
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        subprocess.run([sys.executable, "-c", program], env=environment, check=True)
    expected = _progress.Progress("BackupProgress", "", "x: 120 MB dumped, 38 s", {"size": 1})
    assert heard.get_nowait() == expected
    assert callbacks.qsize() == 0
    assert _progress.RELAY not in os.environ
