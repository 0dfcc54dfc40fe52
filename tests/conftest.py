"""The running sandbox that integration and contract tests share, one for each worker of a session."""

import os
import signal
import sys
import typing as t
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from sandbox.lifecycle import Options, down, up
from sandbox.processes import records
from sandbox.world import CACHE_VARIABLE, World
from tests.caches import SANDBOX_CACHE
from tests.examples import ALL, QUICK, USUAL
from tests.suite.order import place

# A kubelet looks at a volume when it is told to, and so late by itself that no test waits for it.
NUMBERS = {"seed_mb": 10, "replicas": 1, "kubelet_sync": 3600}

# How fast examples come says more about the machine than about the code. In CI they are the same each time: a new one
# that fails is found where somebody works on it, and does not stop who changed something else.
settings.register_profile(
    ALL, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize="CI" in os.environ
)
settings.register_profile(QUICK, settings.get_profile(ALL), max_examples=USUAL // 10)
settings.load_profile(ALL)

# As of somebody who activated the environment. A shim for python3, such as pyenv's, costs each run of Ansible a tenth
# of a second of CPU, in the script of the inventory.
PROGRAMS = f"{Path(sys.executable).parent}{os.pathsep}"
os.environ["PATH"] = PROGRAMS + os.environ["PATH"].removeprefix(PROGRAMS)

# A shell ignores SIGINT for what it runs in the background, and nohup SIGHUP. Children inherit that, and some tests
# end them by these very signals.
for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, usual)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            item.add_marker("property")
    items.sort(key=place)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("root") and os.geteuid() != 0:
        pytest.skip("only root can run them: sudo make test-root")


@pytest.fixture(scope="session")
def world(tmp_path_factory) -> t.Iterator[World]:
    """The sandbox of $EASYMO_SANDBOX_STATE when that is up, else a new one, taken down at the end.

    Workers side by side each have a new one, for some tests break it for a while.
    """
    given = os.environ.get("EASYMO_SANDBOX_STATE")
    if given and "PYTEST_XDIST_WORKER" not in os.environ and records(World(Path(given))):
        yield World(Path(given))
        return
    os.environ.setdefault(CACHE_VARIABLE, str(SANDBOX_CACHE))
    running = World(tmp_path_factory.mktemp("sandbox"))
    try:
        up(running, Options(numbers=NUMBERS), print)
        yield running
    finally:
        down(running, print)
