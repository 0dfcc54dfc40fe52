"""What the callbacks slack and journal add to a run: none of them, both, and both while Slack hangs, turn by turn."""

import json
import subprocess
import time
import typing as t
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sandbox.faults import Fault
from tests.benchmarks.measurement import BenchmarkError, Measurement, Size
from tests.benchmarks.stage import (
    REPOSITORY,
    RUN_WITHIN,
    SEED_MB,
    Stage,
    cpu_of_children,
    playing,
    stage,
)

BOTH = "easymo.deploy.slack,easymo.deploy.journal"
HANGS = Fault("sinks", "hangs", "slack", {"seconds": "60"})
WAIVER = {"by": "Bench", "reason": "a Slack that hangs is what is measured"}
WITHOUT_MESSAGES = json.dumps({"release_waivers": {"people_in_slack": WAIVER, "war_room": WAIVER}})
"""Preflight holds while Slack hangs, unless somebody lets it go. Where Slack answers this does nothing."""


@dataclass(frozen=True)
class Took:
    """Seconds by the wall, of CPU, and from the last task's end to the end of the run."""

    wall: float
    cpu: float
    end: float = 0.0


def callbacks(size: Size = Size.FULL) -> t.Iterator[Measurement]:
    """The best of each: whatever else the machine did meanwhile is no part of any."""
    # Most of a deployment, with nothing to do: the tasks are there, and hardly a wait in which a callback could hide.
    phases = ("--tags", "preflight,database,microservices", "--extra-vars", WITHOUT_MESSAGES)
    words = size.of(small=("status.yml",), full=("deploy_v2.yml", *phases))
    with stage() as place:
        place.sandbox("up", "--seed-mb", SEED_MB)
        if size is Size.FULL:
            place.play(*words)  # So that the others have nothing to do.
        without, both, hanging = [], [], []
        for _round in range(size.of(small=1, full=3)):
            without.append(timed(place, words, ""))
            both.append(timed(place, words, BOTH))
            hanging.append(timed(place, words, BOTH, HANGS))
    plain = best(without)
    yield Measurement("without callbacks", plain.wall, "s", note=f"{plain.cpu:.1f} s of CPU")
    for name, runs in (("with both", both), ("while Slack hangs", hanging)):
        took = best(runs)
        note = f"{took.wall:.1f} s, CPU {took.cpu / plain.cpu:.2f}x"
        target = 1.02 if runs is both else None
        yield Measurement(name, took.wall / plain.wall, "ratio", target, note)
    later = best(hanging).end - best(both).end
    yield Measurement(
        "the end, while Slack hangs", later, "s", 1.0, "later than with a Slack that answers"
    )


def best(runs: t.Sequence[Took]) -> Took:
    return Took(*(min(getattr(run, name) for run in runs) for name in ("wall", "cpu", "end")))


def timed(place: Stage, words: tuple[str, ...], enabled: str, fault: Fault | None = None) -> Took:
    journal = place.state / f"{time.monotonic_ns()}.jsonl"
    environment = {
        **place.environment(),
        "ANSIBLE_CONFIG": str(configured(place, enabled)),
        "ANSIBLE_COLLECTIONS_PATH": str(REPOSITORY / "playbooks" / "collections"),
        "EASYMO_DEPLOY_JOURNAL_PATH": str(journal),
    }
    with place.fault(fault) if fault else nullcontext():
        began, used = time.monotonic(), cpu_of_children()
        done = subprocess.run(
            playing(*words),
            cwd=place.state,
            env=environment,
            capture_output=True,
            check=False,
            timeout=RUN_WITHIN,
        )
        ended = time.time()
        wall, cpu = time.monotonic() - began, cpu_of_children() - used
    if done.returncode:
        raise BenchmarkError(f"{words[0]} ended with {done.returncode}: {done.stdout[-700:]!r}")
    return Took(wall, cpu, ended - last_task(journal) if enabled else 0.0)


def configured(place: Stage, enabled: str) -> Path:
    """Ansible's configuration with these callbacks: an empty list in the environment is one it stumbles over."""
    lines = (REPOSITORY / "ansible.cfg").read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if not line.startswith("callbacks_enabled")]
    path = place.state / "bench.cfg"
    path.write_text("\n".join([*kept, *([f"callbacks_enabled = {enabled}"] if enabled else [])]))
    return path


def last_task(journal: Path) -> float:
    """When the last task ended, in seconds since the epoch."""
    entries = [json.loads(line) for line in journal.read_text(encoding="utf-8").splitlines()]
    return max(
        datetime.fromisoformat(entry["at"]).timestamp()
        for entry in entries
        if entry["event"].startswith("task_")
    )
