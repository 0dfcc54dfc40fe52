"""How long a message waits, from what Kafka's exporters tell: the query of the watch, by Prometheus's own tool."""

import json
import typing as t

import pytest
import yaml

from tests.integration.test_release_alerts import ROOT, promtool

METRICS = ROOT / "inventories/shared/metrics.yml"
LAG, OFFSET = "kafka_consumergroup_lag", "kafka_consumergroup_current_offset"


def of(name: str, partition: int, values: str, group: str = "whatsapp-webhook-worker") -> t.Any:
    labels = f'consumergroup="{group}",topic="whatsapp.messages",partition="{partition}"'
    return {"series": f"{name}{{{labels}}}", "values": values}


@pytest.mark.parametrize(
    ("series", "seconds"),
    [
        # 200 a second in two partitions, of which 10 wait on average.
        ([of(LAG, 0, "6x20"), of(LAG, 1, "4x20"), of(OFFSET, 0, "0+1500x20"), of(OFFSET, 1, "0+1500x20")], 0.05),
        ([of(LAG, 0, "40x20"), of(OFFSET, 0, "0+3000x20")], 0.2),
        ([of(LAG, 0, "494x20"), of(OFFSET, 0, "7000x20")], 3600),
        ([of(LAG, 0, "1x20"), of(OFFSET, 0, "7000x20")], 3600),
        ([of(LAG, 0, "0x20"), of(OFFSET, 0, "7000x20")], 0),
        # Never committed: not known of this partition, and no reason to doubt the others.
        ([of(LAG, 0, "10x20"), of(OFFSET, 0, "0+3000x20"), of(LAG, 1, "-1x20"), of(OFFSET, 1, "-1x20")], 0.05),
        ([of(LAG, 1, "-1x20"), of(OFFSET, 1, "-1x20")], None),
        # An exporter that tells no offsets.
        ([of(LAG, 0, "10x20")], None),
        ([of(LAG, 0, "10x20", "other"), of(OFFSET, 0, "0+3000x20", "other")], None),
    ],
    ids=["in time", "behind", "stalled", "stalled with one", "nothing waits", "one partition not committed",
         "nothing committed", "no offsets", "another group"],
)  # fmt: skip
def test_the_lag_is_how_long_a_message_waits(series, seconds, tmp_path):
    shared = yaml.safe_load(METRICS.read_text("utf-8"))
    (metric,) = (one for one in shared["release_metrics"] if one["name"] == "kafka_lag")
    samples = [] if seconds is None else [{"labels": "{}", "value": seconds}]
    test = {
        "evaluation_interval": "15s",
        "tests": [
            {
                "interval": "15s",
                "input_series": series,
                "promql_expr_test": [
                    {"expr": metric["query"], "eval_time": "5m", "exp_samples": samples}
                ],
            }
        ],
    }
    path = tmp_path / "lag.test.yml"
    path.write_text(json.dumps(test), "utf-8")
    status, said = promtool("test", "rules", str(path))
    assert status == 0, said
    good = seconds is not None and seconds <= shared["release_kafka_lag"]
    assert good is (seconds in (0, 0.05))
