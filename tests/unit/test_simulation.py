"""The simulated world: what it once found holds, fresh seeds find nothing, and what it looks at is written down."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.inline_tasks import CAN_RUN_INLINE
from tests.simulation.mutants import attempt, mutants
from tests.source_seed import source_seed

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
RUNS = 12
"""A few seconds of CPU; `make nightly` tries for minutes."""
RECORDED = (
    *("whole", "undone", "guard back", "closes"),
    "refused: Test user flows, all at once",
    "refused: Roll out the service, and call its public health endpoint",
)


def simulated(*arguments: str, program: str = "tests.simulation") -> str:
    """In a process of its own, for it puts itself in the place of time, chance and threads."""
    argv, pipe = [sys.executable, "-m", program, *arguments], subprocess.PIPE
    with subprocess.Popen(argv, cwd=ROOT, stdout=pipe, stderr=pipe, text=True) as running:
        try:
            printed, errors = running.communicate(timeout=900)
        except BaseException:
            # It takes down its database, and removes its folders.
            running.send_signal(signal.SIGINT)
            raise
    assert running.returncode == 0, printed[-8000:] + errors[-4000:]
    return printed


def test_what_once_broke_holds():
    told = simulated("--regressions").splitlines()
    lines = (ROOT / "tests/simulation/regressions.jsonl").read_text("utf-8").splitlines()
    assert told == [f"{json.loads(line)['name']}: holds" for line in lines]


def test_fresh_seeds_break_nothing():
    print(simulated("--seed", str(source_seed()), "--runs", str(RUNS)))


@pytest.mark.skipif(not CAN_RUN_INLINE, reason="tasks are forks here")
def test_playbooks_show_and_change_what_is_recorded():
    """At night all of them do, and name nothing that a release has not.

    `python -m tests.simulation.plays --record` writes it anew.
    """
    asked = ("--unplayed", "--outcomes", *RECORDED)
    unplayed = simulated(*asked, program="tests.simulation.plays").split()
    page = (ROOT / "docs" / "guarantees.md").read_text("utf-8").partition("was not simulated:")[2]
    assert [name for name in unplayed if f"`{name}.yml`" not in page] == []


@pytest.mark.parametrize(
    ("seed", "shows"),
    [("12", "deploy-0: done"), pytest.param("19", "again: done", marks=pytest.mark.nightly)],
    ids=["services", "databases"],
)
def test_a_seed_names_one_run_to_the_letter(seed, shows):
    once, again = (simulated("--seed", seed) for _ in range(2))
    assert shows in once
    assert once == again


def test_every_invariant_is_a_sentence_of_the_page():
    files = (ROOT / "tests" / "simulation").glob("**/*.py")
    source = "".join(path.read_text("utf-8") for path in files)
    page = (ROOT / "tests" / "simulation" / "README.md").read_text("utf-8")
    names = re.findall(r"^\| `([a-z_]+)` \| .+ \|$", page, re.MULTILINE)
    assert sorted(names) == sorted({*re.findall(r'check\w*[(,]\s*"([a-z_]+)"', source)})


def test_every_mutant_can_be_made_of_the_product_as_it_is():
    """A guard that was rewritten takes its mutant along."""
    made = mutants()
    assert len({one.name for one in made}) == len(made) >= 100
    for one in made:
        for edit in one.edits:
            compile(one.source(edit.path), one.name, "exec")


@pytest.mark.nightly
@pytest.mark.skipif(not CAN_RUN_INLINE, reason="tasks are forks here")
def test_what_is_simulated_is_what_the_sandbox_does():
    simulated("--sandbox", program="tests.simulation.plays")


@pytest.mark.nightly
@pytest.mark.parametrize(
    "mutant", [one for one in mutants() if one.seed is not None], ids=lambda one: one.name
)
def test_a_guard_that_is_taken_away_is_missed(mutant):
    """A few of them, from a seed on that did; `python -m tests.simulation.mutants` tries all."""
    trial = attempt(mutant.name, mutant.seed, runs=40)
    assert trial.killed
