# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line. Each error is one sentence."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import typing as t
from pathlib import Path

from sandbox.errors import SandboxError, sentence
from sandbox.traffic.cli import add_parser as add_traffic
from sandbox.world import DEFAULTS, World

STATE_VARIABLE = "EASYMO_SANDBOX_STATE"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> t.NoReturn:
        raise SandboxError(f"{message[:1].upper()}{message[1:]}: see '{self.prog} --help'.")


def main(argv: t.Sequence[str] | None = None) -> int:
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        arguments = _parser().parse_args(argv)
        # Given before or behind the command; a default on the parser would hide the former.
        folder = getattr(arguments, "state", _default_state())
        return t.cast("int", arguments.command(World(folder), arguments))
    except BrokenPipeError:
        # The reader of our output went away, as `| head` does; there is nobody to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (SandboxError, OSError) as exc:
        print(sentence(exc), file=sys.stderr)  # noqa: T201
        return 1
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)  # noqa: T201
        return 130


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _default_state() -> Path:
    return Path(os.environ.get(STATE_VARIABLE) or ".sandbox")


def _parser() -> argparse.ArgumentParser:
    folder = _Parser(add_help=False)
    folder.add_argument(
        "--state",
        metavar="DIR",
        type=Path,
        default=argparse.SUPPRESS,
        help=f"the sandbox's folder (default: ${STATE_VARIABLE} or ./.sandbox)",
    )
    parser = _Parser(
        prog="python -m sandbox",
        description="The EasyMO platform on this machine, to rehearse a release.",
        parents=[folder],
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_up(commands, folder)
    _add(commands, folder, "down", "stop everything and delete the run; the cache is kept", _down)
    status = _add(
        commands,
        folder,
        "status",
        "show each component's state; exit 1 if one is not healthy",
        _status,
    )
    status.add_argument("--json", action="store_true", help="print JSON")
    logs = _add(commands, folder, "logs", "show what a component printed", _logs)
    logs.add_argument("component", metavar="COMPONENT", help="a component, or 'supervisor'")
    logs.add_argument("-f", "--follow", action="store_true", help="keep printing new lines")
    logs.add_argument(
        "-n", "--lines", type=int, default=40, metavar="N", help="number of lines (40)"
    )
    _add_fault(commands, folder)
    add_traffic(commands, folder)
    _add(commands, folder, "shop", "add another team's three services and their database", _shop)
    ci = _add(
        commands, folder, "ci", "let CI and staging pass a tagged commit, and push its images", _ci
    )
    ci.add_argument("checkout", metavar="CHECKOUT", type=Path, help="the application's, at the tag")
    ci.add_argument(
        "services", metavar="SERVICE", nargs="*", help="whose image is built and pushed"
    )
    _add(commands, folder, "env", 'print settings for kubectl, psql, aws…: eval "$(… env)"', _env)
    tool = _add(
        commands, folder, "promtool", "run promtool, Prometheus's tool for alert rules", _promtool
    )
    tool.add_argument("words", metavar="…", nargs=argparse.REMAINDER, help="arguments of promtool")
    return parser


_Commands = t.Any  # argparse has no public name for what add_subparsers returns.
_Command = t.Callable[[World, argparse.Namespace], int]


def _add(
    commands: _Commands, folder: argparse.ArgumentParser, name: str, help_: str, command: _Command
) -> argparse.ArgumentParser:
    description = f"{help_[:1].upper()}{help_[1:]}."
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=help_, description=description, parents=[folder]
    )
    parser.set_defaults(command=command)
    return parser


_NUMBERS = {
    "seed_mb": (20000, "size of the databases at the start, in MB"),
    "nodes": (50, "number of nodes in the cluster"),
    "pods_per_node": (2000, "most pods on one node"),
    "kubelet_sync": (
        3600,
        "seconds from one look of the kubelet at a pod's ConfigMap volumes to the next, and up to half as much more",
    ),
    "replicas": (3, "most pods of each service of the platform"),
}
"""The options of `up` that are numbers: the most, and what it is. Without one, a sandbox that is up keeps its own."""


def _add_up(commands: _Commands, folder: argparse.ArgumentParser) -> None:
    parser = _add(
        commands,
        folder,
        "up",
        "start every component that is down, and wait until all are ready",
        _up,
    )
    parser.add_argument(
        "--port",
        metavar="NAME=N",
        type=_port,
        action="append",
        default=[],
        help="use this port, for example postgres=5432 (default: a free one)",
    )
    for name, (most, text) in _NUMBERS.items():
        parser.add_argument(
            f"--{name.replace('_', '-')}", metavar="N", type=_at_most(most),
            help=f"{text} ({DEFAULTS[name]})",
        )  # fmt: skip
    parser.add_argument(
        "--only", metavar="A,B", default="", help="start only these components and what they need"
    )


def _add_fault(commands: _Commands, folder: argparse.ArgumentParser) -> None:
    parser = commands.add_parser(
        "fault", help="break a component on purpose", description="List, set and clear faults."
    )
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add(verbs, folder, "list", "list every fault, and those that are set", _fault_list)
    set_ = _add(verbs, folder, "set", "set a fault until it is cleared", _fault_set)
    set_.add_argument("fault", metavar="COMPONENT.FAULT")
    set_.add_argument(
        "words",
        metavar="TARGET|key=value",
        nargs="*",
        help="what the fault applies to, and its parameters",
    )
    clear = _add(verbs, folder, "clear", "clear all faults, or one", _fault_clear)
    clear.add_argument("fault", metavar="COMPONENT.FAULT", nargs="?", default="")
    clear.add_argument("target", metavar="TARGET", nargs="?", default="")


def _port(text: str) -> tuple[str, int]:
    name, _, number = text.partition("=")
    if not name or not number.isdecimal() or not 0 < int(number) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=N with N from 1 to 65535")
    return name, int(number)


def _at_most(most: int) -> t.Callable[[str], int]:
    def number(text: str) -> int:
        if not text.isdecimal() or not 1 <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {most}")
        return int(text)

    return number


def _print_line(line: str) -> None:
    print(line, flush=True)  # noqa: T201


# Each command imports what it needs, so that `--help` and errors come at once.


def _up(world: World, arguments: argparse.Namespace) -> int:
    from sandbox.lifecycle import Options, up  # noqa: PLC0415

    only = tuple(name for name in arguments.only.split(",") if name)
    asked = {name: number for name in DEFAULTS if (number := getattr(arguments, name)) is not None}
    options = Options(dict(arguments.port), asked, only)
    up(world, options, _print_line)
    return 0


def _down(world: World, _: argparse.Namespace) -> int:
    from sandbox.lifecycle import down  # noqa: PLC0415

    down(world, _print_line)
    return 0


def _status(world: World, arguments: argparse.Namespace) -> int:
    from sandbox.commands import as_json, as_text, observe  # noqa: PLC0415

    seen = observe(world)
    _print_line(as_json(seen) if arguments.json else as_text(seen))
    return 0 if seen.healthy else 1


def _logs(world: World, arguments: argparse.Namespace) -> int:
    from sandbox.commands import follow, tail  # noqa: PLC0415

    tail(world, arguments.component, arguments.lines, _print_line)
    if arguments.follow:
        follow(world, arguments.component, _print_line)
    return 0


def _shop(world: World, _: argparse.Namespace) -> int:
    from sandbox.shop.hosting import host  # noqa: PLC0415

    host(world, _print_line)
    return 0


def _ci(world: World, arguments: argparse.Namespace) -> int:
    from sandbox.ci import pass_ci  # noqa: PLC0415

    _print_line(pass_ci(world, arguments.checkout.resolve(), arguments.services))
    return 0


def _env(world: World, _: argparse.Namespace) -> int:
    from sandbox.commands import exports  # noqa: PLC0415

    _print_line(exports(world))
    return 0


def _promtool(world: World, arguments: argparse.Namespace) -> t.NoReturn:
    from sandbox.prometheus import promtool  # noqa: PLC0415

    program = promtool(world.cache)
    os.execv(program, [program, *arguments.words])  # noqa: S606 - it takes our place


def _fault_list(world: World, _: argparse.Namespace) -> int:
    from sandbox.commands import listing  # noqa: PLC0415

    _print_line(listing(world))
    return 0


def _fault_set(world: World, arguments: argparse.Namespace) -> int:
    from sandbox.commands import parse, set_fault  # noqa: PLC0415

    set_fault(world, parse(arguments.fault, arguments.words))
    return 0


def _fault_clear(world: World, arguments: argparse.Namespace) -> int:
    from sandbox.commands import clear_faults  # noqa: PLC0415

    _print_line(clear_faults(world, arguments.fault, arguments.target))
    return 0
