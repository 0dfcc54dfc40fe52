# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""The whole evidence of a failed run in a file, for the terminal shows one sentence of it."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

import yaml

from ..module_utils._messages.redactor import Redactor
from ..module_utils._terminal.events import TaskEnded

LEFT_OUT = frozenset({"invocation", "exception", "_ansible_no_log", "ansible_facts", "record"})


def write_failures(folder: str, failures: t.Sequence[TaskEnded], redact: Redactor) -> str:
    """The path of a new file that its owner alone may read; "" where none can be written, which fails no run."""
    if not folder or not failures:
        return ""
    content = yaml.safe_dump([_told(one, redact) for one in failures], sort_keys=False)
    try:
        path = Path(folder)
        path.mkdir(parents=True, exist_ok=True)
        file = _free(path)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
            opened.write(content)
    except OSError:
        return ""
    return str(file)


def _free(folder: Path) -> Path:
    number = 1
    while (folder / f"failure-{number}.yml").exists():
        number += 1
    return folder / f"failure-{number}.yml"


def _told(one: TaskEnded, redact: Redactor) -> dict[str, t.Any]:
    kept = {key: value for key, value in one.result.items() if key not in LEFT_OUT}
    return {
        "host": one.host,
        "role": one.task.role,
        "task": one.task.name,
        "action": one.task.action,
        "result": redact.within(kept, depth=12),
    }
