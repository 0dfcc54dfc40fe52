# SPDX-License-Identifier: GPL-3.0-or-later
"""Quantities such as `500m` and `1Gi`, as exact numbers and back."""

from __future__ import annotations

import re
from fractions import Fraction

SUFFIXES = {
    "n": Fraction(1, 10**9), "u": Fraction(1, 10**6), "m": Fraction(1, 1000), "": Fraction(1),
    "k": Fraction(10**3), "M": Fraction(10**6), "G": Fraction(10**9), "T": Fraction(10**12),
    "Ki": Fraction(2**10), "Mi": Fraction(2**20), "Gi": Fraction(2**30), "Ti": Fraction(2**40),
}  # fmt: skip


def parse(text: str | int) -> Fraction:
    """The number a quantity stands for; ValueError when it is none."""
    found = re.fullmatch(r"([+-]?[0-9.]+(?:[eE][+-]?\d+)?)([a-zA-Z]*)", str(text))
    if found is None or found[2] not in SUFFIXES:
        raise ValueError(f"{text!r} is not a quantity")
    return Fraction(found[1]) * SUFFIXES[found[2]]


def to_text(number: Fraction) -> str:
    """The shortest common spelling: whole binary units, whole numbers, then thousandths."""
    if number.denominator != 1:
        return f"{-(-number * 1000 // 1)}m"
    for suffix in ("Gi", "Mi", "Ki"):
        if number and not number % SUFFIXES[suffix]:
            return f"{number // SUFFIXES[suffix]}{suffix}"
    return str(number)
