# SPDX-License-Identifier: GPL-3.0-or-later
"""What alert_rules and the kind of check of that name do with the options of the doc fragment _alerts."""

from __future__ import annotations

import typing as t

from .._monitoring_server import MonitoringServer
from .api import AlertsApi
from .apply import Routing
from .plan import WantedRule

Params = t.Mapping[str, t.Any]


def alerts_api(params: Params, timeout: float) -> AlertsApi:
    """`timeout` in seconds, of one request."""
    return AlertsApi(
        MonitoringServer.from_params(params["prometheus"]),
        MonitoringServer.from_params(params["alertmanager"]),
        timeout=timeout,
    )


def alerts_result(
    api: AlertsApi, params: Params, wanted: t.Sequence[WantedRule]
) -> dict[str, t.Any]:
    """What is told of Alertmanager, when there is one to ask: its receivers, and which alert does not reach its own."""
    if not params["alertmanager"]:
        return {}
    routing = Routing.read(api)
    return {
        "receivers": routing.receivers,
        "misrouted": {rule.name: why for rule in wanted if (why := routing.problem(rule))},
    }
