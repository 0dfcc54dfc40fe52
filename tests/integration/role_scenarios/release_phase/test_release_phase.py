"""The record tells of the phase, and what ran is pinned beside it."""

import datetime
import typing as t

RELEASE = "2.0.0-test-role-phase"


def test_the_phase_is_done_with_times_and_evidence(witness: t.Any) -> None:
    phase = witness.record(RELEASE)["phases"]["smoke_tests"]
    assert (phase["status"], phase["evidence"]["checks"]) == ("done", 9)
    started, finished = (
        datetime.datetime.fromisoformat(phase[key]) for key in ("started", "finished")
    )
    assert started <= finished <= datetime.datetime.now(datetime.UTC)


def test_what_runs_is_pinned(witness: t.Any) -> None:
    pins = witness.read(f"configmap release-{RELEASE}-pins")
    assert pins["metadata"]["labels"]["easymo.com/release"] == RELEASE
    assert pins.get("data") or pins.get("binaryData")
