# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""The options of the doc fragment _alerts, and what both modules about alerts do with them."""

from __future__ import annotations

import typing as t

from .api import AlertsApi
from .apply import Routing
from .models import WantedRule
from .plan import of_pods, wanted_rules
from .selectors import PODS

Params = t.Mapping[str, t.Any]


def alerts_options() -> dict[str, t.Any]:
    return {
        "prometheus_url": {"type": "str", "required": True},
        "alertmanager_url": {"type": "str"},
        "monitoring_token": {"type": "str", "no_log": True},
        "monitoring_ca_cert": {"type": "path"},
        "pods": {"type": "str", "default": PODS},
        "request_timeout": {"type": "float", "default": 10},
    }


def alerts_api(params: Params) -> AlertsApi:
    return AlertsApi(
        params["prometheus_url"],
        params["alertmanager_url"] or "",
        timeout=params["request_timeout"],
        ca_cert=params["monitoring_ca_cert"],
        token=params["monitoring_token"],
    )


def wanted_of(params: Params) -> list[WantedRule]:
    """The rules of `groups`, with the matchers of the release's pods."""
    return wanted_rules(of_pods(params["groups"], params["pods"])) if params["groups"] else []


def alerts_result(
    api: AlertsApi, params: Params, wanted: t.Sequence[WantedRule]
) -> dict[str, t.Any]:
    """What is told of Alertmanager, when there is one to ask: its receivers, and which alert does not reach its own."""
    if not params["alertmanager_url"]:
        return {}
    routing = Routing.read(api)
    return {
        "receivers": routing.receivers,
        "misrouted": {rule.name: why for rule in wanted if (why := routing.problem(rule))},
    }
