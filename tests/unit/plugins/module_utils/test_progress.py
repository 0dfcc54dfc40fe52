# SPDX-License-Identifier: GPL-3.0-or-later
"""What an action plugin reports from its fork reaches every callback; what nobody hears harms nobody."""

from __future__ import annotations

import os
import queue
import socket
import subprocess
import sys
import time
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
    assert first.get(timeout=2) == second.get(timeout=2) == expected


def test_what_was_reported_before_the_end_is_delivered(listen):
    heard = queue.Queue()
    end = _progress.subscribe(heard.put)
    for number in range(100):
        _progress.report("Step", "h", str(number))
    end()
    assert [heard.get_nowait().text for _heard in range(heard.qsize())] == [
        str(n) for n in range(100)
    ]


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
    deaf = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    monkeypatch.chdir(tmp_path)
    deaf.bind("deaf")
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    monkeypatch.setenv(_progress.VARIABLE, "deaf")
    started = time.monotonic()
    for _beat in range(5):
        _progress.report("Step", "h", "x" * 2000, {"much": "y" * 50_000})
    assert time.monotonic() - started < 5 * _progress.PATIENCE + 1
    deaf.close()


def test_a_failing_subscriber_does_not_silence_the_others(listen):
    def failing(_report):
        raise RuntimeError("no")

    end = _progress.subscribe(failing)
    heard = listen()
    _progress.report("Step", "h", "text", {"large": "x" * 100_000, "path": Path("p")})
    assert heard.get(timeout=2) == _progress.Progress("Step", "h", "text", {})
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
