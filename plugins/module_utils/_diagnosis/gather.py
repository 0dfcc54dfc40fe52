# SPDX-License-Identifier: GPL-3.0-or-later
"""Let collectors look at the platform, all at once and each on its own: none stops or outlasts the others."""

from __future__ import annotations

import threading
import time
import typing as t
from dataclasses import dataclass

from .._errors import DeployError
from .._messages.redactor import Redactor
from .evidence import Limits, Notebook, Part


@dataclass(frozen=True)
class Collector:
    """`look` writes into the notebook what it sees. `title` completes "… could not be looked at"."""

    entry: str
    title: str
    look: t.Callable[[Notebook], None]


def gather(
    collectors: t.Sequence[Collector], *, redactor: Redactor, limits: Limits
) -> tuple[Part, ...]:
    """The part of each, in their order. One that is not back in time is told with what it had until then."""
    notebooks = [
        Notebook(one.entry, one.title, redactor=redactor, limits=limits) for one in collectors
    ]
    threads = [
        # As daemons: a server that hangs keeps its thread, and must not keep the run.
        threading.Thread(target=_look, args=pair, daemon=True)
        for pair in zip(collectors, notebooks, strict=True)
    ]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + limits.seconds
    for thread, notebook in zip(threads, notebooks, strict=True):
        thread.join(max(deadline - time.monotonic(), 0))
        if thread.is_alive():
            notebook.blind(f"It did not finish within {limits.seconds:g} s: this is what it saw.")
    return tuple(notebook.to_part() for notebook in notebooks)


def _look(collector: Collector, notebook: Notebook) -> None:
    try:
        collector.look(notebook)
    except DeployError as exc:
        notebook.blind(str(exc))
    except Exception as exc:
        # Half of the platform may be broken in ways nobody thought of; the others must be heard.
        notebook.blind(f"It stopped with {type(exc).__name__}: {exc}")
