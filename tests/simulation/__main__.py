"""One run as a log, by its seed or its plan. Without either: fresh seeds for so many seconds of work.

A run that breaks an invariant is made as small as it can be, and printed as a plan to be kept among the regressions.
"""

import argparse
import itertools
import secrets
import sys
import time
import typing as t
from pathlib import Path

from .hashing import run_with_fixed_hashes

if t.TYPE_CHECKING:
    # The path to the collection, and a mutant of it, come before the first import of the product.
    from .branches import Ended

OTHERS = 60
"""Of the seeds of other themes, a mutant that names one is tried with one in so many."""
ROOT = Path(__file__).parents[2]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="show this one, or begin with it")
    parser.add_argument(
        "--branches", action="store_true", help="with --seed: also its branches, each by its plan"
    )
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
        return hunt(args.seed or 1, args.seconds, mutant.theme)
    if args.seed is not None and args.branches:
        return branch(args.seed)
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


def branch(seed: int) -> int:
    from .branches import alone, explore  # noqa: PLC0415
    from .draws import plan_of  # noqa: PLC0415

    runs = explore(plan_of(seed)).runs
    for one in runs:
        again = alone(one.plan).runs[0]
        said = one.violations[0] if one.violations else "holds"
        print(f"{said}; again by its plan: {'the same' if again == one else 'not the same'}")
        for fault in one.plan.faults:
            print(f"           {fault}")
    return any(one.violations for one in runs)


def replay() -> int:
    from .regressions import regressions  # noqa: PLC0415
    from .run import run  # noqa: PLC0415

    broken = 0
    for one in regressions():
        violations = run(one.plan).violations
        broken += bool(violations)
        print(f"{one.name}: {violations[0] if violations else 'holds'}")
    return bool(broken)


def hunt(first: int, seconds: float, theme: str) -> int:
    """Seeds from `first` on, mostly of this theme, and no more after the first that breaks something."""
    from .draws import plan_of, theme_of  # noqa: PLC0415
    from .run import run  # noqa: PLC0415

    began, seed = time.process_time(), first
    while time.process_time() - began < seconds:
        violations = []
        if not theme or theme_of(seed) == theme or not seed % OTHERS:
            violations = run(plan_of(seed)).violations
        if violations:
            took = time.process_time()
            print(f"seed {seed} breaks after {took:.2f} s: {' '.join(violations[0][:400].split())}")
            return 1
        seed += 1
    return 0


def search(first: int, runs: int | None, seconds: float, theme: str) -> int:
    """Runs from `first` on, all or those of a theme; for so many seconds, with their branches.

    The exit code is 1 when one of them broke something.
    """
    from .branches import Explored, alone, explore  # noqa: PLC0415
    from .draws import plan_of, theme_of  # noqa: PLC0415
    from .invariants.sentences import SENTENCES  # noqa: PLC0415
    from .run import run  # noqa: PLC0415
    from .shrink import shrink  # noqa: PLC0415
    from .totals import commit  # noqa: PLC0415

    print(f"seeds from {first} at commit {commit()}", flush=True)
    whole = Explored()
    seeds = (seed for seed in itertools.count(first) if not theme or theme_of(seed) == theme)
    while whole.totals.runs < runs if runs is not None else whole.totals.cpu < seconds:
        began = time.process_time()
        plan = plan_of(next(seeds))
        found = alone(plan) if runs is not None else explore(plan)
        found.totals.cpu += time.process_time() - began
        found.runs = found.broken
        whole.merge(found)
        for broken in found.broken:
            print(f"seed {broken.plan.seed} breaks: {broken.violations[0][-1500:]}")
            print(f"its plan is in {written(broken)}", flush=True)
    totals = whole.totals
    print(
        f"{totals.runs} runs, {totals.branches} of them branches, in {totals.cpu:.1f} s of CPU, "
        f"{totals.runs_a_minute:.0f} a minute, with {totals.requests} requests and {totals.faults.total()} faults; "
        f"{totals.broken} broke an invariant"
    )
    compared = sorted((totals.checked[name], name) for name in SENTENCES)
    print("how often there was something to compare:")
    print("  " + ", ".join(f"{name} {count:,}" for count, name in compared))
    for why, late in sorted(whole.after_loss.items()):
        print(f"the latest write after a lost lock, of a run that was {why}: {late:.1f} s")
    kinds: dict[str, Ended] = {}
    for broken in whole.broken:
        kinds.setdefault(kind_of(broken.violations), broken)
    for kind, broken in [*kinds.items()][:5]:
        smallest = shrink(
            broken.plan, lambda plan, kind=kind: kind_of(run(plan).violations) == kind
        )
        print(f"--- {kind}, of seed {broken.plan.seed}, as small as it gets:\n{smallest.to_text()}")
        print("\n".join(run(smallest).lines[-60:]))
    return bool(whole.broken)


def written(broken: "Ended") -> Path:
    """Where its plan is, for --plan: that of a branch is not what its seed draws."""
    from .totals import FOLDER  # noqa: PLC0415

    path = FOLDER / "broken" / f"{broken.plan.seed}-{broken.log[:8]}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(broken.plan.to_text() + "\n", "utf-8")
    return path.relative_to(ROOT)


def kind_of(violations: list[str]) -> str:
    return violations[0].partition(":")[0] if violations else ""


if __name__ == "__main__":
    sys.exit(main())
