# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes the product's guards away one at a time, and looks how soon the simulation notices.

A mutant is made where its module is imported, in a process of its own: no file is changed.
"""

from __future__ import annotations

import argparse
import importlib.machinery
import importlib.util
import os
import statistics
import subprocess
import sys
import types
import typing as t
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
PLUGINS = ROOT / "plugins"
PACKAGE = "ansible_collections.easymo.deploy.plugins."


@dataclass(frozen=True)
class Mutant:
    name: str
    path: Path
    original: str
    mutated: str
    theme: str = ""
    """Of the runs that are about it; any without one."""

    def source(self) -> str:
        text = self.path.read_text("utf-8")
        if text.count(self.original) != 1:
            raise SystemExit(f"{self.name}: {self.original!r} stands not once in {self.path}")
        return text.replace(self.original, self.mutated)


def mutants() -> list[Mutant]:
    listed = yaml.safe_load((Path(__file__).parent / "mutants.yml").read_text("utf-8"))
    return [
        Mutant(one["name"], PLUGINS / one["in"], one["is"], one["becomes"], one.get("theme", ""))
        for one in listed
    ]


class _Loader(importlib.machinery.SourceFileLoader):
    def __init__(self, fullname: str, mutant: Mutant) -> None:
        super().__init__(fullname, str(mutant.path))
        self._mutant = mutant

    def get_code(self, _fullname: str) -> types.CodeType:
        return compile(self._mutant.source(), self.path, "exec")


class Finder:
    """Before all others on sys.meta_path."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant
        module = mutant.path.relative_to(PLUGINS).with_suffix("").as_posix().replace("/", ".")
        self._fullname = PACKAGE + module

    def find_spec(
        self, fullname: str, _path: Sequence[str] | None, _target: t.Any = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._fullname:
            return None
        loader = _Loader(fullname, self._mutant)
        return importlib.util.spec_from_file_location(fullname, self._mutant.path, loader=loader)


def install(name: str) -> Mutant:
    """Have this process import the mutant in the place of its module."""
    found = next(one for one in mutants() if one.name == name)
    sys.meta_path.insert(0, t.cast("t.Any", Finder(found)))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.mutants", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these")
    parser.add_argument("--seconds", type=float, default=30.0, help="of CPU for each")
    parser.add_argument("--seed", type=int, default=1, help="the first of each")
    args = parser.parse_args()
    known = [one.name for one in mutants()]
    took: dict[str, float | None] = {}
    for name in args.names or known:
        took[name], why = _try(name, args.seed, args.seconds)
        told = "survived" if took[name] is None else f"killed after {took[name]:.1f} s by {why}"
        print(f"{name}: {told}", flush=True)
    killed = [one for one in took.values() if one is not None]
    median = statistics.median(killed) if killed else 0.0
    print(f"{len(killed)} of {len(took)} killed, in {median:.1f} s of CPU at the median")
    return len(killed) < len(took)


def _try(name: str, seed: int, seconds: float) -> tuple[float | None, str]:
    asked = ["--mutant", name, "--seed", str(seed), "--seconds", str(seconds)]
    before = os.times()
    ended = subprocess.run(
        [sys.executable, "-m", "tests.simulation", *asked],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    after = os.times()
    cpu = (
        after.children_user + after.children_system - before.children_user - before.children_system
    )
    if ended.returncode == 0:
        return None, ""
    lines = ended.stdout.splitlines() or ended.stderr.splitlines()[-1:]
    return cpu, next((one for one in lines if "breaks" in one), lines[-1])[:160]


if __name__ == "__main__":
    sys.exit(main())
