"""One run as a log, by its seed or its plan. Without either: fresh seeds for so many seconds of work.

A run that breaks an invariant is made as small as it can be, and printed as a plan to be kept among the regressions.
"""

import argparse
import itertools
import json
import re
import secrets
import subprocess
import sys
import time
import typing as t
from collections import Counter
from pathlib import Path

from .hashing import run_with_fixed_hashes

if t.TYPE_CHECKING:
    # The path to the collection, and a mutant of it, come before the first import of the product.
    from .run import Outcome

OTHERS = 60
"""Of the seeds of other themes, a mutant that names one is tried with one in so many."""
ROOT = Path(__file__).parents[2]
SENTENCE = re.compile(r"^\| `([a-z_]+)` \|", re.MULTILINE)
"""The name of one, where README.md has it."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="show this one, or begin with it")
    parser.add_argument("--plan", type=Path, help="show the run of this plan")
    parser.add_argument(
        "--regressions", action="store_true", help="run each that once broke something"
    )
    parser.add_argument(
        "--mutant", help="with this guard taken away; alone: from --seed on until it is noticed"
    )
    parser.add_argument("--runs", type=int, help="so many seeds from --seed on, instead of one")
    parser.add_argument("--seconds", type=float, default=20.0, help="of CPU, for fresh seeds")
    parser.add_argument("--theme", default="", help="only seeds of this theme of draws.py")
    args = parser.parse_args()
    run_with_fixed_hashes("tests.simulation")
    sys.path.insert(0, str(ROOT / "playbooks" / "collections"))
    from .mutants import install  # noqa: PLC0415

    # Before anything of the product is imported, as what draws plans does.
    mutant = install(args.mutant) if args.mutant else None
    from .draws import plan_of  # noqa: PLC0415
    from .plan import Plan  # noqa: PLC0415

    if args.regressions:
        return replay()
    if args.plan is not None:
        return show(Plan.from_text(args.plan.read_text("utf-8")))
    if mutant is not None:
        return hunt(args.seed or 1, args.runs, args.seconds, mutant.theme)
    if args.seed is not None and args.runs is None:
        return show(plan_of(args.seed))
    first = args.seed if args.seed is not None else secrets.randbelow(10**9)
    return search(first, args.runs, args.seconds, args.theme)


def show(plan: object) -> int:
    from .run import run  # noqa: PLC0415

    outcome = run(plan)
    for actor in outcome.plan.actors:
        print(f"           {actor}")
    for fault in outcome.plan.faults:
        print(f"           {fault}")
    print("\n".join(outcome.lines))
    for violation in outcome.violations:
        print(f"BROKEN: {violation}")
    return bool(outcome.violations)


def replay() -> int:
    from .plan import Plan  # noqa: PLC0415
    from .run import run  # noqa: PLC0415

    broken = 0
    for line in Path(__file__).with_name("regressions.jsonl").read_text("utf-8").splitlines():
        violations = run(Plan.from_text(line)).violations
        broken += bool(violations)
        print(f"{json.loads(line)['name']}: {violations[0] if violations else 'holds'}")
    return bool(broken)


def hunt(first: int, runs: int | None, seconds: float, theme: str) -> int:
    """Seeds from `first` on, mostly of this theme, and no more after the first that breaks something.

    `runs`: so many of them, however long they take; None for as many as `seconds` of CPU allow.
    """
    from .draws import plan_of, theme_of  # noqa: PLC0415
    from .run import run  # noqa: PLC0415

    began, seed, ran = time.process_time(), first, 0
    while ran < runs if runs is not None else time.process_time() - began < seconds:
        violations = []
        if not theme or theme_of(seed) == theme or not seed % OTHERS:
            violations = run(plan_of(seed)).violations
            ran += 1
        if violations:
            took = time.process_time()
            print(f"seed {seed} breaks after {took:.2f} s: {' '.join(violations[0][:400].split())}")
            return 1
        seed += 1
    return 0


def search(first: int, runs: int | None, seconds: float, theme: str) -> int:
    """Runs from `first` on, all or those of a theme; so many, or for so many seconds.

    The exit code is 1 when one of them broke something.
    """
    from .draws import plan_of, theme_of  # noqa: PLC0415
    from .run import run  # noqa: PLC0415
    from .shrink import shrink  # noqa: PLC0415

    print(f"seeds from {first} at commit {commit()}", flush=True)
    totals, checked, cpu = Counter[str](), Counter[str](), 0.0
    kinds: dict[str, Outcome] = {}
    seeds = (seed for seed in itertools.count(first) if not theme or theme_of(seed) == theme)
    while totals["runs"] < runs if runs is not None else cpu < seconds:
        began = time.process_time()
        outcome = run(plan_of(next(seeds)))
        cpu += time.process_time() - began
        broken = bool(outcome.violations)
        totals.update(runs=1, requests=outcome.requests, faults=outcome.faults, broken=broken)
        checked.update(outcome.checked)
        if broken:
            print(f"seed {outcome.plan.seed} breaks: {outcome.violations[0][-1500:]}")
            kinds.setdefault(kind_of(outcome.violations), outcome)
    print(
        f"{totals['runs']} runs in {cpu:.1f} s of CPU, {60 * totals['runs'] / (cpu or 1.0):.0f} a minute, "
        f"with {totals['requests']} requests and {totals['faults']} faults; {totals['broken']} broke an invariant"
    )
    page = Path(__file__).with_name("README.md").read_text("utf-8")
    compared = sorted((checked[name], name) for name in SENTENCE.findall(page))
    print("how often there was something to compare:")
    print("  " + ", ".join(f"{name} {count:,}" for count, name in compared))
    for kind, outcome in [*kinds.items()][:5]:
        smallest = shrink(
            outcome.plan, lambda plan, kind=kind: kind_of(run(plan).violations) == kind
        )
        print(
            f"--- {kind}, of seed {outcome.plan.seed}, as small as it gets:\n{smallest.to_text()}"
        )
        print("\n".join(run(smallest).lines[-60:]))
    return bool(totals["broken"])


def commit() -> str:
    asked = subprocess.run(
        ("git", "describe", "--always", "--dirty"), cwd=ROOT, stdout=subprocess.PIPE, check=False
    )
    return asked.stdout.decode().strip() or "unknown"


def kind_of(violations: list[str]) -> str:
    return violations[0].partition(":")[0] if violations else ""


if __name__ == "__main__":
    sys.exit(main())
