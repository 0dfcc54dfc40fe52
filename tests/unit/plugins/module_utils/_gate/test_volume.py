"""A ratio of too few is missing, and what is missing holds."""

import re
from pathlib import Path

import pytest
import yaml

from ansible_collections.easymo.deploy.plugins.module_utils._errors import InputError
from ansible_collections.easymo.deploy.plugins.module_utils._gate.models import (
    Bounds,
    Metric,
    Sample,
    Verdict,
    Volume,
    failed_sample,
)
from ansible_collections.easymo.deploy.plugins.module_utils._gate.options import refuse_bad_input
from ansible_collections.easymo.deploy.plugins.module_utils._gate.sources import look
from ansible_collections.easymo.deploy.plugins.module_utils._gate.state import Schedule
from ansible_collections.easymo.deploy.plugins.module_utils._gate.store import definition
from ansible_collections.easymo.deploy.plugins.module_utils._gate.watch import run_watch

METRICS = Path(__file__).parents[5] / "inventories/shared/metrics.yml"
VOLUME = Volume("how many", 20, "requests")
METRIC = Metric("success", "prometheus", "ratio", "", Bounds(minimum=0.99), volume=VOLUME)


class Answers:
    def __init__(self, **answers: Sample) -> None:
        self._answers = answers

    def sample(self, query: str) -> Sample:
        return self._answers[query.replace(" ", "_")]


@pytest.mark.parametrize(("count", "expected"), [
    (Sample(20.0), Sample(1.0)),
    (Sample(3.2), Sample(None, "3 requests of 20 needed")),
    (Sample(0.0), Sample(None, "0 requests of 20 needed")),
    (Sample(None, "no series"), Sample(None, "the number of requests is not known: no series")),
    (failed_sample("Prometheus is away"),
     failed_sample("the number of requests is not known: Prometheus is away")),
], ids=["enough", "too few", "none", "not told", "away"])  # fmt: skip
def test_a_ratio_counts_only_with_enough_of_what_it_is_of(count, expected):
    found = look(Answers(how_many=count, ratio=Sample(1.0)), METRIC)
    assert (found, found.error) == (expected, expected.error)


def test_no_traffic_is_no_success():
    source = Answers(how_many=Sample(0.0), ratio=Sample(1.0))
    watch = run_watch([METRIC], {"success": source}, Schedule(0))
    assert watch.decision.verdict is Verdict.HOLD
    assert watch.decision.reasons[0].text == "success has no data (0 requests of 20 needed)"


def test_a_volume_of_nothing_is_bad_input():
    metric = Metric("m", "prometheus", "q", "", Bounds(), volume=Volume("q", 0, "requests"))
    params = {"prometheus": {"url": "x"}, "duration": 0, "initial_delay": 0, "query_timeout": 1}
    with pytest.raises(InputError, match="'at_least' of the volume of metric 'm' is 0"):
        refuse_bad_input(params, [metric])


def test_another_volume_is_another_question():
    other = Metric("success", "prometheus", "ratio", "", Bounds(minimum=0.99))
    assert definition([METRIC]) != definition([other])


def test_every_share_of_requests_that_ships_has_a_volume():
    metrics = yaml.safe_load(METRICS.read_text("utf-8"))["release_metrics"]
    shares = {
        one["name"] for one in metrics if re.search(r"(rate|increase)\(", one.get("query", ""))
    }
    assert shares >= {"error_rate", "response_time_p95", "fallback_rate", "agent_success_rate"}
    without = {one["name"] for one in metrics if one["name"] in shares and "volume" not in one}
    assert without <= {"kafka_lag"}
