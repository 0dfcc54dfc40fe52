# SPDX-License-Identifier: GPL-3.0-or-later
"""The terminal under Ansible's display: one last line that is drawn anew, and an output that may close.

And the whole evidence of a failed run in a file, for the terminal shows one sentence of it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import sys
import typing as t
from pathlib import Path

import yaml

from ..module_utils._formats import bare, shortened
from ..module_utils._redaction import Redactor
from ..module_utils._release.models import RECORD_KEYS
from ..module_utils._terminal.models import TaskEnded

ERASE = "\r\x1b[K"
SPARE = 4
"""Columns that stay free: a full line would wrap, and some signs, as ✅, take two columns."""


COLOURS = re.compile(r"(\x1b\[(?:0|[01];[39]\d|38;5;\d{1,3})m)")
"""As Ansible writes them into differences and the summary."""


def harmless(text: str) -> str:
    """As it may go to a terminal: with Ansible's colours, and nothing else that is no text."""
    return "".join(part if COLOURS.fullmatch(part) else bare(part) for part in COLOURS.split(text))


class LiveScreen:
    """Takes care of what any part of Ansible prints, at any -v and into its log.

    The drawn line goes before it, secrets and commands to the terminal are taken out, and a closed pipe is no error.
    """

    def __init__(
        self,
        display: t.Any,
        environment: t.Mapping[str, str],
        redact: t.Callable[[str], str] = str,
    ) -> None:
        """`display` is Ansible's, whose lock is held while somebody is asked."""
        self._display = display
        self._redact = redact
        self._print = display.display
        self._owner = os.getpid()
        self._drawn = ""
        plain = environment.get("TERM", "dumb") == "dumb" or bool(environment.get("CI"))
        self.live = sys.stdout.isatty() and not plain
        display.display = self._displayed

    @staticmethod
    def columns() -> int:
        return shutil.get_terminal_size((80, 24)).columns

    def draw(self, text: str) -> None:
        """As the last line, in place of the one before. The caller holds the display's lock."""
        shown = shortened(text, self.columns() - SPARE)
        if self.live and shown != self._drawn:
            self._written(f"{ERASE}{shown}")
            self._drawn = shown

    def close(self) -> None:
        """Leave the display as it was found."""
        with self._display._lock:
            self._clear()
        self._display.display = self._print

    def _displayed(self, msg: t.Any, *args: t.Any, **kwargs: t.Any) -> None:
        # A fork hands its text over to the run.
        if os.getpid() != self._owner:
            self._print(msg, *args, **kwargs)
            return
        if isinstance(msg, str):
            msg = harmless(self._redact(msg))
        with self._display._lock:
            self._clear()
            try:
                self._print(msg, *args, **kwargs)
                sys.stdout.flush()
            except OSError as exc:
                gone(exc)

    def _clear(self) -> None:
        if self._drawn:
            self._drawn = ""
            self._written(ERASE)

    def _written(self, text: str) -> None:
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
        except OSError as exc:
            gone(exc)


def gone(exc: OSError) -> None:
    """The reader has gone: the run goes on. Anything else that is wrong with an output is an error."""
    if exc.errno != errno.EPIPE:
        raise exc
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, sys.stdout.fileno())
    os.close(nothing)


LEFT_OUT = RECORD_KEYS | {"invocation", "exception", "_ansible_no_log", "ansible_facts"}


def write_failures(folder: str, failures: t.Sequence[TaskEnded], redact: Redactor) -> str:
    """The path of a new file that its owner alone may read; "" where none can be written, which fails no run."""
    if not folder or not failures:
        return ""
    content = [
        {
            "host": failure.host,
            "role": failure.task.role,
            "task": failure.task.name,
            "action": failure.task.action,
            "result": redact.within(
                {key: value for key, value in failure.result.items() if key not in LEFT_OUT},
                depth=12,
            ),
        }
        for failure in failures
    ]
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        file, handle = _new(Path(folder))
        with os.fdopen(handle, "w", encoding="utf-8") as opened:
            yaml.safe_dump(content, opened, sort_keys=False, allow_unicode=True)
    except OSError:
        return ""
    return str(file)


def _new(folder: Path) -> tuple[Path, int]:
    """The first that is not there. Two runs may look at once, and one of them makes it."""
    number = 0
    while True:
        number += 1
        file = folder / f"failure-{number}.yml"
        with contextlib.suppress(FileExistsError):
            return file, os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
