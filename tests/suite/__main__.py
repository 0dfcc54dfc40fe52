"""`make test`: all steps in their stages, with one line of progress, and ten lines at the end.

`python -m tests.suite [STEP…]` runs those steps alone. Ctrl-C ends what runs, in order, and says what was found. All
that a run makes stands in its own temporary folder, and every process that outlives its step is ended.
"""

import contextlib
import ctypes
import itertools
import json
import os
import resource
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.caches import ROOT
from tests.suite import events, screen
from tests.suite.steps import LANES, LOGS, STAGES

TICK = 0.2
MINUTE = 60.0
PIECE = 1 << 16
ENDS_WITHIN = 60.0
"""Seconds in which a step that was interrupted takes down what it started."""
LOWEST_PRIORITY = 19
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
IN_MEMORY = Path("/dev/shm")
ROOM = 4 << 30
"""Bytes that a run may fill, and leave as many free for its processes."""


@dataclass
class _Running:
    """A step that goes on: its process, and the pipe by which its tests are told, with what of a line came already."""

    process: subprocess.Popen[bytes]
    events: int
    rest: bytes = b""


class Run:
    """The steps that were chosen, those that go on, and what is told of them."""

    def __init__(self, chosen: t.Collection[str], scratch: Path) -> None:
        self._stages = [
            [screen.StepState(step) for step in stage if not chosen or step.name in chosen]
            for stage in STAGES
        ]
        self._states = list(itertools.chain(*self._stages))
        self._scratch = scratch
        self._selector = selectors.DefaultSelector()
        self._running: dict[str, _Running] = {}
        self._began = time.monotonic()
        self._shown_at = self._began
        self._line = ""
        self._interrupted = False

    @property
    def overview(self) -> screen.Overview:
        return screen.Overview(self._states, self._began, time.monotonic(), LANES)

    @property
    def failed(self) -> bool:
        return self._interrupted or any(state.failed for state in self._states)

    def go(self) -> None:
        signal.signal(signal.SIGINT, lambda *_: self._interrupt())
        signal.signal(signal.SIGTERM, lambda *_: self._interrupt())
        for stage in self._stages:
            if self.failed:
                return
            waiting = list(stage)
            while waiting or self._running:
                self._start_what_has_room(waiting)
                self._look()

    def _start_what_has_room(self, waiting: list[screen.StepState]) -> None:
        if self._interrupted:
            waiting.clear()
        for state in list(waiting):
            running = [
                other.step.lanes for other in self._states if other.step.name in self._running
            ]
            lanes = state.step.lanes
            if sum(running) + lanes <= LANES if lanes else 0 not in running:
                waiting.remove(state)
                self._start(state)

    def _start(self, state: screen.StepState) -> None:
        step, reading, writing = state.step, *os.pipe()
        folder = self._scratch / step.name
        folder.mkdir()
        arguments = [*step.argv, f"--basetemp={folder / 'pytest'}"] if step.tests else [*step.argv]
        with (LOGS / f"{step.name}.log").open("wb") as log:
            process = subprocess.Popen(
                arguments,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "TMPDIR": str(folder), events.VARIABLE: str(writing)},
                pass_fds=[writing],
                start_new_session=True,
                preexec_fn=_end_with_parent if step.lanes else _give_way_and_end_with_parent,
            )
        self._running[step.name] = _Running(process, reading)
        os.close(writing)
        os.set_blocking(reading, False)
        state.began = time.monotonic()
        self._selector.register(reading, selectors.EVENT_READ, state)

    def _look(self) -> None:
        for key, _mask in self._selector.select(TICK):
            if not self._take_what_came(key.data):
                self._selector.unregister(key.fileobj)
        for state in self._states:
            running = self._running.get(state.step.name)
            if running is not None:
                pid, status, used = os.wait4(running.process.pid, os.WNOHANG)
                if pid:
                    self._end(state, os.waitstatus_to_exitcode(status), used)
        self._reap_orphans()
        self._show()

    def _reap_orphans(self) -> None:
        """As init would: tests look in /proc for whether a process is gone."""
        steps = {running.process.pid for running in self._running.values()}
        with contextlib.suppress(ChildProcessError):
            while True:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
                if ended is None or ended.si_pid in steps:
                    return
                os.waitpid(ended.si_pid, 0)

    def _take_what_came(self, state: screen.StepState) -> bool:
        """False when nothing comes any more."""
        running = self._running[state.step.name]
        while True:
            try:
                piece = os.read(running.events, PIECE)
            except BlockingIOError:
                return True
            if not piece:
                return False
            *lines, running.rest = (running.rest + piece).split(b"\n")
            for line in lines:
                self._take(state, json.loads(line))

    def _take(self, state: screen.StepState, event: dict[str, t.Any]) -> None:
        if "collected" in event:
            state.collected = event["collected"]
            return
        with (LOGS / "tests.jsonl").open("a", encoding="utf-8") as kept:
            kept.write(json.dumps(event) + "\n")
        if event["outcome"] == "passed":
            state.passed += 1
        elif event["outcome"] == "failed":
            state.failures.append((event["test"], event["why"]))
            self._print(screen.failure(state.step.name, event["test"], event["why"]))
        else:
            state.skips.append((event["test"], event["why"]))

    def _end(self, state: screen.StepState, status: int, used: resource.struct_rusage) -> None:
        self._take_what_came(state)
        running = self._running.pop(state.step.name)
        running.process.returncode = state.status = status
        if running.events in self._selector.get_map():
            self._selector.unregister(running.events)
        os.close(running.events)
        state.ended = time.monotonic()
        state.cpu = used.ru_utime + used.ru_stime
        outcome = "FAILED" if state.failed else "ok"
        took = screen.clock(state.ended - t.cast("float", state.began))
        counted = f", {state.passed} passed" if state.step.tests else ""
        self._print(f"{state.step.name}: {outcome} in {took}{counted}")
        if state.failed and not state.failures:
            log = (LOGS / f"{state.step.name}.log").read_text("utf-8", "replace").splitlines()
            for line in log[-12:]:
                self._print(f"  {line}"[: screen.WIDTH])

    def _interrupt(self) -> None:
        """The processes end by themselves: pytest's workers take down what their fixtures started."""
        if self._interrupted:
            return
        self._interrupted = True
        self._print("Interrupted: taking down what was started.")
        for process in (running.process for running in self._running.values()):
            # One that has just ended needs no signal.
            with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
                workers = [
                    child.pid
                    for child in psutil.Process(process.pid).children()
                    if "import sys;exec(eval(sys.stdin.readline()))" in _command(child)
                ]
                for pid in workers or [process.pid]:
                    os.kill(pid, signal.SIGINT)
        signal.signal(signal.SIGALRM, lambda *_: self._kill())
        signal.alarm(int(ENDS_WITHIN))

    def _kill(self) -> None:
        for process in (running.process for running in self._running.values()):
            os.killpg(process.pid, signal.SIGKILL)

    def _print(self, line: str) -> None:
        if self._line:
            sys.stdout.write("\r\033[K")
            self._line = ""
        print(line, flush=True)

    def _show(self) -> None:
        if not self._running:
            return
        if sys.stdout.isatty():
            columns = shutil.get_terminal_size().columns
            self._line = screen.progress(self.overview)[: columns - 1]
            sys.stdout.write(f"\r\033[K{self._line}")
            sys.stdout.flush()
        elif time.monotonic() - self._shown_at >= MINUTE:
            self._shown_at = time.monotonic()
            self._print(screen.progress(self.overview))


def _interrupt_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def _end_with_parent() -> None:
    """When the run is killed, its steps take down what they started."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT, 0, 0, 0)


def _give_way_and_end_with_parent() -> None:
    os.nice(LOWEST_PRIORITY)
    _end_with_parent()


def _command(process: psutil.Process) -> str:
    """As it was typed, "" of one that ended meanwhile."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def end_left_processes() -> list[str]:
    """Ends, and names, what was started and goes on though its step is over; also what became an orphan.

    For how long each ran tells which test started it.
    """
    left = psutil.Process().children(recursive=True)
    names = []
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            name = " ".join(process.cmdline()) or process.name()
            names.append(
                f"{name} (for {time.time() - process.create_time():.0f} s)" if name else ""
            )
            # A sandbox's supervisor takes down what it started, and the files of that.
            process.terminate()
    _ended, alive = psutil.wait_procs(left, timeout=10)
    for process in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=10)
    return [name for name in names if name]


def become_reaper() -> None:
    """Orphans become our children: their CPU is counted, and none of them stays."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def followed(child: int) -> int:
    """Its exit code, negative for a signal's. What interrupts us interrupts it."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda of, _frame: os.kill(child, of))
    _pid, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def outlive(run: int, scratch: Path) -> int:
    """The exit code of the run, or of its signal: then its steps have ENDS_WITHIN to take down what they started."""
    code = followed(run)
    if code >= 0:
        return code
    print(f"The run was killed by signal {-code}: taking down what was started.", flush=True)
    psutil.wait_procs(psutil.Process().children(recursive=True), timeout=ENDS_WITHIN)
    end_left_processes()
    shutil.rmtree(scratch, ignore_errors=True)
    return 128 - code


def memory_with_room() -> Path | None:
    """A folder in memory for what tests make; None where there is none, or little memory, or TMPDIR names another.

    They make and delete a hundred thousand files: an ext4 without a journal passes over each inode that was deleted in
    the last seconds (recently_deleted in the kernel's fs/ext4/ialloc.c), which took a tenth of the CPU of a whole run.
    """
    if "TMPDIR" in os.environ or not os.access(IN_MEMORY, os.W_OK | os.X_OK):
        return None
    system = os.statvfs(IN_MEMORY)
    free = min(system.f_bavail * system.f_frsize, psutil.virtual_memory().available / 2)
    return IN_MEMORY if free >= ROOM and not system.f_flag & os.ST_NOEXEC else None


def make_scratch() -> Path:
    """A folder for what a run makes. Those of runs that were killed with all that could take them down go."""
    parent, prefix = memory_with_room() or Path(tempfile.gettempdir()), "deploy-test-"
    for left in parent.glob(f"{prefix}*-*"):
        if not psutil.pid_exists(int(left.name.removeprefix(prefix).partition("-")[0])):
            shutil.rmtree(left, ignore_errors=True)
    scratch = Path(tempfile.mkdtemp(prefix=f"{prefix}{os.getpid()}-", dir=parent))
    # Some tests become another user.
    scratch.chmod(0o755)
    return scratch


def main(chosen: list[str]) -> int:
    known = {step.name for stage in STAGES for step in stage}
    if unknown := set(chosen) - known:
        print(
            f"There is no step {', '.join(sorted(unknown))}: choose among {', '.join(sorted(known))}."
        )
        return 2
    shutil.rmtree(LOGS, ignore_errors=True)
    LOGS.mkdir(parents=True)
    scratch = make_scratch()
    # Who kills the terminal's processes, or one of these three, leaves one that takes all down.
    if keeper := os.fork():
        return followed(keeper)
    os.setsid()
    _interrupt_with_parent()
    become_reaper()
    if run_pid := os.fork():
        return outlive(run_pid, scratch)
    _interrupt_with_parent()
    become_reaper()
    run = Run(chosen, scratch)
    try:
        run.go()
    finally:
        left = end_left_processes()
        shutil.rmtree(scratch, ignore_errors=True)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = used.ru_utime + used.ru_stime
    measured = [
        {"step": state.step.name, "seconds": state.ended - state.began, "cpu": state.cpu}
        for state in run.overview.states
        if state.began is not None and state.ended is not None
    ]
    seconds = run.overview.now - run.overview.began
    measured.append({"step": "all", "seconds": seconds, "cpu": cpu})
    (LOGS / "left.txt").write_text("\n".join(left), encoding="utf-8")
    (LOGS / "steps.json").write_text(json.dumps(measured), encoding="utf-8")
    stopped = ", for the run was interrupted" if run._interrupted else " after a failure"
    print("\n".join(screen.ending(run.overview, cpu, left, str(LOGS.relative_to(ROOT)), stopped)))
    return 1 if run.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
