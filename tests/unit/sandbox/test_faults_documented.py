"""Whoever rehearses finds every fault in the guide, with what a deployment must make of it."""

import re
from pathlib import Path

from sandbox.commands import known_faults

GUIDE = (Path(__file__).parents[3] / "sandbox/README.md").read_text("utf-8")
TABLE = GUIDE.partition("### Every fault")[2].partition("\n### ")[0]


def told() -> set[str]:
    """`kubernetes.errors`, and `.throttled` behind it in the same cell for kubernetes.throttled."""
    found = set()
    for row in TABLE.splitlines():
        component = ""
        for name in re.findall(r"`([a-z]*\.[a-z-]+)", row.split(" | ")[0]):
            component = name.partition(".")[0] or component
            found.add(f"{component}.{name.partition('.')[2]}")
    return found


def test_the_guide_tells_of_every_fault_and_of_no_other():
    known = {
        f"{component}.{name}" for component, faults in known_faults().items() for name in faults
    }
    assert told() == known
