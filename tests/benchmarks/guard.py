"""One look of the guard that finds nothing, against the start of ansible-playbook alone: 1,440 of them make a day."""

import json
import subprocess
import typing as t
from contextlib import contextmanager

from tests.benchmarks.kubectl import Kubectl
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

PLAYBOOK = "guard.yml"
RELEASE = "9.9.9"
"""Of its own: other benchmarks deploy the inventory's to the same sandbox."""
CALLBACKS = {"ANSIBLE_CALLBACKS_ENABLED": "easymo.deploy.lean, easymo.deploy.arguments"}
"""As manifests/guard/ has it."""
GOAL = 1.5
"""Seconds of CPU that a look may cost."""
AT_5 = {"FEATURE_AI_AGENTS": "true", "FEATURE_AI_AGENTS_ROLLOUT_PERCENTAGE": "5"}
SINCE = "2026-01-01T00:00:00Z"
DONE = {"status": "done", "started": SINCE, "finished": SINCE, "evidence": {}}
RECORD = {
    "version": RELEASE,
    "attempt": 1,
    "status": "done",
    "actor": "bench",
    "git_sha": "",
    "started": SINCE,
    "finished": SINCE,
    "notes": [],
    "previous_attempts": [],
    "phases": {"feature_flags": DONE, "monitoring": DONE},
}


def guard(size: Size = Size.FULL) -> t.Iterator[Measurement]:
    """The best of each: whatever else the machine did meanwhile is no part of either."""
    with stage() as place:
        place.sandbox("up", "--seed-mb", SEED_MB)
        with ramp(Kubectl(place)):
            # The first one tells nobody yet, and compiles.
            looks = [look(place) for _each in range(size.of(small=2, full=6))]
            starts = [look(place, "--syntax-check") for _each in range(size.of(small=1, full=5))]
    least = min(looks[1:])
    yield Measurement(
        "a look without work", least, "s", GOAL, "of CPU", "CPU of a look of the guard"
    )
    yield Measurement("a look to the start of ansible-playbook", least / min(starts), "ratio", 4)


@contextmanager
def ramp(kubectl: Kubectl) -> t.Iterator[None]:
    """A signed-off release at 5 %, and afterwards what was there before."""
    before = json.loads(kubectl.run("get", "configmap", "feature-flags", "-o", "json"))["data"]
    record = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": f"release-{RELEASE}"},
        "data": {"record.json": json.dumps(RECORD)},
    }
    kubectl.set_flags(AT_5)
    kubectl.run("create", "-f", "-", stdin=json.dumps(record))
    try:
        yield
    finally:
        names = (f"release-{RELEASE}", f"release-{RELEASE}-guard")
        kubectl.run("delete", "configmap", "--ignore-not-found", *names)
        kubectl.set_flags({name: before[name] for name in AT_5})


def look(place: Stage, *more: str, playbook: str = PLAYBOOK) -> float:
    """Its seconds of CPU."""
    used = cpu_of_children()
    ended = subprocess.run(
        playing(playbook, "-e", f"release_version={RELEASE}", *more),
        cwd=REPOSITORY,
        env={**place.environment(REPOSITORY), **CALLBACKS},
        capture_output=True,
        text=True,
        timeout=RUN_WITHIN,
        check=False,
    )
    if ended.returncode:
        raise BenchmarkError(f"{playbook} failed: {ended.stdout[-2000:]}")
    return cpu_of_children() - used
