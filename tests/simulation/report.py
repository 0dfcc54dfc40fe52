"""What the simulation has tried, on one screen: speed, invariants, faults, scripts, tasks, coverage and mutants.

With --minutes it first tries fresh seeds for so long, in a process for each core. What is shown is of the present
commit and, beside it, of all commits that were tried in this checkout.
"""

import argparse
import json
import os
import secrets
import statistics
import subprocess
import sys
import typing as t
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import yaml

from . import reach, totals
from .totals import ENDINGS, FOLDER, ROOT, SESSIONS, Totals

REPORT = FOLDER / "report.json"
REACHED = FOLDER / "coverage.json"
MUTANTS = FOLDER / "mutants.json"
KEPT = FOLDER / "kept"
"""How many lines of the sessions stand in TRIED already."""
TRIED = Path(__file__).parent / "tried.yml"
SAMPLE = 150
WIDTH = 150


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.report", description=__doc__)
    parser.add_argument("--minutes", type=float, default=0.0, help="try fresh seeds first")
    parser.add_argument("--coverage", action="store_true", help="measure it, in a minute of CPU")
    parser.add_argument("--mutants", action="store_true", help="try them first, in half an hour")
    parser.add_argument(
        "--keep", action="store_true", help="add what was tried since to tried.yml, for the docs"
    )
    args = parser.parse_args()
    broken = try_for(args.minutes) if args.minutes else False
    if args.mutants:
        subprocess.run([sys.executable, "-m", "tests.simulation.mutants"], cwd=ROOT, check=False)
    if args.coverage:
        measure()
    told = gathered()
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(json.dumps(told, indent=1) + "\n", "utf-8")
    print(screen(told))
    if args.keep:
        keep()
    return broken


def try_for(minutes: float) -> bool:
    """Whether something broke."""
    argv = [sys.executable, "-m", "tests.simulation", "--seconds", str(60 * minutes)]
    running = [subprocess.Popen(argv, cwd=ROOT) for _core in range(os.cpu_count() or 1)]
    ended = [process.wait() for process in running]
    return any(ended)


def measure() -> None:
    areas = reach.measured(secrets.randbelow(10**9), SAMPLE)
    told = {"commit": totals.commit(), "runs": SAMPLE, "areas": [asdict(one) for one in areas]}
    FOLDER.mkdir(parents=True, exist_ok=True)
    REACHED.write_text(json.dumps(told), "utf-8")


def gathered() -> dict[str, t.Any]:
    at, found = totals.commit(), totals.sessions()
    here = [one for one in found if one.commit == at]
    return {
        "commit": at,
        "commits": len({one.commit for one in found}),
        "here": totals.together(here).to_dict(),
        "all": totals.together(found).to_dict(),
        "coverage": json.loads(REACHED.read_text("utf-8")) if REACHED.is_file() else None,
        "mutants": json.loads(MUTANTS.read_text("utf-8")) if MUTANTS.is_file() else None,
        "left_out": left_out(totals.together(found)),
    }


def left_out(every: Totals) -> list[str]:
    """The tasks by the product's modules in the simulated playbooks that were never carried out."""
    sys.path.insert(0, str(ROOT / "playbooks" / "collections"))
    from .scripts import COMMANDS  # noqa: PLC0415
    from .tasks import ANY, flow_of, tasks_of  # noqa: PLC0415

    playbooks = sorted({name for command in COMMANDS.values() for name in command.playbooks})
    there = {
        f"{where}: {name}"
        for where in flow_of(*playbooks)
        if ANY not in where
        for name in tasks_of(where)
    }
    return sorted(there - {key.rpartition("|")[0] for key in every.tasks})


# One screen


def screen(told: t.Mapping[str, t.Any]) -> str:
    here, every = Totals.from_dict(told["here"]), Totals.from_dict(told["all"])
    parts = [
        f"commit {told['commit']} | all {told['commits']} commits tried in this checkout",
        *speed(here, every),
        "",
        "invariants, and how often there was something to compare",
        *columns(pairs(here.checked, every.checked)),
        "faults that befell",
        *columns(pairs(here.faults, every.faults)),
        f"scripts: {', '.join(ENDINGS)}",
        *columns(endings(here.scripts, every.scripts)),
        f"tasks of all commits: {', '.join(ENDINGS)}",
        *columns(shortened(every.tasks), 2),
        f"  {len(told['left_out'])} tasks of the same playbooks were never carried out: {REPORT.relative_to(ROOT)}",
        *coverage_lines(told["coverage"]),
        *mutant_lines(told["mutants"]),
    ]
    return "\n".join(parts)


def speed(here: Totals, every: Totals) -> list[str]:
    def row(name: str, of: t.Callable[[Totals], str]) -> str:
        return f"{name:34}{of(here):>14} | {of(every)}"

    return [
        row("runs", lambda one: f"{one.runs:,}"),
        row("of which are branches", lambda one: f"{one.branches:,}"),
        row("of which broke an invariant", lambda one: f"{one.broken:,}"),
        row("runs a minute of one core", lambda one: f"{one.runs_a_minute:,.0f}"),
        row("services a run", lambda one: f"{one.each_run(one.services):.1f}"),
        row("faults a run", lambda one: f"{one.each_run(one.faults.total()):.1f}"),
        row("requests a run", lambda one: f"{one.each_run(one.requests):,.0f}"),
    ]


def pairs(here: Counter[str], every: Counter[str]) -> list[str]:
    return [f"{name} {here[name]:,} | {every[name]:,}" for name in sorted(every)]


def endings(here: Counter[str], every: Counter[str]) -> list[str]:
    def told(found: Counter[str], name: str) -> str:
        return "/".join(f"{found[f'{name}|{how}']:,}" for how in ENDINGS)

    names = sorted({key.rpartition("|")[0] for key in every})
    return [f"{name} {told(here, name)} | {told(every, name)}" for name in names]


def shortened(tasks: Counter[str]) -> list[str]:
    names = sorted({key.rpartition("|")[0] for key in tasks})
    return [
        f"{name[:50]:50} {'/'.join(f'{tasks[f"{name}|{how}"]:,}' for how in ENDINGS)}"
        for name in names
    ]


def columns(cells: t.Sequence[str], most: int = 4) -> list[str]:
    if not cells:
        return ["  nothing yet"]
    width = max(map(len, cells)) + 2
    across = max(1, min(most, WIDTH // width))
    rows = -(-len(cells) // across)
    return [
        "  " + "".join(f"{one:{width}}" for one in cells[row::rows]).rstrip() for row in range(rows)
    ]


def coverage_lines(told: t.Any) -> list[str]:
    if told is None:
        return ["coverage: not measured (--coverage)"]
    areas = [reach.Area(**one) for one in told["areas"]]
    worst = sorted(
        ((count, f"{area.name}/{where}") for area in areas for where, count in area.unreached),
        key=lambda one: (-one[0], one[1]),
    )
    return [
        f"lines covered by {told['runs']} runs at {told['commit']}, and branches never taken",
        *columns([f"{one.name} {one.percent:.0f} %" for one in areas], 7),
        *columns([f"{where} {count}" for count, where in worst[:10]], 2),
    ]


def mutant_lines(told: t.Any) -> list[str]:
    if not told:
        return ["mutants: not tried (--mutants)"]
    killed = [one["seconds"] for one in told if one["killed"]]
    alive = [one["name"] for one in told if not one["killed"]]
    median = statistics.median(killed) if killed else 0.0
    survived = f"; alive: {', '.join(alive)}" if alive else ""
    return [
        f"mutants at {told[0]['commit']}: {len(killed)} of {len(told)} killed, in {median:.1f} s of CPU at the median"
        f"{survived}"
    ]


# What the documentation tells


def keep() -> None:
    """Sessions that are not kept yet are added to what was: numbers only rise."""
    found = totals.sessions()
    already = int(KEPT.read_text("utf-8")) if KEPT.is_file() else 0
    new = found[already:]
    body = yaml.safe_load(TRIED.read_text("utf-8")) if TRIED.is_file() else {}
    summed = Totals.from_dict(body)
    summed.merge(totals.together(new))
    told = gathered()
    kept = summed.to_dict()
    kept.pop("tasks")  # of use to whoever looks for gaps, and long
    kept["until"] = new[-1].ended[:10] if new else body.get("until", "")
    kept["since"] = body.get("since") or (new[0].ended[:10] if new else "")
    kept["coverage"] = body.get("coverage") if told["coverage"] is None else {
        one["name"]: round(reach.Area(**one).percent) for one in told["coverage"]["areas"]
    }  # fmt: skip
    kept["mutants"] = body.get("mutants") if not told["mutants"] else _mutants(told["mutants"])
    head = "---\n# What was tried, by `python -m tests.simulation.report --keep`. README.md tells of it.\n"
    TRIED.write_text(head + yaml.safe_dump(kept, sort_keys=False), "utf-8")
    KEPT.write_text(str(len(found)), "utf-8")


def _mutants(told: t.Sequence[t.Mapping[str, t.Any]]) -> dict[str, t.Any]:
    killed = [one["seconds"] for one in told if one["killed"]]
    median = round(statistics.median(killed), 1) if killed else None
    return {"tried": len(told), "killed": len(killed), "median_seconds": median}


__all__ = ["SESSIONS", "main"]

if __name__ == "__main__":
    sys.exit(main())
