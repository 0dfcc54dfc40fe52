"""`python -m tests.benchmarks.gate_trial.record`: the traces anew, from a sandbox of its own, in eight minutes."""

import csv
import json
import time

import requests

from sandbox.faults import Fault
from sandbox.names import NAMESPACE
from sandbox.world import World
from tests.benchmarks.gate_trial.recordings import COLUMNS, TRACES, Trace
from tests.benchmarks.gate_trial.releases import EVERY
from tests.benchmarks.kubectl import Kubectl
from tests.benchmarks.stage import SEED_MB, Stage, own_stage
from tests.crowd import Crowd

RATE = 150
WARMING = 20
"""Seconds: pods are scraped, and those before them are forgotten."""
QUERIES = (
    *(
        f'sum(users_{what}_total{{namespace="{NAMESPACE}",cohort="{cohort}"}})'
        for cohort in ("treated", "control")
        for what in ("seen", "failed")
    ),
    f'sum(http_requests_total{{namespace="{NAMESPACE}"}})',
    f'sum(http_requests_total{{namespace="{NAMESPACE}",status=~"5.."}}) or vector(0)',
)


def main() -> None:
    with own_stage() as place:
        place.sandbox("up", "--seed-mb", SEED_MB)
        kubectl = Kubectl(place)
        percentage = f"{100 * TRACES[0].share:g}"
        flags = {"FEATURE_AI_AGENTS": "true", "FEATURE_AI_AGENTS_ROLLOUT_PERCENTAGE": percentage}
        patch = json.dumps({"data": flags})
        kubectl.run("patch", "configmap", "feature-flags", "--type=merge", "-p", patch)
        kubectl.run("set", "image", "deployment/agent-core", "agent-core=easymo/agent-core:v2.0.0")
        kubectl.run("rollout", "status", "deployment/agent-core", "--timeout=60s")
        crowd = Crowd(World(place.state), RATE)
        for trace in TRACES:
            given = {"percent": f"{trace.percent:g}", "treated": f"{trace.treated:g}"}
            fault = Fault("node", "users-fail", "agent-core", given)
            with place.fault(fault), crowd.writing():
                time.sleep(WARMING)
                record(place, trace)


def record(place: Stage, trace: Trace) -> None:
    began = time.monotonic()
    with trace.file.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(COLUMNS)
        for look in range(trace.seconds // EVERY + 1):
            time.sleep(max(0.0, began + look * EVERY - time.monotonic()))
            rows.writerow([look * EVERY, *(asked(place, query) for query in QUERIES)])


def asked(place: Stage, query: str) -> int:
    url = f"{World(place.state).facts('prometheus')['url']}/api/v1/query"
    answer = requests.get(url, params={"query": query}, timeout=10)
    (series,) = answer.json()["data"]["result"]
    return round(float(series["value"][1]))


if __name__ == "__main__":
    main()
