# SPDX-License-Identifier: GPL-3.0-or-later
"""The supervisor: starts all components, watches them, applies faults, and stops them.

`python -m sandbox.supervisor STATE [COMPONENT…]`, started by `up` in a session of its own.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import sys
import threading
import time
from pathlib import Path

from sandbox.component import Component
from sandbox.component_graph import requirements, select_components, stop_waves
from sandbox.components import COMPONENTS
from sandbox.faults import Faults
from sandbox.orphan_processes import kill_orphans
from sandbox.processes import ProcessId, allow_many_files
from sandbox.record import SUPERVISOR, Phase, note
from sandbox.runner import Runner
from sandbox.world import World, claim_block

TICK = 0.1
STOP_WAVE_WITHIN = 4.0
_PR_SET_CHILD_SUBREAPER = 36


class Supervisor:
    def __init__(self, world: World, components: tuple[Component, ...]) -> None:
        self._world = world
        self._faults = Faults(world.faults_file)
        self._runners: dict[str, Runner] = {}
        for component in components:
            self._runners[component.name] = Runner(component, world, self._faults, self._runners)
        self._stop = threading.Event()
        self._zombie: int | None = None

    def run(self) -> None:
        signal.signal(signal.SIGTERM, lambda *_: self._stop.set())
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        note(self._world, SUPERVISOR, Phase.READY, process=ProcessId.of(os.getpid()), seconds=0)
        for runner in self._runners.values():
            runner.start()
        try:
            self._watch()
        finally:
            self._take_down()

    def _watch(self) -> None:
        while not self._stop.wait(TICK):
            if not self._world.state_file.exists():
                print("The run folder was removed: the sandbox goes down.", flush=True)  # noqa: T201
                return
            for runner in self._runners.values():
                runner.apply_faults()
            self._reap_adopted()

    def _reap_adopted(self) -> None:
        """Collect the exit status of orphans that became our children.

        Only what stayed a zombie for a whole tick: our own children are waited for by who started them.
        """
        try:
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            found = None
        zombie = found.si_pid if found else None
        own = {runner.child_pid for runner in self._runners.values()}
        if zombie is not None and zombie == self._zombie and zombie not in own:
            os.waitpid(zombie, os.WNOHANG)
        self._zombie = zombie

    def _take_down(self) -> None:
        removed = not self._world.state_file.exists()
        needs = {name: requirements(runner.component) for name, runner in self._runners.items()}
        for wave in stop_waves(needs):
            runners = [self._runners[name] for name in wave]
            for runner in runners:
                runner.terminate()
            deadline = time.monotonic() + STOP_WAVE_WITHIN
            for runner in runners:
                runner.join(max(0.0, deadline - time.monotonic()))
                if runner.is_alive():
                    runner.kill()
        kill_orphans(self._world.run)
        if removed:
            shutil.rmtree(self._world.run, ignore_errors=True)


def main() -> None:
    world = World(Path(sys.argv[1]))
    allow_many_files()
    # Orphans of a component that was killed become our children, where they are found again.
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    block, guard = claim_block()
    with guard:
        with world.changing() as state:
            state["port_block"] = block
        Supervisor(world, select_components(COMPONENTS, sys.argv[2:])).run()


if __name__ == "__main__":
    main()
