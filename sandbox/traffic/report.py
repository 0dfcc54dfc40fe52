# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of the traffic, and the process that writes it."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

from sandbox.processes import ProcessId

if t.TYPE_CHECKING:
    from sandbox.world import World

# How long a user waits: what takes longer has failed.
TIMEOUT_SECONDS = 10.0
MESSAGE_SHARE = 0.95
"""The share of requests that are messages, when nothing else is asked for. The others are calls."""

Report = dict[str, t.Any]


def folder(world: World) -> Path:
    return world.run / "traffic"


def report_file(world: World) -> Path:
    return folder(world) / "report.json"


def read_report(world: World) -> Report | None:
    """The newest report; None before the first one."""
    try:
        return t.cast("Report", json.loads(report_file(world).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None


def record_process(world: World, process: ProcessId) -> None:
    entry = {"pid": process.pid, "started": process.started}
    (folder(world) / "process.json").write_text(json.dumps(entry), encoding="utf-8")


def running_process(world: World) -> ProcessId | None:
    """The process that sends, as long as it lives."""
    try:
        entry = json.loads((folder(world) / "process.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    process = ProcessId(entry["pid"], entry["started"])
    return process if process.alive() else None
