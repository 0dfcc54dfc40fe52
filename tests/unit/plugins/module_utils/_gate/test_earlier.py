"""What the newest watch of a record tells the next one."""

import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._gate.cohorts import (
    CohortComparison,
    Cohorts,
    ComparisonEvidence,
)
from ansible_collections.easymo.deploy.plugins.module_utils._gate.compare import described
from ansible_collections.easymo.deploy.plugins.module_utils._gate.state import (
    evidence_before,
    outlook,
)
from ansible_collections.easymo.deploy.plugins.module_utils._release.record import Record

STEPS = [
    {"percentage": 1},
    {"percentage": 5, "must_detect": 2.0},
    {"percentage": 10, "must_detect": 1.5},
    {"percentage": 100},
]
HOUR = 3600.0


def sample(started: str, *counts: float, seconds: float = HOUR) -> dict[str, t.Any]:
    evidence, _problem = ComparisonEvidence(last=Cohorts()).looked(
        Cohorts.of(counts), CohortComparison()
    )
    compared = described(CohortComparison(), evidence, seconds)
    return {"name": "users", "started": started, "comparison": compared}


def record(phase: dict[str, t.Any] | None, *steps: dict[str, t.Any]) -> Record:
    plain = {"name": "error_rate", "started": "2026-11-29T00:00:00Z"}
    watches = {f"step {n}": {"samples": [one]} for n, one in enumerate(steps)}
    metrics = [plain, *([phase] if phase else [])]
    phases = {"monitoring": {"evidence": {"metrics": metrics}}}
    return Record.read({"phases": phases, "facts": {"ramp_watches": watches}})


FIRST = sample("2026-11-24T09:00:00Z", 3600, 50, 356_400, 3564)
SECOND = sample("2026-11-25T09:00:00Z", 18_000, 210, 342_000, 3420)


def test_the_evidence_is_that_of_the_watch_that_began_last():
    assert evidence_before(record(FIRST))["users"] == FIRST["comparison"]["evidence"]
    assert evidence_before(record(FIRST, SECOND))["users"] == SECOND["comparison"]["evidence"]
    assert evidence_before(record(SECOND, FIRST))["users"] == SECOND["comparison"]["evidence"]


@pytest.mark.parametrize("body", [Record(), record(None)])
def test_without_a_comparison_there_is_none(body):
    assert evidence_before(body) == {}


def test_each_step_that_must_see_a_harm_says_how_long_it_will_need():
    five, ten = outlook(record(FIRST), STEPS, at=1, watch=7200.0, hold_for=0.0)
    assert five.startswith(
        "5 % must be able to see 2 times as many failing users: about 9 min 42 s"
    )
    assert five.endswith("; it is watched for 2 h.")
    assert ten.startswith("10 % must be able to see 1.5 times")


def test_a_watch_that_is_too_short_is_told_before_it_begins():
    quiet = record(sample("2026-11-24T09:00:00Z", 36, 0, 3564, 36))
    holds, never = outlook(quiet, STEPS, at=1, watch=7200.0, hold_for=80_000.0)
    assert holds.endswith(" more while it holds.")
    assert "watch it longer, or demand less" in never


def test_how_long_is_not_known_before_anybody_of_the_control_failed():
    silent = record(sample("2026-11-24T09:00:00Z", 36, 0, 3564, 0))
    assert "no user of the control failed" in outlook(silent, STEPS, at=1, watch=1, hold_for=0)[0]
    assert "no watch has compared cohorts" in outlook(Record(), STEPS, at=1, watch=1, hold_for=0)[0]


def test_nothing_is_said_of_steps_that_demand_nothing_or_are_passed():
    assert outlook(record(FIRST), STEPS, at=25, watch=7200.0, hold_for=0.0) == []
