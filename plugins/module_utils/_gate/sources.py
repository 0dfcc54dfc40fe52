# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Where the samples of each metric come from, and the libraries that this needs."""

from __future__ import annotations

import typing as t

from ansible_collections.easymo.deploy.plugins.module_utils._gate import prometheus
from ansible_collections.easymo.deploy.plugins.module_utils._gate.models import Metric
from ansible_collections.easymo.deploy.plugins.module_utils._gate.prometheus import Prometheus
from ansible_collections.easymo.deploy.plugins.module_utils._gate.sql import SqlSource
from ansible_collections.easymo.deploy.plugins.module_utils._gate.watch import Source
from ansible_collections.easymo.deploy.plugins.module_utils._library import refuse_missing
from ansible_collections.easymo.deploy.plugins.module_utils._postgres import (
    PSYCOPG2,
    PostgresTarget,
)

LIBRARIES = {"prometheus": prometheus.REQUESTS, "postgres": PSYCOPG2}


def refuse_missing_libraries(metrics: t.Iterable[Metric]) -> None:
    """Only what a metric of this task needs must be installed."""
    refuse_missing(LIBRARIES[kind] for kind in sorted({metric.kind for metric in metrics}))


def sources_of(params: t.Mapping[str, t.Any]) -> dict[str, Source]:
    timeout = params["query_timeout"]
    server = Prometheus(
        url=params["prometheus_url"] or "",
        timeout=timeout,
        ca_cert=params["ca_cert"],
        token=params["prometheus_token"],
    )
    return {
        entry["name"]: SqlSource(PostgresTarget.from_params(entry["connection"]), timeout)
        if entry["kind"] == "postgres"
        else server
        for entry in params["metrics"]
    }
