"""The cases of the playbooks' tasks: list them, or try them."""

import argparse
import sys
import time
import typing as t
from concurrent.futures import ProcessPoolExecutor, as_completed
from itertools import batched, groupby
from multiprocessing import get_context
from traceback import format_exc

from ..hashing import run_with_fixed_hashes

AT_ONCE = 40
"""Cases of a scenario that a process tries before others may have it."""
GROUPS: list[t.Any] = []
"""What processes try, which they have as forks: scenarios have functions in them, which no pipe takes."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.plays", description=__doc__)
    parser.add_argument("scenarios", nargs="*", help="all when none is named")
    parser.add_argument("--list", action="store_true", help="print the cases, and try none")
    parser.add_argument(
        "--unplayed", action="store_true", help="print the playbooks of no scenario"
    )
    parser.add_argument(
        "--outcomes", action="store_true", help="compare what the scenarios lead to with the record"
    )
    parser.add_argument("--record", action="store_true", help="write down what they lead to")
    parser.add_argument(
        "--absent", action="store_true", help="print where a release is told of what it has not"
    )
    parser.add_argument(
        "--rights",
        action="store_true",
        help="try each right of each role, and write docs/rights.md",
    )
    parser.add_argument(
        "--sandbox", action="store_true", help="play the scenarios on the sandbox, and compare"
    )
    parser.add_argument("--case", help="those whose line has these words, each with its log")
    parser.add_argument("--jobs", type=int, default=1)
    arguments = parser.parse_args()
    run_with_fixed_hashes("tests.simulation.plays")
    from .cases import cases_of  # noqa: PLC0415
    from .outcomes import outcomes_of  # noqa: PLC0415
    from .playing import begin_worker  # noqa: PLC0415
    from .scenarios import SCENARIOS, unplayed  # noqa: PLC0415
    from .witnesses import written  # noqa: PLC0415
    from .words import absent  # noqa: PLC0415

    if arguments.rights:
        begin_worker()
        print("\n".join(idle := written()))
        return bool(idle)
    if arguments.unplayed or arguments.absent or arguments.outcomes or arguments.record:
        wrong = absent() if arguments.absent else []
        if arguments.outcomes or arguments.record:
            wrong += outcomes_of(arguments.scenarios or [*SCENARIOS], record=arguments.record)
        print(*(unplayed() if arguments.unplayed else ()), *wrong, sep="\n")
        return bool(wrong)
    if arguments.sandbox:
        return _compared(arguments.scenarios)
    cases = cases_of(SCENARIOS[name] for name in arguments.scenarios or SCENARIOS)
    if arguments.case:
        cases = [case for case in cases if arguments.case in str(case)]
    if arguments.list:
        print("\n".join(map(str, cases)))
        return 0
    begun, number, failed = time.monotonic(), 0, 0
    for _name, of_scenario in groupby(cases, lambda case: case.scenario.name):
        GROUPS.extend(batched(of_scenario, AT_ONCE, strict=False))
    with ProcessPoolExecutor(arguments.jobs, get_context("fork"), initializer=begin_worker) as pool:
        trials = [pool.submit(_tried, at, bool(arguments.case)) for at in range(len(GROUPS))]
        for trial in as_completed(trials):
            for case, wrong, lines in trial.result():
                number += 1
                print(*lines, sep="\n", end="\n" if lines else "")
                if wrong:
                    failed += 1
                    print(case, *(f"    {text}" for text in wrong), sep="\n")
            print(f"{number} of {len(cases)} tried, {failed} failed", flush=True)
    print(f"{len(cases)} cases, {failed} failed, in {time.monotonic() - begun:.0f} s")
    return bool(failed)


def _tried(at: int, logged: bool) -> list[tuple[str, list[str], list[str]]]:
    """Of one group its cases by their lines. What raises fails all of them."""
    from .cases import tried  # noqa: PLC0415

    try:
        return [(str(case), *judged) for case, *judged in tried(GROUPS[at], logged)]
    except Exception:
        return [(str(case), [format_exc()], []) for case in GROUPS[at]]


def _compared(names: t.Sequence[str]) -> int:
    from .on_sandbox import can_be_played, differences_of  # noqa: PLC0415
    from .scenarios import SCENARIOS  # noqa: PLC0415

    # An archived channel takes no more posts.
    played = sorted(SCENARIOS, key="archived".__eq__)
    chosen = names or [name for name in played if can_be_played(SCENARIOS[name])]
    wrong = 0
    for name, lines in differences_of(chosen):
        wrong += bool(lines)
        print(f"{name}: {'differs' if lines else 'alike'}", *lines, sep="\n    ", flush=True)
    print(f"{len(chosen)} scenarios, {wrong} differ")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
