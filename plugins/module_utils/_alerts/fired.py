# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""An alert that fires or fired, in words. Pure."""

from __future__ import annotations

from datetime import datetime

from .._time import UTC, format_time
from .models import Labels

_OWN = ("__name__", "alertname", "alertstate", "severity", "notify")
"""Labels that tell nothing about what an alert is about."""


def subject(labels: Labels) -> str:
    """What the alert is about, by the labels that its query gave it: service=wallet-service."""
    return ", ".join(f"{name}={labels[name]}" for name in sorted(labels) if name not in _OWN)


def moment(seconds: float | None) -> str:
    """Of seconds since 1970, as RFC 3339; "" for what nobody knows."""
    return "" if seconds is None else format_time(datetime.fromtimestamp(seconds, UTC))


def describe(name: str, labels: Labels, since: str) -> str:
    about = subject(labels)
    return f"{name}{f' ({about})' if about else ''}{f' since {since}' if since else ''}"
