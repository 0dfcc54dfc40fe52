# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""The options of the doc fragment _alerts, and what both modules about alerts do with them."""

from __future__ import annotations

import typing as t

from .api import AlertsApi

Params = t.Mapping[str, t.Any]


def alerts_options() -> dict[str, t.Any]:
    return {
        "prometheus_url": {"type": "str", "required": True},
        "alertmanager_url": {"type": "str"},
        "monitoring_token": {"type": "str", "no_log": True},
        "monitoring_ca_cert": {"type": "path"},
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


def alerts_result(api: AlertsApi, params: Params) -> dict[str, t.Any]:
    """What is told of Alertmanager, when there is one to ask."""
    return {"receivers": api.receivers()} if params["alertmanager_url"] else {}
