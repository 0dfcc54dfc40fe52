"""`python -m tests.benchmarks [--size small] [--goals] [NAME...]`: measures, prints tables, writes .cache/bench.json.

The last table is of all goals that were measured. It asserts nothing.
"""

import argparse
import json
import os
import subprocess
import sys
import typing as t
from dataclasses import asdict, replace
from datetime import UTC, datetime

from tests.benchmarks.measurement import BenchmarkError, Measurement, Size
from tests.benchmarks.stage import REPOSITORY

RESULTS = REPOSITORY / ".cache" / "bench.json"


def main() -> int:
    # What a benchmark imports of the collection is found from here on, as pytest finds it.
    sys.path.insert(0, str(REPOSITORY / "playbooks" / "collections"))
    from tests.benchmarks.registry import BENCHMARKS, GOALS  # noqa: PLC0415

    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument(
        "--size",
        type=Size,
        choices=list(Size),
        default=Size.FULL,
        help="small: whether each still works, not how fast it is",
    )
    parser.add_argument("--goals", action="store_true", help="those that have goals, alone")
    given = parser.parse_args()
    names, size = given.names or list(GOALS if given.goals else BENCHMARKS), given.size
    if unknown := sorted(set(names) - set(BENCHMARKS)):
        parser.error(f"no benchmark {', '.join(unknown)}: there are {', '.join(BENCHMARKS)}")
    began = {
        "at": datetime.now(UTC).isoformat(),
        "size": size,
        "cores": os.cpu_count(),
        "load": os.getloadavg(),
    }
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start\n")
    results: dict[str, list[dict[str, t.Any]]] = {}
    goals: list[Measurement] = []
    failures: dict[str, str] = {}
    for name in names:
        measured: list[Measurement] = []
        try:
            for each in BENCHMARKS[name](size):
                measured.append(each)
        except (BenchmarkError, subprocess.TimeoutExpired) as exc:
            failures[name] = str(exc)
        if measured:
            results[name] = [asdict(each) for each in measured]
            print(table(name, measured), flush=True)
            goals += [replace(each, name=each.goal) for each in measured if each.goal]
        if name in failures:
            print(f"{name}: not measured: {failures[name]}\n", flush=True)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(
        json.dumps({**began, "results": results, "failures": failures}, indent=1), encoding="utf-8"
    )
    if goals:
        print(table("goals", goals))
    print(f"All numbers: {RESULTS.relative_to(REPOSITORY)}")
    return 1 if failures else 0


def table(name: str, measured: t.Iterable[Measurement]) -> str:
    lines = [name, *(_line(each) for each in measured)]
    return "\n".join(lines) + "\n"


def _line(each: Measurement) -> str:
    unit = {"s": " s", "MB": " MB", "ratio": "x", "count": ""}[each.unit]
    decimals = {"s": 1, "MB": 0, "ratio": 2, "count": 1}[each.unit]
    value = f"{each.value:.{decimals}f}{unit}"
    wanted = "" if each.target is None else f"<= {each.target:g}{unit}"
    kept = "" if each.target is None else ("yes" if each.value <= each.target else "NO")
    return f"  {each.name:<68} {value:>10}  {wanted:>10} {kept:<4} {each.note}".rstrip()


if __name__ == "__main__":
    sys.exit(main())
