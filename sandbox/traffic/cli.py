# SPDX-License-Identifier: GPL-3.0-or-later
"""Start, stop and read the traffic: the commands, for the sandbox's command line and on their own."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
import typing as t

from sandbox.errors import SandboxError
from sandbox.processes import CHECKOUT, RUN_VARIABLE, ProcessId, environment
from sandbox.traffic.figures import (
    MESSAGE_SHARE,
    TIMEOUT_SECONDS,
    folder,
    read_report,
    record_process,
    report_file,
    running_process,
    summary,
)
from sandbox.world import World

HIGHEST_RATE = 500
LONGEST_SECONDS = 4 * 3600
STARTS_WITHIN = 15.0
POLL = 0.05


def within(
    kind: t.Callable[[str], float], what: str, low: float, high: float
) -> t.Callable[[str], float]:
    def read(value: str) -> float:
        try:
            number = kind(value)
        except ValueError:
            number = float("nan")
        if not low <= number <= high:
            raise argparse.ArgumentTypeError(f"{value!r} is not {what} from {low:g} to {high:g}")
        return number

    return read


_NUMBERS: tuple[tuple[str, float, str, t.Callable[[str], float], str, float, float, str], ...] = (
    ("rate", 100, "N", float, "a rate", 0.1, HIGHEST_RATE,
     "requests a second, messages and calls together (100)"),
    ("workers", 200, "N", int, "a number", 1, 5000, "most requests at once (200)"),
    ("seconds", LONGEST_SECONDS, "N", float, "a time", 1, LONGEST_SECONDS,
     "stop after this time (4 hours)"),
    ("messages", MESSAGE_SHARE, "SHARE", float, "a share", 0, 1,
     "share of messages, 0 to 1; the other requests call each service in turn (0.95)"),
)  # fmt: skip
"""The options of `start` that are numbers: default, placeholder, how it is read and called, bounds, and what it is."""

Commands = t.Any  # argparse has no public name for what add_subparsers returns.


def add_parser(commands: Commands, common: argparse.ArgumentParser) -> None:
    """Add `traffic` with its own commands; `common` has the option --state."""
    parser = commands.add_parser(
        "traffic",
        help="send requests all the time, and count those that fail",
        description="Start, stop and read a steady load of WhatsApp messages and calls of all services.",
    )
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    start_ = verbs.add_parser("start", help="start sending, in the background", parents=[common])
    for name, default, metavar, kind, what, low, high, text in _NUMBERS:
        start_.add_argument(
            f"--{name}", default=default, metavar=metavar, type=within(kind, what, low, high),
            help=text,
        )  # fmt: skip
    start_.add_argument(
        "--ease",
        action="store_true",
        help="send half as many a second each time that this machine cannot keep up",
    )
    start_.set_defaults(command=start)
    stop_ = verbs.add_parser(
        "stop",
        help="wait for the last answers and report; exit 1 if a request failed",
        parents=[common],
    )
    stop_.set_defaults(command=stop)
    report_ = verbs.add_parser("report", help="show the counts so far", parents=[common])
    report_.add_argument("--json", action="store_true", help="print JSON")
    report_.set_defaults(command=report)


def start(world: World, arguments: argparse.Namespace) -> int:
    if running_process(world) is not None:
        raise SandboxError("Traffic is on already: end it with 'python -m sandbox traffic stop'.")
    for name in ("supabase", "gateway"):
        world.facts(name)
    home = world.folder("traffic")
    report_file(world).unlink(missing_ok=True)
    program = [sys.executable, "-m", "sandbox.traffic.background", str(world.directory)]
    named = ("rate", "workers", "seconds", "messages", "ease")
    load = [str(getattr(arguments, name)) for name in named]
    with (home / "log.txt").open("ab") as log:
        child = subprocess.Popen(
            [*program, *load],
            cwd=CHECKOUT,
            # The mark by which `down` finds it.
            env={**environment(home, world.run), RUN_VARIABLE: str(world.run)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    record_process(world, ProcessId.of(child.pid))
    _await_report(world, child)
    _print_line(
        f"Traffic is on: {arguments.rate:g} requests a second, {arguments.messages:.0%} of them messages; "
        "see 'traffic report'."
    )
    return 0


def _await_report(world: World, child: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + STARTS_WITHIN
    while read_report(world) is None:
        if child.poll() is not None or time.monotonic() > deadline:
            raise SandboxError(
                f"The traffic did not begin within {STARTS_WITHIN:g} s: see {folder(world)}/log.txt."
            )
        time.sleep(POLL)


def stop(world: World, _arguments: argparse.Namespace) -> int:
    process = running_process(world)
    if process is not None:
        os.kill(process.pid, signal.SIGTERM)
        _await_end(process)
    return _print_report(world)


def _await_end(process: ProcessId) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS + 5
    while process.alive():
        if time.monotonic() > deadline:
            os.kill(process.pid, signal.SIGKILL)
            raise SandboxError(
                "The traffic did not end after its last answers were due: it was killed, and its "
                "report lacks what came last."
            )
        time.sleep(POLL)


def report(world: World, arguments: argparse.Namespace) -> int:
    if not arguments.json:
        return _print_report(world)
    counts = _require_report(world)
    _print_line(json.dumps(counts, indent=1))
    return 1 if counts["failed"] else 0


def _print_report(world: World) -> int:
    counts = _require_report(world)
    _print_line(summary(counts))
    for failure in counts["first_failures"]:
        _print_line(f"  {failure['time']} {failure['route']} {failure['kind']}: {failure['error']}")
    return 1 if counts["failed"] else 0


def _require_report(world: World) -> dict[str, t.Any]:
    """The report, with `running` as it is and not as a killed process left it."""
    counts = read_report(world)
    if counts is None:
        raise SandboxError("There is no traffic: begin with 'python -m sandbox traffic start'.")
    return {**counts, "running": running_process(world) is not None}


def _print_line(line: str) -> None:
    print(line, flush=True)  # noqa: T201
