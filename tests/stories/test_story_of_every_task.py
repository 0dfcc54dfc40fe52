"""Each task of a phase of several hosts is made to fail: the first, a middle and the last host that it runs on.

The list is what a run of the playbook ran, so no task is left out. What must be said is the same of all: a phase that
failed is not done, for the record, on the screen and in what to run next.
"""

import json
import os
import random
import re
import typing as t
from pathlib import Path

import pytest

from tests.inline_tasks import CAN_RUN_INLINE, FAILED, FAILS_AT, NOTES
from tests.source_seed import source_seed
from tests.stories.people import Operator, Run

BY_DAY = 4
"""Tasks of each playbook. At night it is all of them."""
PLAYBOOKS = {"database": "database", "microservices": "microservices"}
"""The phases of several hosts, by playbook."""

Place = tuple[str, str]


def chosen(notes: Path, few: int) -> list[Place]:
    """By task the first, a middle and the last of its hosts."""
    hosts: dict[str, list[str]] = {}
    for line in notes.read_text("utf-8").splitlines():
        task, host = json.loads(line)
        if host not in hosts.setdefault(task, []):
            hosts[task].append(host)
    places = [
        (task, host)
        for task, of in hosts.items()
        for host in dict.fromkeys((of[0], of[len(of) // 2], of[-1]))
    ]
    drawn = random.Random(source_seed()).sample(places, min(few, len(places)))
    return [place for place in places if place in drawn]


def wrong_about(run: Run, phase: str, record: t.Any) -> list[str]:
    """What is untrue of a run in which a task failed that nothing caught."""
    text = " ".join(run.output.split())
    status = record["phases"][phase]["status"]
    done = re.search(rf"✓ {phase}\.yml done", text) is not None
    onward = text.rpartition(" next ")[2].partition(" back ")[0]
    wrong = []
    if run.rc == 0 and (status != "done" or "✗" in text):
        wrong.append(f"rc is 0, and the phase is {status}")
    if run.rc != 0 and done:
        wrong.append("the screen says done")
    if run.rc != 0 and FAILED not in text:
        wrong.append("no cause on the screen")
    if run.rc != 0 and status != "done" and phase not in onward:
        wrong.append(f"next leaves it out: {onward[:200]}")
    return wrong


@pytest.mark.skipif(not CAN_RUN_INLINE, reason="tasks are forks here")
@pytest.mark.parametrize(
    "few",
    [pytest.param(BY_DAY, id="some"), pytest.param(10**4, id="all", marks=pytest.mark.nightly)],
)
@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_a_task_that_fails_leaves_no_phase_that_counts_as_done(
    world, witness, tmp_path, playbook, few
):
    waived = {"release_phases_waived": {
        name: {"by": "Jane Doe", "reason": "only this phase"} for name in ("preflight", "database", "edge_functions")
        if name != playbook}}  # fmt: skip
    given = ("-e", json.dumps(waived), "-e", "rolling_update_soak=0")
    notes = tmp_path / "tasks"

    def plays(**environment: str) -> Run:
        settings = {**os.environ, **environment}
        return Operator(world, environment=settings).at_the_console().plays(playbook, *given)

    whole = plays(**{NOTES: str(notes)})
    assert whole.rc == 0, whole.tail()
    places = chosen(notes, few)
    assert len(places) >= BY_DAY
    wrong = {}
    for place in places:
        run = plays(**{FAILS_AT: json.dumps(place)})
        if told := wrong_about(run, PLAYBOOKS[playbook], witness.record("2.0.0")):
            wrong[place] = (told, run.output[-1500:])
    assert plays().rc == 0
    assert not wrong, "\n".join(
        f"{place}: {told}\n{output}" for place, (told, output) in wrong.items()
    )
