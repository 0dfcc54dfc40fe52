"""The record tells what was seen of each metric, and the watch is kept beside it."""

import base64
import gzip
import json
import typing as t

RELEASE = "2.0.0-test-role-monitoring"


def test_the_evidence_has_verdict_bounds_and_course(witness: t.Any) -> None:
    phase = witness.record(RELEASE)["phases"]["monitoring"]
    evidence = phase["evidence"]
    assert (phase["status"], evidence["verdict"]) == ("done", "proceed")
    seen = {one["name"]: one for one in evidence["metrics"]}
    assert {name: one["verdict"] for name, one in seen.items()} == {
        "steady": "proceed",
        "lines": "proceed",
    }
    assert seen["steady"]["rollback"] == {"below": None, "above": 2.0}
    assert {(value, status) for _at, value, status in seen["steady"]["points"]} == {(1.0, "good")}
    assert len(seen["steady"]["points"]) == seen["steady"]["count"] > 0


def test_the_watch_is_kept_with_its_end(witness: t.Any) -> None:
    data = witness.read(f"configmap release-{RELEASE}-watch")["data"]
    watch = json.loads(gzip.decompress(base64.b64decode(data["content"])))["monitoring"]
    assert watch["state"]["ended"] == "proceed"
