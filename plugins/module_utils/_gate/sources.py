# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the samples of each metric come from, and the libraries that this needs."""

from __future__ import annotations

import math
import typing as t
from dataclasses import dataclass
from datetime import timedelta

from .. import _postgres
from .._alerts.api import AlertsApi, MonitoringServer
from .._cluster import Cluster
from .._errors import DeployError, InputError, refuse_missing
from .._functions.log import FunctionLog
from .._http import REQUESTS
from .._kubernetes_client import KUBERNETES
from .._postgres import PSYCOPG2, PostgresTarget, SqlError
from .._threads import side_by_side
from .models import Metric, Sample, Volume, failed_sample
from .options import (
    ALERTS,
    FUNCTION_LOG,
    HTTP,
    LOG,
    POSTGRES,
    PROMETHEUS,
    HttpSource,
    alert_names,
    read_pattern,
)
from .prometheus import AlertsSource, CohortSource, LogSource, Prometheus, SampleSource
from .watch import Sources

ERROR = "error"


@dataclass(frozen=True)
class FunctionLogSource:
    """What the functions of these names logged as errors in the last `window` seconds."""

    log: FunctionLog
    functions: tuple[str, ...]
    window: int

    def sample(self, query: str) -> Sample:
        """InputError for a wrong pattern; a function or a log that is not there is a missing sample."""
        pattern = read_pattern(query)
        try:
            ids = self.log.ids()
            absent = [name for name in self.functions if name not in ids]
            if absent:
                return failed_sample(f"the project has no function {', '.join(absent)}")
            logs = side_by_side(self._errors, [ids[name] for name in self.functions])
        except DeployError as exc:
            return failed_sample(str(exc).rstrip("."))
        return Sample(float(sum(1 for log in logs for text in log if pattern.search(text))))

    def _errors(self, function_id: str) -> list[str]:
        since = timedelta(seconds=self.window)
        function = self.log.of_function(function_id, since=since, level=ERROR)
        return [entry.message for entry in function]


@dataclass(frozen=True)
class SqlSource:
    target: PostgresTarget
    timeout: float

    def sample(self, query: str) -> Sample:
        """InputError when the query itself is wrong (class 42); everything else is a missing sample."""
        try:
            with _postgres.connected(
                self.target, application_name="easymo.deploy metrics_gate"
            ) as session:
                session.execute("SET default_transaction_read_only = on")
                session.rows(
                    "SELECT pg_catalog.set_config('statement_timeout', %s, false)",
                    (str(int(self.timeout * 1000)),),
                )
                rows = session.rows(query)
        except SqlError as exc:
            if exc.sqlstate.startswith("42"):
                raise InputError(f"{self.target.where} rejects the query: {exc}.") from exc
            return failed_sample(f"the database refused the query ({exc})")
        except DeployError as exc:
            return failed_sample(str(exc).rstrip("."))
        return read_rows(rows)


def read_rows(rows: list[_postgres.Row]) -> Sample:
    """One row with one number, or why there is none."""
    if len(rows) != 1 or len(rows[0]) != 1:
        return failed_sample(f"{len(rows)} rows where one value is expected")
    value = rows[0][0]
    if value is None:
        return Sample(None, "the value is NULL")
    try:
        number = float(value)
    except (TypeError, ValueError):
        return failed_sample("the value is no number")
    if math.isfinite(number):
        return Sample(number)
    return Sample(None, f"the value is {number}", error=math.isinf(number))


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


def sources_of(
    params: t.Mapping[str, t.Any], cluster: Cluster | None = None
) -> dict[str, SampleSource]:
    """`cluster` is for metrics that read logs. Of one that compares cohorts it is who counts their users."""
    timeout = params["query_timeout"]
    server = MonitoringServer.from_params(params["prometheus"])

    def source(entry: t.Mapping[str, t.Any]) -> SampleSource:
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

    def counted(entry: t.Mapping[str, t.Any]) -> SampleSource:
        volume = entry.get("volume")
        return VolumeSource(source(entry), Volume(**volume)) if volume else source(entry)

    return {entry["name"]: counted(entry) for entry in params["metrics"]}


def with_cohorts(sources: t.Mapping[str, SampleSource], params: t.Mapping[str, t.Any]) -> Sources:
    compared = {
        entry["name"]: CohortSource(sources[entry["name"]], entry["treated"], entry["control"])
        for entry in params["metrics"]
        if entry["treated"]
    }
    return {**sources, **compared}


@dataclass(frozen=True)
class VolumeSource:
    """Of one that tells a ratio, and of how many: too few prove nothing, so that the ratio is missing."""

    source: SampleSource
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
