"""The whole checklist at once, against its slowest check and against its checks one after the other."""

import json
import typing as t

from sandbox.names import RELEASE_VERSION
from tests.benchmarks.kubectl import Kubectl
from tests.benchmarks.measurement import Measurement, Size
from tests.benchmarks.stage import Stage, busy_sandbox

PHASE = "Phase 1: preflight"
CHECK = "easymo.deploy.preflight_check"
GOOD = 10


def preflight(size: Size = Size.FULL) -> t.Iterator[Measurement]:
    with busy_sandbox() as place:
        if size is Size.FULL:
            # The first run pins and announces, as a release does once.
            place.play("deploy_v2.yml", "--tags", "preflight")
        run = place.play("deploy_v2.yml", "--tags", "preflight")
        rows = seconds_by_row(place)
    (checked,) = run.finished(CHECK)
    wall, slowest = float(checked["duration"]), max(rows, key=lambda name: rows[name])
    yield Measurement("the whole checklist", wall, "s", target=GOOD, note=f"{len(rows)} rows")
    yield Measurement("the slowest check", rows[slowest], "s", note=slowest)
    yield Measurement("checklist to slowest check", wall / max(rows[slowest], 0.001), "ratio")
    yield Measurement(
        "the whole phase", run.phases()[PHASE], "s", note="with lock, record, message"
    )


def seconds_by_row(place: Stage) -> dict[str, float]:
    """From the evidence in the release record."""
    found = Kubectl(place).run("get", "configmap", f"release-{RELEASE_VERSION}", "--output=json")
    record = json.loads(json.loads(found)["data"]["record.json"])
    evidence = record["phases"]["preflight"]["evidence"]["preflight"]
    return {row["name"]: float(row["seconds"]) for row in evidence}
