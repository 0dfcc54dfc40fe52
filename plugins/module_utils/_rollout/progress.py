# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""One line for each change of a Deployment's counts, for the terminal and for whoever listens."""

from __future__ import annotations

from .._module import Module, emit_progress
from .models import Counts


def emit_counts(module: Module, name: str, text: str, counts: Counts) -> None:
    emit_progress(
        module,
        "RolloutProgress",
        f"{name}: {text}",
        {
            "deployment": name,
            "desired": counts.desired,
            "updated": counts.updated,
            "ready": counts.ready,
            "available": counts.available,
        },
    )
