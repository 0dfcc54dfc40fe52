"""`make test` again and again: `python -m tests.suite.again 10`, as `make test-again N=10`.

Each run has a seed of its own for generated examples. It prints a table of the runs, and each failure's first cause
with how often it came. A red run does not end it, and its logs are kept beside those of the last run.
"""

import collections
import dataclasses
import json
import os
import secrets
import shutil
import subprocess
import sys
import typing as t

from tests.caches import ROOT
from tests.suite.order import tests_of_last_run
from tests.suite.steps import LOGS

OPTIONS = "PYTEST_ADDOPTS"


@dataclasses.dataclass(frozen=True)
class Outcome:
    """One run: its wall time and CPU time in seconds, and its failures as (test or step, first cause)."""

    seed: int
    seconds: float
    cpu: float
    passed: int
    failures: t.Sequence[tuple[str, str]]


def run_once(seed: int) -> Outcome:
    given = f"{os.environ.get(OPTIONS, '')} --hypothesis-seed={seed}".strip()
    done = subprocess.run(
        [sys.executable, "-m", "tests.suite"],
        cwd=ROOT,
        check=False,
        env={**os.environ, OPTIONS: given},
    )
    whole = json.loads((LOGS / "steps.json").read_text(encoding="utf-8"))[-1]
    outcomes = tests_of_last_run()
    failures = [(test["test"], test["why"]) for test in outcomes if test["outcome"] == "failed"]
    if done.returncode:
        failures = failures or [("a step without tests", "see above")]
        shutil.copytree(LOGS, LOGS.with_name(f"{LOGS.name}-{seed}"))
    passed = sum(test["outcome"] == "passed" for test in outcomes)
    return Outcome(seed, whole["seconds"], whole["cpu"], passed, failures)


def table(outcomes: t.Sequence[Outcome]) -> list[str]:
    lines = ["| seed | wall s | CPU s | passed | failed |", "|---|---|---|---|---|"]
    lines += [
        f"| {run.seed} | {run.seconds:.0f} | {run.cpu:.0f} | {run.passed} | {len(run.failures)} |"
        for run in outcomes
    ]
    causes = collections.Counter(failure for run in outcomes for failure in run.failures)
    return lines + [f"{count}x {test}: {why}" for (test, why), count in causes.most_common()]


def main(count: int) -> int:
    outcomes = []
    for _ in range(count):
        outcomes.append(run_once(secrets.randbelow(1 << 32)))
        print("\n".join(table(outcomes)), flush=True)
    return int(any(run.failures for run in outcomes))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
