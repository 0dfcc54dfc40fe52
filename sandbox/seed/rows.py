# SPDX-License-Identifier: GPL-3.0-or-later
"""How many rows make how many megabytes, and the few rows that tests know by name."""

from __future__ import annotations

import typing as t

from sandbox.names import INTERNAL_NUMBER

TEST_VENDOR_ID = "7e570000-0000-4000-8000-000000000001"
TEST_PRICE_RWF = 1_500
INTERNAL_BALANCE_RWF = 250_000


def volumes(megabytes: int) -> dict[str, int]:
    """Row counts by kind for about `megabytes` MB on disk with indexes; never none of a kind."""
    return {
        "users": max(40, 125 * megabytes),
        "vendors": max(20, 12 * megabytes),
        "orders": max(60, 500 * megabytes),
        "messages": max(100, 1_000 * megabytes),
    }


def bindings(megabytes: int) -> t.Mapping[str, str | int]:
    """What the seed's SQL files ask for by name."""
    return {
        **volumes(megabytes),
        "internal_number": INTERNAL_NUMBER,
        "internal_balance_rwf": INTERNAL_BALANCE_RWF,
        "test_vendor_id": TEST_VENDOR_ID,
        "test_price_rwf": TEST_PRICE_RWF,
    }
