# SPDX-License-Identifier: GPL-3.0-or-later
"""How long ago something was, in the words of `kubectl get`."""

from __future__ import annotations

from datetime import UTC, datetime


def since(text: str | None) -> str:
    """`2m30s`: the time since `text` as kubectl has it; `<unknown>` for nothing."""
    if not text:
        return "<unknown>"
    moment = datetime.fromisoformat(text)
    return human_duration(int((datetime.now(UTC) - moment).total_seconds()))


def human_duration(seconds: int) -> str:
    """k8s.io/apimachinery's HumanDuration: two units while they tell something."""
    if seconds < 0:
        return "0s" if seconds >= -1 else "<invalid>"
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if seconds < 120:
        return f"{seconds}s"
    if minutes < 10:
        return _two(minutes, "m", seconds % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    return _two(days, "d", hours % 24, "h") if days < 8 else f"{days}d"


def _two(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large}{large_unit}" + (f"{small}{small_unit}" if small else "")
