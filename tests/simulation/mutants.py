"""Takes the product's guards away one at a time, and looks how soon the simulation notices.

A mutant is made where its modules are imported, in a process of its own: no file is changed.
"""

from __future__ import annotations

import argparse
import importlib.machinery
import importlib.util
import re
import secrets
import statistics
import subprocess
import sys
import types
import typing as t
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
PLUGINS = ROOT / "plugins"
PACKAGE = "ansible_collections.easymo.deploy.plugins."


@dataclass(frozen=True)
class Edit:
    path: Path
    original: str
    mutated: str

    @classmethod
    def of(cls, listed: t.Mapping[str, str]) -> Edit:
        return cls(PLUGINS / listed["in"], listed["is"], listed["becomes"])

    @property
    def module(self) -> str:
        return PACKAGE + self.path.relative_to(PLUGINS).with_suffix("").as_posix().replace("/", ".")


@dataclass(frozen=True)
class Mutant:
    """`theme`: in which what it guards against comes about. `seed`: one that is known to kill it.

    More than one edit where each guard stands in for the other.
    """

    name: str
    edits: tuple[Edit, ...]
    theme: str = ""
    seed: int | None = None

    def source(self, path: Path) -> str:
        text = path.read_text("utf-8")
        for one in self.edits:
            if one.path != path:
                continue
            if text.count(one.original) != 1:
                raise SystemExit(f"{self.name}: {one.original!r} stands not once in {path}")
            text = text.replace(one.original, one.mutated)
        return text


class Trial(t.NamedTuple):
    """`seconds`: of CPU until an invariant was broken, or in which none was."""

    killed: bool
    seconds: float
    why: str = ""

    def __str__(self) -> str:
        how = f"killed after {self.seconds:.1f} s by" if self.killed else "survived"
        return f"{how} {self.why}".strip()


def mutants() -> list[Mutant]:
    listed = yaml.safe_load((Path(__file__).parent / "mutants.yml").read_text("utf-8"))
    return [
        Mutant(
            one["name"],
            tuple(map(Edit.of, [{**one, "in": path}, *one.get("also", ())])),
            one.get("theme", ""),
            one.get("seed"),
        )
        for path, ones in listed.items()
        for one in ones
    ]


class _Loader(importlib.machinery.SourceFileLoader):
    def __init__(self, fullname: str, mutant: Mutant, path: Path) -> None:
        super().__init__(fullname, str(path))
        self._mutant = mutant

    def get_code(self, _fullname: str) -> types.CodeType:
        return compile(self._mutant.source(Path(self.path)), self.path, "exec")


class Finder:
    """Before all others on sys.meta_path."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant
        self._paths = {one.module: one.path for one in mutant.edits}

    def find_spec(
        self, fullname: str, _path: Sequence[str] | None, _target: t.Any = None
    ) -> importlib.machinery.ModuleSpec | None:
        path = self._paths.get(fullname)
        if path is None:
            return None
        loader = _Loader(fullname, self._mutant, path)
        return importlib.util.spec_from_file_location(fullname, path, loader=loader)


def install(name: str) -> Mutant:
    """Have this process import the mutant in the place of its modules."""
    found = next(one for one in mutants() if one.name == name)
    sys.meta_path.insert(0, t.cast("t.Any", Finder(found)))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.mutants", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these")
    parser.add_argument("--seconds", type=float, default=120.0, help="of CPU for each at most")
    parser.add_argument("--seed", type=int, help="the first of each; fresh ones without it")
    parser.add_argument("--jobs", type=int, default=2, help="so many at the same time")
    args = parser.parse_args()
    seed = args.seed if args.seed is not None else secrets.randbelow(10**9)
    print(f"seeds from {seed}")
    tried = []
    names = args.names or [one.name for one in mutants()]
    with ThreadPoolExecutor(args.jobs) as pool:
        trials = pool.map(lambda name: attempt(name, seed, args.seconds), names)
        for name, trial in zip(names, trials, strict=True):
            print(f"{name}: {trial}", flush=True)
            tried.append(trial)
    killed = [one.seconds for one in tried if one.killed]
    median = statistics.median(killed) if killed else 0.0
    print(f"{len(killed)} of {len(tried)} killed, in {median:.1f} s of CPU at the median")
    return len(killed) < len(tried)


def attempt(name: str, seed: int, seconds: float = 0.0, runs: int | None = None) -> Trial:
    """Seeds from `seed` on, until one breaks an invariant; at most `runs`, or those of so many seconds of CPU."""
    bound = ["--runs", str(runs)] if runs is not None else ["--seconds", str(seconds)]
    asked = ["--mutant", name, "--seed", str(seed), *bound]
    ended = subprocess.run(
        [sys.executable, "-m", "tests.simulation", *asked],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    told = re.search(r"^seed \d+ breaks after (\S+) s: (.*)", ended.stdout, re.MULTILINE)
    if told:
        return Trial(killed=True, seconds=float(told[1]), why=told[2][:200])
    if ended.returncode:
        last = (ended.stderr.splitlines() or ["it ended by itself"])[-1]
        return Trial(killed=False, seconds=0.0, why=f"not tried: {last}")
    return Trial(killed=False, seconds=seconds)


if __name__ == "__main__":
    sys.exit(main())
