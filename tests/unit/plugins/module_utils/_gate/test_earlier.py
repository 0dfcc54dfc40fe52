"""What the newest watch of a record tells the next one."""

import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._decode import encoded
from ansible_collections.easymo.deploy.plugins.module_utils._gate.cohorts import (
    COUNTS,
    CohortComparison,
    ComparisonEvidence,
)
from ansible_collections.easymo.deploy.plugins.module_utils._gate.compare import compared
from ansible_collections.easymo.deploy.plugins.module_utils._gate.state import evidence_before
from ansible_collections.easymo.deploy.plugins.module_utils._release.record import (
    Record,
    RecordedMetric,
)

HOUR = 3600.0


def sample(started: str, *counts: float, seconds: float = HOUR) -> dict[str, t.Any]:
    how, names = CohortComparison(), [f"{cohort} {what}" for cohort, what in COUNTS]
    evidence, _problem = ComparisonEvidence().looked(dict.fromkeys(names, 0.0), how, 0.0)
    evidence, _problem = evidence.looked(dict(zip(names, counts, strict=True)), how, seconds)
    comparison = compared(CohortComparison(), evidence, seconds)
    return encoded(RecordedMetric("users", started=started, comparison=comparison))


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
