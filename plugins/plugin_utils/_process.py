# SPDX-License-Identifier: GPL-3.0-or-later
"""The process of a run: the command that began it, and what callbacks have to say when it is cut short.

Of the command callbacks may tell. Extra variables are told by their names alone, for a value may be a secret.

A run ends without its last event by a signal, or because its terminal is gone. SIGINT ends ansible-playbook as an
exception, and what is registered with atexit still runs. SIGTERM and SIGHUP end it at once, so their handlers are
chained: first ours, then whatever was there. After SIGKILL no handler runs.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import re
import shutil
import signal
import sys
import threading
import typing as t
from pathlib import Path

from ansible import context
from ansible.parsing.splitter import parse_kv
from ansible.parsing.utils.yaml import from_yaml

from ..module_utils._secret_forms import holds_secret

REPEATED = ("tags", "skip_tags", "subset", "start_at_task", "diff", "forks", "verbosity")
LIMIT = "subset"


def shown_options() -> dict[str, t.Any]:
    """What decides which hosts and tasks take part, by its name on the command line; what was not given is left out."""
    given = {name: context.CLIARGS.get(name) for name in REPEATED}
    messages = {name: list(v) if isinstance(v, tuple) else v for name, v in given.items() if v}
    if messages.get("tags") == ["all"]:
        del messages["tags"]
    if LIMIT in messages:
        messages["limit"] = messages.pop(LIMIT)
    if inventories := context.CLIARGS.get("inventory"):
        messages["inventory"] = [nearby(inventory) for inventory in inventories]
    return messages


def extra_variables(redact: t.Callable[[str], str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Each -e as it was typed, and the names of those whose values may be secrets and are not told."""
    shown: list[str] = []
    hidden: list[str] = []
    for typed in map(str, context.CLIARGS.get("extra_vars") or ()):
        names = [] if typed.startswith("@") else _names_in(typed)
        if redact(typed) == typed and not any(map(holds_secret, names)):
            shown.append(typed)
        else:
            hidden += names
    return tuple(shown), tuple(hidden)


def _names_in(typed: str) -> list[str]:
    """Of `name=value …`, or of a mapping in JSON or YAML."""
    if typed[:1] in "{[":
        loaded = from_yaml(typed)
        return [*map(str, loaded)] if isinstance(loaded, dict) else []
    return [*map(str, parse_kv(typed))]


def program() -> str:
    """ansible-playbook as it was typed; by its name alone where a shell finds it."""
    typed = sys.argv[0] if sys.argv else ""
    if os.path.basename(typed) != "ansible-playbook":  # noqa: PTH119 - compared as text
        return "ansible-playbook"
    if shutil.which("ansible-playbook") == typed:
        return "ansible-playbook"
    here = os.getcwd() + os.sep  # noqa: PTH109
    return typed.removeprefix(here)


def playbooks() -> list[str]:
    return [nearby(str(argument)) for argument in context.CLIARGS.get("args") or ()]


def playbooks_place() -> str:
    """Where the typed playbook is: a folder, "" for this one, or a collection's name with a dot behind it."""
    typed = playbooks()
    if typed and re.fullmatch(r"\w+\.\w+\.\w+", typed[0]) and not os.path.exists(typed[0]):  # noqa: PTH110
        return typed[0].rpartition(".")[0] + "."
    return os.path.dirname(typed[0]) if typed else ""  # noqa: PTH120 - as typed


def typed_here(given: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The parameters by which a module tells a command as it is typed here, where those `given` are empty."""
    inventories = [str(entry) for entry in shown_options().get("inventory") or ()]
    typed = {"playbooks": playbooks_place(), "inventories": inventories, "program": program()}
    return {name: given[name] or value for name, value in typed.items()}


def nearby(path: str) -> str:
    """From here when it is below here; a list of hosts ("localhost,") is no path."""
    here = os.getcwd() + os.sep  # noqa: PTH109 - compared as text
    return path.removeprefix(here) if os.sep in path else path


@functools.cache
def collection_version() -> str:
    """From the metadata of an installed collection, or of a checkout."""
    for name in ("MANIFEST.json", "galaxy.yml"):
        with contextlib.suppress(OSError):
            text = (Path(__file__).parents[2] / name).read_text("utf-8")
            if match := re.search(r'^\s*"?version"?:\s*"?([^\s",]+)', text, re.MULTILINE):
                return match[1]
    return ""


Hook = t.Callable[[], None]
PATIENCE = 5.0
"""Seconds that a signal waits for all hooks."""
FREE_WITHIN = 0.5
"""Seconds that a hook waits for a lock, of PATIENCE for all hooks."""
AGAIN_AFTER = 0.05
"""Seconds, after which a fork is over."""
CHAINED = (signal.SIGTERM, signal.SIGHUP)


class _Ending:
    """The hooks of one process. A fork inherits them, but is not the run, and stays silent."""

    current: t.ClassVar[_Ending | None] = None

    def __init__(self) -> None:
        self.owner = os.getpid()
        self.hooks: list[Hook] = []
        self._forking = False
        atexit.register(self.run)
        before = signal.getsignal(signal.SIGINT)
        if callable(before):
            with contextlib.suppress(ValueError):  # only the main thread handles signals
                signal.signal(signal.SIGINT, functools.partial(self._interrupted, before))
                os.register_at_fork(before=self._begin_fork, after_in_parent=self._end_fork)
        for number in CHAINED:
            before = signal.getsignal(number)
            # Under nohup a run outlives its terminal; and what was not set by Python can't be chained to.
            if before not in (signal.SIG_IGN, None):
                with contextlib.suppress(ValueError):  # only the main thread handles signals
                    signal.signal(number, functools.partial(self._signalled, before))

    def _begin_fork(self) -> None:
        self._forking = True

    def _end_fork(self) -> None:
        self._forking = False

    def _interrupted(self, before: t.Callable[..., None], number: int, frame: t.Any) -> None:
        """Ctrl-C. While Python forks it is sent again a moment later, for its exception would be printed and lost.

        https://docs.python.org/3/library/os.html#os.register_at_fork: exceptions of the functions are ignored.
        """
        in_hook = frame is not None and frame.f_code in _AT_FORK
        if os.getpid() != self.owner:
            # A fork that has no handler of its own yet: the terminal's signal comes to all.
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        elif self._forking or in_hook:
            threading.Timer(AGAIN_AFTER, os.kill, (self.owner, number)).start()
        else:
            before(number, frame)

    def _signalled(self, before: t.Any, number: int, frame: t.Any) -> None:
        # The main thread may have been stopped while it held a lock that a hook needs: so the hooks run in another, and
        # one that waits in vain holds the signal up for PATIENCE and no longer.
        if os.getpid() == self.owner:
            hooks = threading.Thread(target=self.run, name="interruption", daemon=True)
            hooks.start()
            hooks.join(PATIENCE)
        if callable(before):
            before(number, frame)
        else:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    def run(self) -> None:
        """Each hook once, the one that was registered last first."""
        while os.getpid() == self.owner and self.hooks:
            hook = self.hooks.pop()
            with contextlib.suppress(Exception):
                hook()


_AT_FORK = frozenset({_Ending._begin_fork.__code__, _Ending._end_fork.__code__})


@contextlib.contextmanager
def held_if_free(lock: threading.RLock) -> t.Iterator[None]:
    """Hold `lock`, or soon go on without it: a thread that the signal stopped while it held it changes nothing more."""
    held = lock.acquire(timeout=FREE_WITHIN)
    try:
        yield
    finally:
        if held:
            lock.release()


def when_cut_short(hook: Hook) -> None:
    """Have `hook` called when the process ends, by a signal too. A run that ended well has to say so to its hooks."""
    ending = _Ending.current
    if ending is None or ending.owner != os.getpid():
        ending = _Ending.current = _Ending()
    ending.hooks.append(hook)
