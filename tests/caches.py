"""Where the checkout keeps between runs what was fetched or made once."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
SANDBOX_CACHE = ROOT / ".sandbox" / "cache"
"""Also that of a person's sandbox: programs of other people, and seeded databases."""
