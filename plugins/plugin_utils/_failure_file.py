# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole evidence of a failed run in a file, for the terminal shows one sentence of it."""

from __future__ import annotations

import contextlib
import os
import typing as t
from pathlib import Path

import yaml

from ..module_utils._redaction import Redactor
from ..module_utils._release.models import RECORD_KEYS
from ..module_utils._terminal.models import TaskEnded

LEFT_OUT = RECORD_KEYS | {"invocation", "exception", "_ansible_no_log", "ansible_facts"}


def write_failures(folder: str, failures: t.Sequence[TaskEnded], redact: Redactor) -> str:
    """The path of a new file that its owner alone may read; "" where none can be written, which fails no run."""
    if not folder or not failures:
        return ""
    sentences = [_told(failure, redact) for failure in failures]
    content = yaml.safe_dump(sentences, sort_keys=False, allow_unicode=True)
    try:
        path = Path(folder)
        path.mkdir(parents=True, exist_ok=True)
        file, handle = _new(path)
        with os.fdopen(handle, "w", encoding="utf-8") as opened:
            opened.write(content)
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


def _told(task_ended: TaskEnded, redact: Redactor) -> dict[str, t.Any]:
    stored = {key: value for key, value in task_ended.result.items() if key not in LEFT_OUT}
    return {
        "host": task_ended.host,
        "role": task_ended.task.role,
        "task": task_ended.task.name,
        "action": task_ended.task.action,
        "result": redact.within(stored, depth=12),
    }
