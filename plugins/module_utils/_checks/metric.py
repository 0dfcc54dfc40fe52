# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask Prometheus for a number, and judge it as a gate does at one look."""

from __future__ import annotations

from .._gate.models import Metric, Sample, SampleStatus
from .._gate.options import ONE_LOOK, PROMETHEUS, metric_options, read_metric
from .._gate.sources import sources_of
from .._http import REQUESTS
from .._options import monitoring_options
from .._report.times import quantity
from .models import CheckError, Kind, NotKnownError, Options


def probe(options: Options, timeout: float) -> str:
    entry = {"name": "metric", "kind": PROMETHEUS, **options}
    params = {**options, "metrics": [entry], "query_timeout": timeout}
    return judge(
        read_metric(entry, ONE_LOOK), sources_of(params)["metric"].sample(options["query"])
    )


def judge(metric: Metric, sample: Sample) -> str:
    if sample.value is None:
        raise NotKnownError(f"There is no value of {metric.query!r} ({sample.problem}).")
    shown = quantity(sample.value, metric.unit)
    if metric.judge(sample) is not SampleStatus.GOOD:
        raise CheckError(
            f"{metric.query!r} gives {shown} and should give {metric.bounds.describe_good()}."
        )
    return shown


KIND = Kind(
    probe,
    {
        "prometheus": {"type": "dict", "required": True, "options": monitoring_options()},
        **{name: metric_options()[name] for name in ("query", "unit", "pass", "volume")},
    },
    (REQUESTS,),
)
