"""Steps left out of the playbooks, by rule: does a scenario notice?

A task is dropped, a condition is turned round, or a rescue is taken away. The files stay as they are: what Ansible
reads of one is changed.
"""

from __future__ import annotations

import argparse
import copy
import functools
import gc
import itertools
import re
import statistics
import sys
import time
import typing as t
from contextlib import closing
from multiprocessing import get_context
from pathlib import Path

from ansible.parsing.dataloader import DataLoader
from ansible.template import trust_as_template

from ..hashing import run_with_fixed_hashes
from ..run import Running, uncollected
from . import ROOT
from .cases import tasks_of
from .outcomes import Outcome, Watch, differences, outcome_now
from .playing import begin_worker
from .scenarios import AGAIN, NEXT, SCENARIOS, TARGET, Scenario, imported_by

MOST = 20
"""Scenarios that are tried, so that what nobody notices is known in a minute."""
PLAYBOOKS = ROOT / "playbooks"
IMPORTS = [
    f"ansible.builtin.{how}_{what}" for how in ("import", "include") for what in ("role", "tasks")
]
PARTS = ("tasks", "block", "rescue", "always")
DROPPED, TURNED, NO_RESCUE = "dropped", "turned round", "without its rescue"
TEMPLATE = re.compile(r"\{\{.*?\}\}")
EQUIVALENT = {
    "playbooks/decide.yml: 'Show it' dropped": "the console tells the sentence with the task before",
}
"""Mutants that change nothing which the console shows, by their line, and why."""
UNCHANGED: dict[str, Outcome] = {}
"""What each scenario leads to without a mutant, for all processes."""
FILES = [
    path
    for folder in ("playbooks", "playbooks/tasks", "roles/*/tasks")
    for path in sorted(ROOT.glob(f"{folder}/*.yml"))
]


class Mutant(t.NamedTuple):
    """`keys` lead to a task in what is read of the file. `names`: its own, and of a block those of its tasks."""

    file: Path
    keys: tuple[t.Any, ...]
    rule: str
    names: tuple[str, ...]

    def __str__(self) -> str:
        name = self.names[0].rpartition(" : ")[2]
        return f"{self.file.relative_to(ROOT)}: {name!r} {self.rule}"

    def change(self, data: t.Any) -> None:
        *before, last = self.keys
        for key in before:
            data = data[key]
        if self.rule == DROPPED:
            del data[last]
        elif self.rule == TURNED:
            conditions = data[last]["when"]
            all_of = conditions if isinstance(conditions, list) else [conditions]
            turned = f"not ({' and '.join(f'({condition})' for condition in all_of)})"
            data[last]["when"] = trust_as_template(turned)
        else:
            del data[last]["rescue"]


def mutants_of(file: Path) -> t.Iterator[Mutant]:
    yield from _of(file, (), DataLoader().load_from_file(str(file)) or [])


def _of(file: Path, keys: tuple[t.Any, ...], tasks: t.Sequence[t.Any]) -> t.Iterator[Mutant]:
    for number, task in enumerate(tasks):
        here = (*keys, number)
        rules = [NO_RESCUE] if "rescue" in task else []
        rules += [TURNED] if "when" in task else []
        if "hosts" not in task and "ansible.builtin.import_playbook" not in task:
            rules.append(DROPPED)
        for rule in rules:
            # Without a rescue, who runs its tasks notices.
            parts = PARTS if rule != NO_RESCUE else ("rescue",)
            yield Mutant(file, here, rule, tuple(_names(file, task, parts)))
        for part in PARTS:
            yield from _of(file, (*here, part), task.get(part) or ())


def _names(
    file: Path, task: t.Mapping[str, t.Any], parts: t.Sequence[str] = PARTS
) -> t.Iterator[str]:
    role = f"easymo.deploy.{file.parts[-3]} : " if file.parts[-4] == "roles" else ""
    yield f"{role}{task.get('name')}"
    if imported := _imported(file, task):
        for inner in DataLoader().load_from_file(str(imported)):
            yield from _names(imported, inner)
    for inner in itertools.chain.from_iterable(task.get(part) or () for part in parts):
        yield from _names(file, inner)


def _imported(file: Path, task: t.Mapping[str, t.Any]) -> Path | None:
    """The file whose tasks stand in the place of this one, which is then no task of a run; None for a template."""
    used = {word.rpartition("_")[2]: task[word] for word in IMPORTS if word in task}
    path = file.parent / str(used.get("tasks"))
    if role := used.get("role"):
        folder = ROOT / "roles" / role["name"].rpartition(".")[2] / "tasks"
        path = folder / f"{role.get('tasks_from', 'main').removesuffix('.yml')}.yml"
    return path if path.is_file() else None


def install(mutant: Mutant) -> None:
    load = DataLoader.load_from_file

    def changed(self: t.Any, file_name: str, *args: t.Any, **named: t.Any) -> t.Any:
        data = load(self, file_name, *args, **named)
        if Path(self.path_dwim(file_name)).resolve() == mutant.file:
            data = copy.deepcopy(data)
            mutant.change(data)
        return data

    DataLoader.load_from_file = changed


@uncollected()
def noticed_by(scenario: Scenario) -> str:
    """What tells that something is wrong; "" for nothing."""
    gc.collect()
    with closing(Running(scenario.plan_of())) as running:
        watch = Watch(running)
        running.go()
        outcome, codes = running.end(), running.world.codes
        if outcome.violations:
            return outcome.violations[0]
        wrong = differences(UNCHANGED[scenario.name], watch.outcome)
        wrong += scenario.wrong_about(running.history)
        expected = {TARGET: scenario.ends, "once more": scenario.last, AGAIN: 0}
        wrong += [
            f"{by} ended with {code}"
            for by, code in codes.items()
            if expected.get(by, code) != code
        ]
        if not scenario.last and codes.get(NEXT):
            wrong.append(f"next ended with {codes[NEXT]}")
        return wrong[0] if wrong else ""


def notice_of(tried: tuple[Mutant, t.Sequence[str]]) -> tuple[str, float]:
    """Which scenario notices it first and by what, and the CPU of finding that out. For a process of its own."""
    begun, (mutant, scenarios) = time.process_time(), tried
    install(mutant)
    for name in scenarios:
        try:
            notice = noticed_by(SCENARIOS[name])
        except Exception as exc:
            notice = f"{type(exc).__name__}: {exc}"
        if notice:
            return f"{name}: {notice}", time.process_time() - begun
    return "", time.process_time() - begun


def who_runs(tasks: t.Mapping[str, t.Collection[str]], mutant: Mutant) -> list[str]:
    """Scenarios that run a task of it, at most MOST: those that stop in its phase, then those that run most of it.

    A template in a name may have become anything.
    """
    texts, whole, phase = (
        _patterns(mutant.names),
        _patterns(names_in(mutant.file)),
        mutant.file.stem,
    )

    def order(name: str) -> tuple[bool, int, int, int]:
        screen, run = " ".join(UNCHANGED[name]["screen"]), tasks[name]
        stops = re.search(rf"✗ STOPPED in \d/\d {phase}\b", screen) is not None
        return not stops, -_run(texts, run), -_run(whole, run), len(run)

    names = [name for name in SCENARIOS if _run(texts, tasks[name])]
    # What a template includes has no name here, and what ends a play is no task.
    names = names or [name for name in SCENARIOS if _run(whole, tasks[name])]
    if mutant.file.parent == PLAYBOOKS:
        names = [name for name in names if phase in imported_by([SCENARIOS[name].playbook])]
    return sorted(names, key=order)[:MOST]


@functools.cache
def names_in(file: Path) -> tuple[str, ...]:
    return tuple({name for mutant in mutants_of(file) for name in mutant.names})


@functools.cache
def _patterns(names: tuple[str, ...]) -> list[re.Pattern[str]]:
    return [re.compile("(.*)".join(map(re.escape, TEMPLATE.split(name)))) for name in names]


def _run(texts: t.Sequence[re.Pattern[str]], tasks: t.Collection[str]) -> int:
    return sum(any(map(text.fullmatch, tasks)) for text in texts)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulation.plays.mutants", description=__doc__
    )
    parser.add_argument("words", nargs="*", help="those whose line has one of them; all without")
    parser.add_argument("--list", action="store_true", help="print them, and try none")
    parser.add_argument("--jobs", type=int, default=1)
    arguments = parser.parse_args()
    run_with_fixed_hashes("tests.simulation.plays.mutants")
    mutants = [mutant for file in FILES for mutant in mutants_of(file)]
    if arguments.words:
        mutants = [
            mutant for mutant in mutants if any(word in str(mutant) for word in arguments.words)
        ]
    if arguments.list:
        print("\n".join(map(str, mutants)))
        return 0
    tasks = {
        name: {task.name for task in tasks_of(scenario)} for name, scenario in SCENARIOS.items()
    }
    UNCHANGED.update((name, outcome_now(scenario)) for name, scenario in SCENARIOS.items())
    runs = [who_runs(tasks, mutant) for mutant in mutants]
    killed, equivalent, seconds = 0, 0, []
    with get_context("fork").Pool(arguments.jobs, begin_worker, maxtasksperchild=1) as pool:
        tries = pool.imap(notice_of, zip(mutants, runs, strict=True))
        for mutant, scenarios, (notice, took) in zip(mutants, runs, tries, strict=True):
            killed += bool(notice)
            seconds += [took] if notice else []
            verdict = "SURVIVED" if scenarios else "PLAYED BY NO SCENARIO"
            if reason := EQUIVALENT.get(str(mutant)):
                equivalent, verdict = equivalent + (not notice), f"equivalent: {reason}"
            if notice:
                verdict = f"killed after {took:.1f} s by {notice[:120]}"
            print(f"{mutant}: {verdict}", flush=True)
    median = statistics.median(seconds or [0.0])
    print(
        f"{killed} of {len(mutants)} killed, in {median:.1f} s of CPU at the median; "
        f"{equivalent} are equivalent"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
