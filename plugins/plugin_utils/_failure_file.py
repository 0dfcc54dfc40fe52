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
