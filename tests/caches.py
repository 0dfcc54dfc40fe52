# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the checkout keeps between runs what was fetched or made once."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[1]
SANDBOX_CACHE = ROOT / ".sandbox" / "cache"
"""Also that of a person's sandbox: programs of other people, and seeded databases."""
