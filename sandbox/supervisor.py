# SPDX-License-Identifier: GPL-3.0-or-later
"""The supervisor: starts all components, watches them, applies faults, and stops them.

`python -m sandbox.supervisor STATE [COMPONENT…]`, started by `up` in a session of its own. Each component waits for
what it needs, starts, becomes ready and ends; each phase is recorded.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import traceback
import typing as t
from pathlib import Path

from sandbox.component import Component
from sandbox.components import COMPONENTS, requirements, select_components, stop_waves
from sandbox.errors import SandboxError, sentence
from sandbox.faults import Faults
from sandbox.processes import (
    SUPERVISOR,
    Phase,
    ProcessId,
    allow_many_files,
    kill_orphans,
    note,
    signal_tree,
    spawn,
)
from sandbox.world import World, claim_block

READY_WITHIN = 60.0
POLL = 0.03
READY_POLL = 0.1
"""Seconds: an exchange costs more than a look at a phase."""
FOR_WANT = "It needs"


class _StoppedError(Exception):
    """The sandbox goes down: leave everything."""


class Runner(threading.Thread):
    """One thread a component, alive as long as its child: the child dies with the thread that started it."""

    def __init__(
        self, component: Component, world: World, faults: Faults, peers: t.Mapping[str, Runner]
    ) -> None:
        super().__init__(name=component.name, daemon=True)
        self.component = component
        self.phase = Phase.WAITING
        self.stopping = threading.Event()
        self._world = world
        self._faults = faults
        self._peers = peers
        self._child: subprocess.Popen[bytes] | None = None
        self._stop_signal = signal.SIGTERM
        self._killed = False
        self._began = time.monotonic()

    def run(self) -> None:
        try:
            self._await(self.component.needs)
            self._note(Phase.PREPARING)
            self.component.prepare(self._world)
            while self._run_once():
                pass
        except _StoppedError:
            self._note(Phase.STOPPED)
        except Exception as exc:
            if not isinstance(exc, SandboxError):
                traceback.print_exc()
            self._note(Phase.DEAD, sentence(exc))
        finally:
            self.kill()

    def _run_once(self) -> bool:
        """One process from start to end; True when it is to be started again."""
        try:
            self._serve()
        except SandboxError:
            # A fault may kill it while it starts, too.
            if not self._killed:
                raise
        self._note(Phase.KILLED, "killed by a fault")
        while self._faults.active(self.component.name, "killed") is not None:
            self._pause(POLL)
        self._killed = False
        return True

    def _serve(self) -> None:
        """Raises SandboxError once the process has ended, or cannot work."""
        self._start()
        self._await_ready()
        self._await(self.component.settles_after)
        self._note(Phase.SETTLING)
        self.component.settle(self._world)
        self._world.publish(self.component.name, self.component.facts(self._world))
        self._note(Phase.READY)
        raise SandboxError(self._exit_message(self._await_end()))

    def _await(self, needs: t.Iterable[str]) -> None:
        for need in needs:
            while self._peers[need].phase is not Phase.READY:
                if self._peers[need].phase is Phase.DEAD:
                    raise SandboxError(f"{FOR_WANT} {need}, which is dead.")
                if self._child is not None and (status := self._child.poll()) is not None:
                    raise SandboxError(self._exit_message(status))
                self._pause(POLL)

    def _start(self) -> None:
        process = self.component.process(self._world)
        folder = self._world.folder(self.component.name)
        self._stop_signal = process.stop_signal
        with self._world.changing() as state:
            state.setdefault("leaves", {})[self.component.name] = [
                str(path) for path in process.leaves
            ]
        self._child = spawn(process, folder=folder, run=self._world.run)
        self._note(Phase.STARTING)

    def _await_ready(self) -> None:
        child = t.cast("subprocess.Popen[bytes]", self._child)
        deadline = time.monotonic() + READY_WITHIN
        last = "no answer"
        while time.monotonic() < deadline:
            if (status := child.poll()) is not None:
                raise SandboxError(self._exit_message(status))
            try:
                if self.component.ready(self._world):
                    return
            except (
                Exception
            ) as exc:  # Not yet, whatever it is; what it was is told at the deadline.
                last = sentence(exc)
            self._pause(READY_POLL)
        raise SandboxError(f"It was not ready within {READY_WITHIN:.0f} s; last: {last}")

    def _await_end(self) -> int:
        status = t.cast("subprocess.Popen[bytes]", self._child).wait()
        if self.stopping.is_set():
            raise _StoppedError
        return status

    def _exit_message(self, status: int) -> str:
        how = f"status {status}" if status >= 0 else signal.Signals(-status).name
        lines = (self._world.folder(self.component.name) / "log.txt").read_text(
            encoding="utf-8", errors="replace"
        )
        last = lines.rstrip().rpartition("\n")[2][:300] if status != -signal.SIGKILL else ""
        return f"It ended with {how}" + (f"; its last words: {last}" if last else ".")

    def _pause(self, seconds: float) -> None:
        if self.stopping.wait(seconds):
            raise _StoppedError

    def _note(self, phase: Phase, why: str = "") -> None:
        self.phase = phase
        note(
            self._world,
            self.component.name,
            phase,
            process=ProcessId.of(self._child.pid) if self._child and phase.has_process else None,
            seconds=time.monotonic() - self._began,
            why=why,
        )

    def apply_faults(self) -> None:
        """Pause or kill the process while a fault says so."""
        if self.phase.has_process and self._faults.active(self.component.name, "killed"):
            self._killed = True
            self.kill()
        paused = self._faults.active(self.component.name, "paused") is not None
        if paused and self.phase is Phase.READY:
            self._signal(signal.SIGSTOP)
            self._note(Phase.PAUSED, "paused by a fault")
        elif not paused and self.phase is Phase.PAUSED:
            self._signal(signal.SIGCONT)
            self._note(Phase.READY)

    def terminate(self) -> None:
        """Ask the child to end, even when it is paused."""
        self.stopping.set()
        if self._child is not None and self._child.poll() is None:
            self._child.send_signal(self._stop_signal)
            self._signal(signal.SIGCONT)

    @property
    def child_pid(self) -> int | None:
        return self._child.pid if self._child else None

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self._child is not None:
            signal_tree(self._child.pid, number)


TICK = 0.2
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
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            ended = None
        zombie = ended.si_pid if ended else None
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
