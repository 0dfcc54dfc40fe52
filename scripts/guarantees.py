# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes into tests/simulation/README.md how often each guarantee was tried, by tried.yml beside it, or checks that."""

from __future__ import annotations

import argparse
import re
import sys
import typing as t
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "tests" / "simulation" / "README.md"
TRIED = ROOT / "tests" / "simulation" / "tried.yml"
BEGIN, END = "<!-- tried: begin -->", "<!-- tried: end -->"
ROW = re.compile(r"^\| `(?P<name>[a-z_]+)` \| (?P<sentence>.+?) \|.*$", re.MULTILINE)


def page(text: str, tried: t.Mapping[str, t.Any]) -> str:
    def row(found: re.Match[str]) -> str:
        times = tried["checked"].get(found["name"], 0)
        return f"| `{found['name']}` | {found['sentence']} | {f'{times:,}' if times else 'never'} |"

    before, _begin, rest = ROW.sub(row, text).partition(BEGIN)
    return f"{before}{BEGIN}\n{figures(tried)}\n{END}{rest.partition(END)[2]}"


def figures(tried: t.Mapping[str, t.Any]) -> str:
    runs, minutes = tried["runs"], tried["cpu"] / 60
    faults = sum(tried["faults"].values())
    coverage = ", ".join(f"`{name}` {percent} %" for name, percent in tried["coverage"].items())
    mutants = tried["mutants"]
    noticed = (
        f"{mutants['tried']} guards were taken away, one at a time; of {mutants['killed']} the absence was noticed, "
        f"after {mutants['median_seconds']} s of CPU at the median."
        if mutants
        else "How many guards could be taken away without being noticed is not known."
    )
    since, until = tried["since"], tried["until"]
    days = f"On {until}" if since == until else f"From {since} to {until}"
    services, requests = tried["services"] / runs, tried["requests"] / runs
    each = f"{services:.1f} services, {requests:.0f} requests and {faults / runs:.1f} faults each"
    branches = tried.get("branches", 0)
    shared = (
        f"{branches:,} of them went on from the middle of another with other faults; what they share is counted once."
        if branches
        else ""
    )
    lines = (
        f"{days} {runs:,} runs with fresh seeds were tried, {runs / minutes:,.0f} a minute of one core,",
        f"of {each}. {shared}".rstrip(),
        f"{f'{tried["broken"]:,}' if tried['broken'] else 'None'} of them broke a sentence when they were tried.",
        "",
        f"Faults that befell: {_counted(tried['faults'])}.",
        "",
        f"Runs of operators: {_scripts(tried['scripts'])}.",
        "",
        f"Lines that some runs reached: {coverage}.",
        noticed,
    )
    return "\n".join(lines)


def _counted(counts: t.Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items()))


def _scripts(counts: t.Mapping[str, int]) -> str:
    names = sorted({key.partition("|")[0] for key in counts})
    return "; ".join(
        f"`{name}` "
        + ", ".join(
            f"{counts[f'{name}|{how}']:,} {how}"
            for how in ("done", "failed", "killed")
            if f"{name}|{how}" in counts
        )
        for name in names
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="change nothing, exit 1 on a difference"
    )
    checks = parser.parse_args().check
    text = PAGE.read_text("utf-8")
    wanted = page(text, yaml.safe_load(TRIED.read_text("utf-8")))
    if text == wanted:
        return 0
    if checks:
        print("tests/simulation/README.md differs from tried.yml: run scripts/guarantees.py")
        return 1
    PAGE.write_text(wanted, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
