"""One order of a set's words for all processes, where Python draws a new one in each."""

import os
import sys

HASHING = "PYTHONHASHSEED"


def run_with_fixed_hashes(module: str) -> None:
    """Run the command anew if it has another order: a seed or a case must name the same run each time."""
    if os.environ.get(HASHING) != "0":
        os.environ[HASHING] = "0"
        os.execv(sys.executable, [sys.executable, "-m", module, *sys.argv[1:]])
