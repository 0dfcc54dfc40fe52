# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Where the samples of each metric come from, and the libraries that this needs."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._alerts.api import AlertsApi
from .._cluster import Cluster
from .._functions.log import FunctionLog
from .._http import REQUESTS
from .._kubernetes_client import KUBERNETES
from .._library import refuse_missing
from .._monitoring_server import MonitoringServer
from .._postgres import PSYCOPG2, PostgresTarget
from .alerts import AlertsSource
from .cohort_source import CohortSource
from .function_logs import FunctionLogSource
from .http_json import HttpSource
from .logs import LogSource
from .models import Metric, Sample, Volume
from .options import ALERTS, FUNCTION_LOG, HTTP, LOG, POSTGRES, PROMETHEUS, alert_names
from .prometheus import Prometheus
from .sql import SqlSource
from .watch import Source, Sources

LIBRARIES = {
    PROMETHEUS: REQUESTS,
    ALERTS: REQUESTS,
    HTTP: REQUESTS,
    POSTGRES: PSYCOPG2,
    LOG: KUBERNETES,
    FUNCTION_LOG: REQUESTS,
}


def refuse_missing_libraries(metrics: t.Iterable[Metric]) -> None:
    """Only what a metric of this task needs must be installed."""
    refuse_missing(LIBRARIES[kind] for kind in sorted({metric.kind for metric in metrics}))


def sources_of(params: t.Mapping[str, t.Any], cluster: Cluster | None = None) -> dict[str, Source]:
    """`cluster` is for metrics that read logs. Of one that compares cohorts it is who counts their users."""
    timeout = params["query_timeout"]
    server = MonitoringServer.from_params(params["prometheus"])

    def source(entry: t.Mapping[str, t.Any]) -> Source:
        if entry["kind"] == POSTGRES:
            return SqlSource(PostgresTarget.from_params(entry["connection"]), timeout)
        if entry["kind"] == ALERTS:
            api = AlertsApi(server, timeout=timeout)
            return AlertsSource(api, alert_names(entry["query"]), entry["window"])
        if entry["kind"] == HTTP:
            return HttpSource(entry["url"], timeout, entry["token"] or "", entry["ca_cert"])
        if entry["kind"] == FUNCTION_LOG:
            log = FunctionLog.from_params(entry["supabase"], timeout=timeout)
            return FunctionLogSource(log, tuple(entry["functions"]), entry["window"])
        if entry["kind"] == LOG and cluster is not None:
            return LogSource(cluster, entry["deployment"], entry["window"], timeout)
        return Prometheus(server, timeout)

    def counted(entry: t.Mapping[str, t.Any]) -> Source:
        volume = entry.get("volume")
        return VolumeSource(source(entry), Volume(**volume)) if volume else source(entry)

    return {entry["name"]: counted(entry) for entry in params["metrics"]}


def with_cohorts(sources: t.Mapping[str, Source], params: t.Mapping[str, t.Any]) -> Sources:
    compared = {
        entry["name"]: CohortSource(sources[entry["name"]], entry["treated"], entry["control"])
        for entry in params["metrics"]
        if entry["treated"]
    }
    return {**sources, **compared}


@dataclass(frozen=True)
class VolumeSource:
    """Of one that tells a ratio, and of how many: too few prove nothing, so that the ratio is missing."""

    source: Source
    volume: Volume

    def sample(self, query: str) -> Sample:
        volume = self.volume
        count = self.source.sample(volume.query)
        if count.value is None:
            return Sample(
                None,
                f"the number of {volume.unit} is not known: {count.problem}",
                error=count.error,
            )
        if count.value < volume.at_least:
            return Sample(None, f"{count.value:.0f} {volume.unit} of {volume.at_least:g} needed")
        return self.source.sample(query)
