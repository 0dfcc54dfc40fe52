# SPDX-License-Identifier: GPL-3.0-or-later
"""python -m tests.simulation --seed 17: one run as a log. Without a seed: fresh ones, for so long."""

from __future__ import annotations

import argparse
import os
import secrets
import sys
import time
from pathlib import Path

HASHING = "PYTHONHASHSEED"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--seconds", type=float, default=20.0)
    args = parser.parse_args()
    # The order of a set's words is drawn anew in each process, and a seed must name one run.
    if os.environ.get(HASHING) != "0":
        os.environ[HASHING] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "tests.simulation", *sys.argv[1:]])
    sys.path.insert(0, str(Path(__file__).parents[2] / "playbooks" / "collections"))
    from .plan import plan_of
    from .run import run
    if args.seed is not None:
        outcome = run(plan_of(args.seed))
        print("\n".join(outcome.lines))
        print(outcome.violations, outcome.requests, outcome.took)
        return bool(outcome.violations)
    began, runs, seed, requests = time.process_time(), 0, secrets.randbelow(10**9), 0
    while time.process_time() - began < args.seconds:
        outcome = run(plan_of(seed + runs))
        runs += 1
        requests += outcome.requests
        if outcome.violations:
            print(seed + runs - 1, outcome.violations[0][-600:])
    print(f"{runs} runs, {runs / (time.process_time() - began) * 60:.0f} a minute, {requests} requests")
    return 0


if __name__ == "__main__":
    sys.exit(main())
