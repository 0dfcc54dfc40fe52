"""Children with pipes: neither side ever waits for the other, however much is said and whoever stops first."""

import os
import sys
import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._child_process import (
    Child,
    Writer,
    child,
)
from ansible_collections.easymo.deploy.plugins.module_utils._errors import UnreachableError
from tests.tables import cases
from tests.waiting import until

MUCH = 10 << 20
CHUNK = b"x" * (1 << 16)
# Far beyond what anything here takes; a test that runs into it has found two sides waiting for each other.
LONG = 300.0

IN_FULL = "while sys.stdin.buffer.read(1 << 16): pass"
SAYS_MUCH = f"sys.stdout.write('o' * {MUCH}); sys.stdout.flush(); sys.stderr.write('e' * {MUCH})"


SHORTENED = f"{'e' * 4096}\n[...]\n{'e' * 4096}"


def python(program: str) -> list[str]:
    return [sys.executable, "-c", f"import os, signal, sys, time\n{program}"]


def much(running: Child) -> None:
    for _chunk in range(MUCH // len(CHUNK)):
        if not running.give(CHUNK):
            return


def talk(
    program: str, write: Writer | None = much, timeout: float = LONG
) -> tuple[int, int, str, Child]:
    """Its exit code, how much it said, its errors in short, and itself."""
    with child(python(program), dict(os.environ), timeout=timeout, write=write) as running:
        said = running.stdout.read()
        return running.wait(), len(said), running.stderr(), running


@cases(
    "program",
    {
        "says-all-before-it-listens": f"{SAYS_MUCH}\n{IN_FULL}",
        "listens-before-it-says-all": f"{IN_FULL}\n{SAYS_MUCH}",
        "both-at-once": "while chunk := sys.stdin.buffer.read(1 << 16):\n"
        " sys.stdout.buffer.write(chunk); sys.stderr.buffer.write(b'e' * len(chunk))",
    },
)
def test_ten_megabytes_go_each_way(program):
    rc, said, errors, running = talk(program)
    assert (rc, said, errors) == (0, MUCH, SHORTENED)
    assert not running.timed_out


def test_ten_megabytes_of_errors_hold_up_nobody_who_only_reads():
    rc, said, errors, _running = talk(SAYS_MUCH, write=None)
    assert (rc, said, errors) == (0, MUCH, SHORTENED)


def test_output_that_the_block_does_not_read_is_read_for_it():
    with child(python(SAYS_MUCH), dict(os.environ), timeout=LONG) as running:
        assert running.wait() == 0
    with child(python(f"{SAYS_MUCH}\n{IN_FULL}"), dict(os.environ), timeout=LONG, write=much) as it:
        pass
    assert not it.timed_out


def test_one_that_closes_its_input_early_is_heard_to_its_end():
    stopped: list[bool] = []

    def write(running: Child) -> None:
        stopped.append(any(not running.give(CHUNK) for _chunk in range(1000)))

    program = f"sys.stdin.buffer.read(10); os.close(0)\n{SAYS_MUCH}\nsys.exit(3)"
    rc, said, errors, running = talk(program, write)
    assert (rc, said, errors[-1], running.timed_out) == (3, MUCH, "e", False)
    assert stopped == [True]


def until_it_ends(running: Child) -> None:
    """As a source that has no more to give, and does not say so."""
    until(lambda: running.timed_out)


@cases(
    ("program", "write"),
    {
        "never-reads": ("time.sleep(600)", much),
        "says-nothing": ("time.sleep(600)", None),
        "waits-for-what-does-not-come": (IN_FULL, until_it_ends),
        "left-one-behind": ("if os.fork(): os._exit(0)\ntime.sleep(600)", None),
    },
)
def test_one_that_does_not_end_is_killed_when_its_time_is_up(program, write):
    _rc, said, _errors, running = talk(program, write, timeout=0.3)
    assert (said, running.timed_out) == (0, True)


@cases(
    ("program", "rc"),
    {
        "at-once": ("os.kill(os.getpid(), signal.SIGKILL)", -9),
        "midway": ("sys.stdin.buffer.read(1 << 20); os.kill(os.getpid(), signal.SIGKILL)", -9),
        "by-itself": ("print('said', flush=True); sys.exit(7)", 7),
    },
)
def test_one_that_dies_holds_up_nobody(program, rc):
    ended, _said, _errors, running = talk(program)
    assert (ended, running.timed_out) == (rc, False)


def test_a_source_that_fails_ends_the_program_and_is_what_is_told():
    def write(running: Child) -> None:
        running.give(CHUNK)
        raise UnreachableError("S3 is away")

    with pytest.raises(UnreachableError, match="S3 is away"):
        talk(f"{IN_FULL}\nprint('took the part for the whole')", write)


def test_a_block_that_fails_leaves_nothing_running():
    def fails() -> t.Iterator[int]:
        program = "print(os.getpid(), flush=True); time.sleep(600)"
        with child(python(program), dict(os.environ), timeout=LONG, write=much) as running:
            yield int(running.stdout.readline())
            raise ZeroDivisionError

    life = fails()
    pid = next(life)
    with pytest.raises(ZeroDivisionError):
        next(life)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_its_errors_are_readable_while_it_still_writes_them():
    program = "for n in range(2000): os.write(2, b'%d\\n' % n); os.write(1, b'.')"
    with child(python(program), dict(os.environ), timeout=LONG) as running:
        while running.stdout.read1(64):  # type: ignore[attr-defined]
            running.stderr()
        assert running.wait() == 0
        said = running.stderr().splitlines()
        assert (said[:100], said[-100:]) == (
            [str(n) for n in range(100)],
            [str(n) for n in range(1900, 2000)],
        )
