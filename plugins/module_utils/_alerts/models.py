# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""An alerting rule as Prometheus has it loaded."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

Labels = t.Mapping[str, str]


@dataclass(frozen=True)
class LoadedRule:
    """`duration` is the rule's `for`, in seconds; `health` is ok, err, or unknown until it was evaluated once."""

    name: str
    query: str
    duration: float
    labels: Labels
    annotations: Labels
    group: str
    health: str
    last_error: str
