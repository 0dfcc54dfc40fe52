"""A release that was signed off and whose ramp goes on, for the stories about that; and how a witness sees the ramp."""

import json
import time
import typing as t

from tests.stories.people import HANGS, Run, Witness

PERCENTAGE = "FEATURE_AI_AGENTS_ROLLOUT_PERCENTAGE"
DAY_1 = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def words(run: Run) -> str:
    return " ".join(run.output.split())


def ramp_of(witness: Witness) -> t.Any:
    metadata = witness.reads("configmaps", "feature-flags")["metadata"]
    return json.loads(metadata["annotations"]["easymo.com/ramp"])


def pods(witness: Witness) -> list[t.Any]:
    listed = witness.reads("pods", selector="app=agent-core")
    return [one for one in listed if "deletionTimestamp" not in one["metadata"]]


def runs_with(witness: Witness) -> set[str]:
    """The percentages that the pods of agent-core run with."""
    printed = [
        witness.kubectl("exec", one["metadata"]["name"], "--", "printenv", PERCENTAGE)
        for one in pods(witness)
    ]
    return {one.strip() for one in printed}


def begin_release(witness: Witness, percentage: int = 1) -> None:
    """Agents at so many percent, and a release that was watched, as its phases leave them."""
    flags = {"FEATURE_AI_AGENTS": "true", PERCENTAGE: str(percentage)}
    patch = ("patch", "configmap", "feature-flags", "--type=merge", "-p")
    witness.kubectl(*patch, json.dumps({"data": flags}))
    done = {"status": "done", "started": DAY_1, "finished": DAY_1, "evidence": {}}
    record = {
        "version": "2.0.0",
        "attempt": 1,
        "status": "done",
        "actor": "ann",
        "git_sha": "",
        "started": DAY_1,
        "finished": DAY_1,
        "notes": [],
        "previous_attempts": [],
        "phases": {"feature_flags": done, "monitoring": done},
    }
    keep(witness, "create", record)
    witness.kubectl("set", "image", "deployment/agent-core", "agent-core=easymo/agent-core:v2.0.0")
    witness.kubectl("rollout", "status", "deployment/agent-core", HANGS)


def keep(witness: Witness, verb: str, record: dict[str, t.Any]) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "release-2.0.0"}}
    witness.kubectl(
        verb, "-f", "-", stdin=json.dumps({**body, "data": {"record.json": json.dumps(record)}})
    )
