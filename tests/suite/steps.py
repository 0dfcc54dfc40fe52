"""What `make test` runs, in stages: within one, as many steps side by side as two lanes have room for.

Worlds wait for half of their time. Steps without a lane use that time: they yield the cores to whoever wants them.
"""

import os
import sys
from dataclasses import dataclass

from tests.caches import ROOT

LOGS = ROOT / ".cache" / "test"
LANES = min(2, len(os.sched_getaffinity(0)))
"""Steps side by side: as many as this process has cores, and at most two."""
WORKERS = LANES + 2 if LANES > 1 else 1
"""Of the worlds: half of their time they wait for pods and clocks, and another has the core meanwhile."""
TRAFFIC = "tests/stories/test_story_of_the_waves.py"
SHARED = ("contract", "integration", "interop", "stories")
"""Levels whose files are spread over the lanes together, in the order of `tests/suite/order.py`."""


@dataclass(frozen=True)
class Step:
    """`seconds`: what it took on two quiet cores, for the time that is still to come.

    Steps of no lane run one after another, at the lowest priority, beside those that fill the lanes.
    """

    name: str
    argv: tuple[str, ...]
    seconds: float
    lanes: int = 1

    @property
    def tests(self) -> bool:
        return "pytest" in self.argv


def _tests(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "pytest", "-q", "-p", "tests.suite.events", *arguments)


OF_PLUGINS = "tests/unit/plugins"
OTHERS = ("tests/unit", f"--ignore={OF_PLUGINS}")
"""Units of the sandbox, and about the project: its documentation, structure, roles and manifests."""
QUICK, SLOW = "not nightly and not slow", "slow and not nightly"
UNITS = ("-m", QUICK, "--hypothesis-profile=quick")
SPREAD = ("-n", str(WORKERS), "--dist", "loadfile", "--no-loadscope-reorder")


def slow_units() -> list[str]:
    """The files that hold any: to collect all of the units takes a tenth of what they take."""
    files = (ROOT / "tests/unit").rglob("test_*.py")
    return sorted(str(file) for file in files if "mark.slow" in file.read_text("utf-8"))


STAGES: tuple[tuple[Step, ...], ...] = (
    (
        Step("style", ("scripts/lint", "style"), 5),
        Step("types", ("scripts/types",), 8),
        Step("prose", (sys.executable, "-m", "tests.interop.prose"), 6),
    ),
    (
        # Side by side rather than by workers, each of which would collect both.
        Step("units", _tests(*UNITS, OF_PLUGINS), 58),
        Step("project", _tests(*UNITS, *OTHERS), 40),
        Step("tools", (sys.executable, "-m", "tests.suite.tools"), 24, 0),
        Step("environment", ("scripts/oldest", "installed"), 30, 0),
    ),
    (
        Step(
            "worlds",
            _tests(
                *(*SPREAD, "--ignore", TRAFFIC),
                *(f"tests/{level}" for level in SHARED),
            ),
            630,
            LANES,
        ),
        Step("docs", ("scripts/docs",), 7, 0),
        Step("sanity", ("scripts/sanity", "day"), 17, 0),
        Step("playbooks", ("scripts/lint", "playbooks"), 38, 0),
        # With a sandbox of its own: what tests left in one that they share is none of a role's business.
        # Nightly runs all: the stories run each of these roles in check mode, for real and again.
        Step("molecule", ("scripts/molecule", "rolling_update"), 21, 0),
        Step("slow", _tests("-m", SLOW, *slow_units()), 92, 0),
    ),
    # Alone: what else runs would cost it requests that no rollout lost.
    (Step("traffic", _tests(TRAFFIC), 77, LANES),),
)
"""A stage begins when the one before it has passed. What is found in seconds comes first, and is told in seconds."""
