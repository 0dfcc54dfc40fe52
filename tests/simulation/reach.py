"""What of the product's code the simulation reaches: lines and branches, measured over some runs by coverage.py."""

import json
import os
import subprocess
import sys
import tempfile
import typing as t
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
CLAIMED = ("_lock", "_rollout", "_release", "_flags", "_kill_switch", "_rollback", "_ramp")
"""Areas of module_utils that the simulation says it tries."""


@dataclass(frozen=True)
class Area:
    """`unreached`: its functions and how many of their branches nothing took, most first."""

    name: str
    lines: int
    covered: int
    unreached: tuple[tuple[str, int], ...]

    @property
    def percent(self) -> float:
        return 100 * self.covered / self.lines if self.lines else 0.0


def measured(seed: int, runs: int) -> list[Area]:
    with tempfile.TemporaryDirectory() as folder:
        data, told = Path(folder) / "data", Path(folder) / "told.json"
        coverage = [sys.executable, "-m", "coverage"]
        simulation = ["-m", "tests.simulation", "--seed", str(seed), "--runs", str(runs)]
        _run(
            [*coverage, "run", "--branch", "--concurrency=greenlet", f"--data-file={data}",
             "--source=plugins/module_utils", *simulation]
        )  # fmt: skip
        _run([*coverage, "json", "--quiet", f"--data-file={data}", "-o", str(told)])
        files = json.loads(told.read_text("utf-8"))["files"]
    return [_area(name, files) for name in CLAIMED]


def _run(argv: list[str]) -> None:
    # The simulation starts itself anew without it, and coverage.py would follow the first process only.
    hashing = {**os.environ, "PYTHONHASHSEED": "0"}
    subprocess.run(argv, cwd=ROOT, env=hashing, check=False, stdout=subprocess.DEVNULL)


def _area(name: str, files: t.Mapping[str, t.Any]) -> Area:
    found = {path: told for path, told in files.items() if f"/module_utils/{name}/" in f"/{path}"}
    unreached = {
        f"{Path(path).name}: {function}": told["summary"]["missing_branches"]
        for path, file in found.items()
        for function, told in file["functions"].items()
        if function and told["summary"]["missing_branches"]
    }
    return Area(
        name,
        sum(file["summary"]["num_statements"] for file in found.values()),
        sum(file["summary"]["covered_lines"] for file in found.values()),
        tuple(sorted(unreached.items(), key=lambda one: (-one[1], one[0]))),
    )
