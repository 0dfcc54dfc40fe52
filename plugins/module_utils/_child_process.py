# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""The one place that starts programs: argv lists, an environment of their own, and an end in every case."""

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

from ansible_collections.easymo.deploy.plugins.module_utils._errors import (
    InputError,
    NotReadyError,
)

Environment = t.Mapping[str, str]

# What a program needs to run at all; everything else of our own environment stays with us, PG* and AWS_* above all.
_INHERITED = ("PATH", "LANG", "LC_ALL", "TMPDIR", "HOME", "LD_LIBRARY_PATH")
_STDERR_KEPT = 4096


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
    """A program that is running, its standard output still to be read."""

    def __init__(self, process: subprocess.Popen[bytes], errors: t.BinaryIO) -> None:
        self._process = process
        self._errors = errors
        self.timed_out = False

    @property
    def stdout(self) -> t.IO[bytes]:
        return t.cast("t.IO[bytes]", self._process.stdout)

    @property
    def stdin(self) -> t.IO[bytes]:
        return t.cast("t.IO[bytes]", self._process.stdin)

    def give(self, chunk: bytes) -> bool:
        """Write to its standard input; False when it reads no more."""
        try:
            self.stdin.write(chunk)
            self.stdin.flush()
        except BrokenPipeError:
            return False
        return True

    def wait(self) -> int:
        return self._process.wait()

    def stderr(self) -> str:
        """The tail of what it said, as text."""
        size = self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, size - _STDERR_KEPT))
        return self._errors.read().decode("utf-8", "replace").strip()

    def kill(self) -> None:
        self._process.kill()

    def expire(self) -> None:
        self.timed_out = True
        self._process.kill()


def find_program(name: str, option: str) -> str:
    """The absolute path of a program given by name or path."""
    found = shutil.which(name)
    if found is None:
        raise InputError(
            f"No program {name!r} was found: install it, or give its path in option {option!r}."
        )
    return found


def child_environment(extra: Environment) -> dict[str, str]:
    """What a child sees: the few variables every program needs, and `extra`."""
    kept = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return {**kept, "HOME": usable_home(), **extra}


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
    argv: t.Sequence[str], env: Environment, *, timeout: float, stdin: bool = False
) -> t.Iterator[Child]:
    """Run `argv` while the block reads its output; it never outlives the block nor `timeout` seconds.

    `env` is the whole environment. Leaving the block by an exception kills the program.
    """
    with tempfile.TemporaryFile() as errors:
        # pylint: disable-next=ansible-bad-function  # run_command keeps all output in memory; a dump is gigabytes
        process = subprocess.Popen(
            list(argv),
            env=dict(env),
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
        )
        running = Child(process, t.cast("t.BinaryIO", errors))
        watchdog = threading.Timer(timeout, running.expire)
        watchdog.daemon = True
        watchdog.start()
        try:
            yield running
            process.wait()
        finally:
            watchdog.cancel()
            if process.poll() is None:
                process.kill()
            process.wait()
            for pipe in filter(None, (process.stdin, process.stdout)):
                # It may stop reading before we stop writing; its exit code tells whether that was right.
                with suppress(BrokenPipeError):
                    pipe.close()


def run(
    argv: t.Sequence[str], env: Environment, *, timeout: float, cwd: str | None = None
) -> Ended:
    """Run `argv` to its end and return all it said.

    It leads a process group of its own. What it started and left behind ends with it, and cannot hold us up either:
    its output goes to files, which, unlike pipes, nobody has to close.
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
