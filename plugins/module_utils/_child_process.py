# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place that starts programs: argv lists, an environment of their own, and an end in every case.

A process beside ours that tidies up after us when we are killed, SIGKILL included.

It is forked, so it knows all that we know and nothing stands in anybody's arguments, and it waits on a pipe that only
we hold open. What comes through is notes for it, or the word that it is not needed; its end without that word is our
death.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import threading
import typing as t
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from ._errors import InputError, NotReadyError
from ._run_process import FIRST, detach

Executor = t.Callable[[t.Sequence[str]], None]

_DONE = "done"


class CleanupNotes:
    """What is to be done when we die; `leave_it` has it done after a failure as well."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe
        self._left = False

    def note(self, text: str) -> None:
        """One line that the executor gets to read."""
        # A person who killed it has decided that we go without.
        with suppress(BrokenPipeError):
            os.write(self._pipe, f"{text}\n".encode())

    def leave_it(self) -> None:
        """Have it executed when the block ends, on its own time."""
        self._left = True

    def close(self) -> None:
        if not self._left:
            self.note(_DONE)
        os.close(self._pipe)


@contextmanager
def cleanup_process(execute: Executor) -> t.Iterator[CleanupNotes]:
    """`execute` gets the notes when this process dies in the block, or `leave_it` was said.

    Enter it before threads start, and before connections are open that mind a second owner.
    """
    reading, writing = os.pipe()

    def wait_and_execute() -> None:
        with os.fdopen(FIRST, encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
        if _DONE not in lines:
            execute(lines)

    detach(wait_and_execute, reading)
    os.close(reading)
    cleanup = CleanupNotes(writing)
    try:
        yield cleanup
    finally:
        cleanup.close()


Environment = t.Mapping[str, str]

# What a program needs to run at all; everything else of our own environment stays with us, PG* and AWS_* above all.
_INHERITED = ("PATH", "LANG", "LC_ALL", "TMPDIR", "HOME", "LD_LIBRARY_PATH")
_STDERR_KEPT = 4096
_PIPE = 1 << 16


@dataclass(frozen=True)
class Ended:
    """How a program ended: its exit code (negative: the signal), its output and the tail of its errors."""

    rc: int
    stdout: str
    stderr: str


class TimedOutError(NotReadyError):
    """It was killed; with what it had said until then."""

    def __init__(self, program: str, timeout: float, stdout: str, stderr: str) -> None:
        super().__init__(f"{program} did not end within {timeout:g} s and was killed.")
        self.stdout = stdout
        self.stderr = stderr


class Child:
    """A program that is running. The block reads its output; what it reads itself is written by another thread."""

    def __init__(
        self, process: subprocess.Popen[bytes], errors: t.BinaryIO, write: Writer | None
    ) -> None:
        self._process = process
        self._errors = errors
        self._ended = False
        self._failure: BaseException | None = None
        self._writing: threading.Thread | None = None
        self.timed_out = False
        if write is not None:
            self._writing = threading.Thread(target=self._write, args=(write,), daemon=True)
            self._writing.start()

    @property
    def stdout(self) -> t.IO[bytes]:
        return t.cast("t.IO[bytes]", self._process.stdout)

    def give(self, chunk: bytes) -> bool:
        """For its writer alone: write to its standard input; False when it reads no more."""
        stdin = t.cast("t.IO[bytes]", self._process.stdin)
        try:
            stdin.write(chunk)
            stdin.flush()
        except BrokenPipeError:
            return False
        return True

    def exit_code(self) -> int:
        """For its writer: how it ended, waited for."""
        return self._process.wait()

    def wait(self) -> int:
        """Its exit code, once its output is read to the end. Raises what its writer raised."""
        while self.stdout.read(_PIPE):
            pass
        rc = self._process.wait()
        self._ended = True
        if self._writing is not None:
            self._writing.join()
        if self._failure is not None:
            raise self._failure
        return rc

    def stderr(self) -> str:
        """What it said, as text; of much the beginning, where the cause is, and the end."""
        # Read in place: its end of the file is where ours is.
        file = self._errors.fileno()
        begins = os.pread(file, _STDERR_KEPT, 0)
        tail = max(_STDERR_KEPT, os.fstat(file).st_size - _STDERR_KEPT)
        ends = os.pread(file, _STDERR_KEPT, tail)
        between = b"\n[...]\n" if tail > _STDERR_KEPT else b""
        return (begins + between + ends).decode("utf-8", "replace").strip()

    def expire(self) -> None:
        """Its time is up. What it has started may still hold its output open, also when it has ended."""
        self.timed_out = not self._ended
        self.kill()

    def kill(self) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def _write(self, write: Writer) -> None:
        try:
            write(self)
        except Exception as exc:  # raised again by `wait`, where the block is
            self._failure = exc
            # Without the rest of its input it could only wait, or take the part for the whole.
            self.kill()
        finally:
            # It may stop reading before we stop writing; its exit code tells whether that was right.
            with suppress(BrokenPipeError):
                t.cast("t.IO[bytes]", self._process.stdin).close()


Writer = t.Callable[[Child], None]
"""Gives a program its input, chunk by chunk; its return is the input's end."""


def find_program(name: str, option: str) -> str:
    """The absolute path of a program given by name or path."""
    result = shutil.which(name)
    if result is None:
        raise InputError(
            f"No program {name!r} was found: install it, or set its path in option {option!r}."
        )
    return result


def child_environment(extra: Environment) -> dict[str, str]:
    """What a child sees: the few variables every program needs, and `extra`."""
    stored = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return {**stored, "HOME": usable_home(), **extra}


def whole_environment(extra: Environment) -> dict[str, str]:
    """All of our own environment and `extra`, for a program that is the operator's own and not ours."""
    return {**os.environ, **extra}


def usable_home() -> str:
    """Our HOME when we may enter it, else the root folder.

    libpq looks for certificates in $HOME/.postgresql and fails when it may not look (sudo leaves root's HOME behind).
    """
    home = os.environ.get("HOME", "")
    return home if home and os.access(home, os.X_OK) else "/"


@contextmanager
def child(
    argv: t.Sequence[str], env: Environment, *, timeout: float, write: Writer | None = None
) -> t.Iterator[Child]:
    """Run `argv` while the block reads its output; it never outlives the block nor `timeout` seconds.

    No pipe of it is ever left alone, so that neither side waits for the other: `write` gives it its input in a thread
    of its own, the block reads its output, and its errors go to a file. `env` is the whole environment. Leaving the
    block by an exception kills it and what it has started.
    """
    with tempfile.TemporaryFile() as errors:
        # pylint: disable-next=ansible-bad-function  # run_command keeps all output in memory; a dump is gigabytes
        process = subprocess.Popen(
            list(argv),
            env=dict(env),
            stdin=subprocess.PIPE if write else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
        running = Child(process, t.cast("t.BinaryIO", errors), write)
        watchdog = threading.Timer(timeout, running.expire)
        watchdog.daemon = True
        watchdog.start()
        try:
            yield running
            running.wait()
        finally:
            watchdog.cancel()
            _kill_group(process)
            running.stdout.close()


def run(
    argv: t.Sequence[str], env: Environment, *, timeout: float, cwd: str | None = None
) -> Ended:
    """Run `argv` to its end and return all it said.

    It leads a process group of its own. What it started and left behind ends with it, and cannot hold us up either:
    its output goes to files, which, unlike pipes, need no close.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        try:
            # pylint: disable-next=ansible-bad-function  # run_command wants an AnsibleModule and knows no timeout
            process = subprocess.Popen(
                list(argv),
                env=dict(env),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                start_new_session=True,
            )
        except OSError as exc:
            raise InputError(f"{argv[0]} cannot be run: {exc.strerror}.") from exc
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired as exc:
            _kill_group(process)
            raise TimedOutError(argv[0], timeout, _text(output), _text(errors)) from exc
        finally:
            _kill_group(process)
        return Ended(process.returncode, _text(output), _text(errors).strip())


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """All of it, also when its leader has ended."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _text(file: t.BinaryIO) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace")
