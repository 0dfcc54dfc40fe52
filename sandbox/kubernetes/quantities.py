# SPDX-License-Identifier: GPL-3.0-or-later
"""Quantities such as `500m` and `1Gi`, as exact numbers and back; and ages, in the words of `kubectl get`."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from fractions import Fraction

SUFFIXES = {
    "n": Fraction(1, 10**9), "u": Fraction(1, 10**6), "m": Fraction(1, 1000), "": Fraction(1),
    "k": Fraction(10**3), "M": Fraction(10**6), "G": Fraction(10**9), "T": Fraction(10**12),
    "Ki": Fraction(2**10), "Mi": Fraction(2**20), "Gi": Fraction(2**30), "Ti": Fraction(2**40),
}  # fmt: skip


def parse(text: str | int) -> Fraction:
    """The number a quantity stands for; ValueError when it is none."""
    match = re.fullmatch(r"([+-]?[0-9.]+(?:[eE][+-]?\d+)?)([a-zA-Z]*)", str(text))
    if match is None or match[2] not in SUFFIXES:
        raise ValueError(f"{text!r} is not a quantity")
    return Fraction(match[1]) * SUFFIXES[match[2]]


def to_text(number: Fraction) -> str:
    """The shortest common spelling: whole binary units, whole numbers, then thousandths."""
    if number.denominator != 1:
        return f"{-(-number * 1000 // 1)}m"
    for suffix in ("Gi", "Mi", "Ki"):
        if number and not number % SUFFIXES[suffix]:
            return f"{number // SUFFIXES[suffix]}{suffix}"
    return str(number)


def since(text: str | None, until: str | None = None) -> str:
    """`2m30s`: the time since `text` as kubectl has it, up to now unless told; `<unknown>` for nothing."""
    if not text:
        return "<unknown>"
    end = datetime.fromisoformat(until) if until else datetime.now(UTC)
    return human_duration(int((end - datetime.fromisoformat(text)).total_seconds()))


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
