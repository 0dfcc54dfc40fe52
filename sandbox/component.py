# SPDX-License-Identifier: GPL-3.0-or-later
"""What a component of the sandbox is: one process, how to prepare it, how to know that it works."""

from __future__ import annotations

import signal
import ssl
import sys
import typing as t
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

if t.TYPE_CHECKING:
    from sandbox.world import Facts, World


@dataclass(frozen=True)
class Process:
    """How to start a component. `env` is the whole environment of the child beside what the supervisor adds.

    It adds PATH, HOME and TMPDIR (the component's folder), LANG, PYTHONPATH and EASYMO_SANDBOX_RUN.
    """

    argv: tuple[str, ...]
    env: t.Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    """Its own folder when not told otherwise."""
    stop_signal: signal.Signals = signal.SIGTERM
    leaves: tuple[Path, ...] = ()
    """Files it makes outside the run folder, removed when the sandbox goes down."""


def responds(url: str, context: ssl.SSLContext | None = None) -> bool:
    """Whether GET `url` is answered with 200; raises when there is no answer within two seconds."""
    with urllib.request.urlopen(url, timeout=2, context=context) as answer:  # noqa: S310 - our own URL
        return bool(answer.status == 200)


class Component(t.Protocol):
    """One file or package under sandbox/ has one of these; sandbox/components.py lists them all.

    The supervisor starts components side by side, each in a thread of its own: it waits for `needs`, calls
    `prepare`, starts `process`, polls `ready` until it is true, waits for `settles_after`, calls `settle`
    and publishes `facts`.
    """

    name: str
    program: str = ""
    """The Python module of ours that is its process, given the state folder; others make their `process`."""
    needs: tuple[str, ...] = ()
    """Who must be ready before it starts."""
    settles_after: tuple[str, ...] = ()
    """Who must be ready before `settle`, beside those it needs: so long it starts beside them."""
    settles_with: tuple[str, ...] = ()
    """Who must be in the run too for `settle` to end, in whatever order."""
    ports: tuple[str, ...] = ()
    """The names it asks `World.port` for, which begin with its own."""
    survives_kill: bool = True
    """False when it keeps its data in memory only: then there is no fault `killed`."""
    faults: t.Mapping[str, str] = {}
    """Its faults (sandbox/faults.py): name to one sentence that says what happens.

    Its parameters stand in the sentence as `name=default`; no others can be set."""

    def prepare(self, world: World) -> None:
        """Make folders, files and certificates. May block; safe to repeat."""
        world.folder(self.name)

    def process(self, world: World) -> Process:
        """The process to run, in the foreground, ended by SIGTERM."""
        return Process((sys.executable, "-m", self.program, str(world.directory)))

    def ready(self, world: World) -> bool:
        """One protocol-level exchange with the running process. False or any exception: not yet."""

    def settle(self, world: World) -> None:  # noqa: ARG002
        """Fill it before others may use it: buckets, topics, seed data. Safe to repeat; most need nothing."""
        return

    def facts(self, world: World) -> Facts:
        """Where and how to reach it, for state.json."""
