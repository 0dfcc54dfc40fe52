# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""The options of the doc fragment _alerts, and what both modules about alerts do with them."""

from __future__ import annotations

import typing as t

from .._monitoring_server import MonitoringServer
from .api import AlertsApi
from .apply import Routing
from .models import WantedRule
from .plan import of_pods, wanted_rules

Params = t.Mapping[str, t.Any]


def alerts_api(params: Params, timeout: float) -> AlertsApi:
    """`timeout` in seconds, of one request."""
    return AlertsApi(
        MonitoringServer.from_params(params["prometheus"]),
        MonitoringServer.from_params(params["alertmanager"]),
        timeout=timeout,
    )


def wanted_of(params: Params) -> list[WantedRule]:
    """The rules of `groups`, with the matchers of the release's pods."""
    return wanted_rules(of_pods(params["groups"], params["pods"])) if params["groups"] else []


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
