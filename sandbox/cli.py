# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line. Each error is one sentence."""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
import typing as t
from pathlib import Path

from sandbox.errors import SandboxError, sentence
from sandbox.traffic.cli import add_parser as add_traffic
from sandbox.world import DEFAULTS, World

STATE_VARIABLE = "EASYMO_SANDBOX_STATE"
PROGRAM = "easymo-sandbox"
"""By which it is called where it is installed as a package."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> t.NoReturn:
        raise SandboxError(f"{message[:1].upper()}{message[1:]}: see '{self.prog} --help'.")


def main(argv: t.Sequence[str] | None = None) -> int:
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        arguments = _parser().parse_args(argv)
        # Given before or behind the command; a default on the parser would hide the former.
        folder = getattr(arguments, "state", Path(os.environ.get(STATE_VARIABLE) or ".sandbox"))
        return arguments.command(World(folder), arguments) or 0
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


Argument = tuple[tuple[str, ...], dict[str, t.Any]]
Command = t.Callable[[World, argparse.Namespace], int | None]
Row = tuple[str, str, Command, tuple[Argument, ...]]
"""A command: its name, what it does, how, and its arguments."""


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
        prog=PROGRAM if Path(sys.argv[0]).name == PROGRAM else "python -m sandbox",
        description="The EasyMO platform on this machine, to rehearse a release.",
        parents=[folder],
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add(commands, folder, _COMMANDS)
    faults = commands.add_parser(
        "fault", help="break a component on purpose", description="List, set and clear faults."
    )
    verbs = faults.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add(verbs, folder, _FAULTS)
    add_traffic(commands, folder)
    return parser


def _add(commands: t.Any, folder: argparse.ArgumentParser, rows: t.Iterable[Row]) -> None:
    for name, text, command, arguments in rows:
        parser = commands.add_parser(
            name, help=text, description=f"{text[:1].upper()}{text[1:]}.", parents=[folder]
        )
        for names, settings in arguments:
            parser.add_argument(*names, **settings)
        parser.set_defaults(command=command)


def _argument(*names: str, **settings: t.Any) -> Argument:
    return names, settings


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


def _part(name: str) -> t.Any:
    """A module of the sandbox, imported when its command runs: so `--help` and errors come at once."""
    return importlib.import_module(f"sandbox.{name}")


def _up(world: World, arguments: argparse.Namespace) -> None:
    only = tuple(name for name in arguments.only.split(",") if name)
    given = {name: number for name in DEFAULTS if (number := getattr(arguments, name)) is not None}
    lifecycle = _part("lifecycle")
    lifecycle.up(world, lifecycle.Options(dict(arguments.port), given, only), _print_line)


def _status(world: World, arguments: argparse.Namespace) -> int:
    commands = _part("commands")
    status = commands.observe(world)
    _print_line(commands.as_json(status) if arguments.json else commands.as_text(status))
    return 0 if status.healthy else 1


def _logs(world: World, arguments: argparse.Namespace) -> None:
    commands = _part("commands")
    commands.tail(world, arguments.component, arguments.lines, _print_line)
    if arguments.follow:
        commands.follow(world, arguments.component, _print_line)


def _host(world: World, arguments: argparse.Namespace) -> None:
    _part("hosting.command").host(
        world, arguments.inventory, arguments.manifests, arguments.namespace, _print_line
    )


def _ci(world: World, arguments: argparse.Namespace) -> None:
    _print_line(_part("ci").pass_ci(world, arguments.checkout.resolve(), arguments.services))


def _promtool(world: World, arguments: argparse.Namespace) -> t.NoReturn:
    program = _part("prometheus").promtool(world.cache)
    os.execv(program, [program, *arguments.words])  # noqa: S606 - it takes our place


def _fault_set(world: World, arguments: argparse.Namespace) -> None:
    commands = _part("commands")
    commands.set_fault(world, commands.parse(arguments.fault, arguments.words))


def _fault_clear(world: World, arguments: argparse.Namespace) -> None:
    _print_line(_part("commands").clear_faults(world, arguments.fault, arguments.target))


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

_COMMANDS: tuple[Row, ...] = (
    ("up", "start every component that is down, and wait until all are ready", _up, (
        _argument("--port", metavar="NAME=N", type=_port, action="append", default=[],
                  help="use this port, for example postgres=5432 (default: a free one)"),
        *(
            _argument(f"--{name.replace('_', '-')}", metavar="N", type=_at_most(most),
                      help=f"{text} ({DEFAULTS[name]})")
            for name, (most, text) in _NUMBERS.items()
        ),
        _argument("--only", metavar="A,B", default="",
                  help="start only these components and what they need"),
    )),
    ("down", "stop everything and delete the run; the cache is kept",
     lambda world, _: _part("lifecycle").down(world, _print_line), ()),
    ("status", "show each component's state; exit 1 if one is not healthy", _status,
     (_argument("--json", action="store_true", help="print JSON"),)),
    ("logs", "show what a component printed", _logs, (
        _argument("component", metavar="COMPONENT", help="a component, or 'supervisor'"),
        _argument("-f", "--follow", action="store_true", help="keep printing new lines"),
        _argument("-n", "--lines", type=int, default=40, metavar="N", help="number of lines (40)"),
    )),
    ("host", "put another team's stack in, as its inventory or its manifests describe it", _host, (
        _argument("inventory", metavar="INVENTORY", type=Path, nargs="*",
                  help="the team's; more of them as ansible-playbook takes them"),
        _argument("--manifests", metavar="PATH", type=Path, action="append", default=[],
                  help="files or folders of its own, instead of what follows from the inventory"),
        _argument("--namespace", default="", help="instead of the inventory's"),
    )),
    ("ci", "let CI and staging pass a tagged commit, and push its images", _ci, (
        _argument("checkout", metavar="CHECKOUT", type=Path, help="the application's, at the tag"),
        _argument("services", metavar="SERVICE", nargs="*", help="whose image is built and pushed"),
    )),
    ("env", 'print settings for kubectl, psql, aws…: eval "$(… env)"',
     lambda world, _: _print_line(_part("commands").exports(world)), ()),
    ("promtool", "run promtool, Prometheus's tool for alert rules", _promtool,
     (_argument("words", metavar="…", nargs=argparse.REMAINDER, help="arguments of promtool"),)),
)  # fmt: skip
_FAULTS: tuple[Row, ...] = (
    ("list", "list every fault, and those that are set",
     lambda world, _: _print_line(_part("commands").listing(world)), ()),
    ("set", "set a fault until it is cleared", _fault_set, (
        _argument("fault", metavar="COMPONENT.FAULT"),
        _argument("words", metavar="TARGET|key=value", nargs="*",
                  help="what the fault applies to, and its parameters"),
    )),
    ("clear", "clear all faults, or one", _fault_clear, (
        _argument("fault", metavar="COMPONENT.FAULT", nargs="?", default=""),
        _argument("target", metavar="TARGET", nargs="?", default=""),
    )),
)  # fmt: skip
