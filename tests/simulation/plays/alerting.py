"""Prometheus with a file of rules that it reads anew when asked to, and Alertmanager with receivers.

- https://prometheus.io/docs/prometheus/latest/management_api/, "Reload".
- https://prometheus.io/docs/prometheus/latest/querying/api/, "Rules" and "Formatting query expressions". A query stays
  as it is written, as one does that is formatted already.
- https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml: /status and /silences.
"""

from __future__ import annotations

import typing as t
from pathlib import Path

import yaml

from ..monitoring import HOST
from ..web import Answered, Asked, json_answer
from ..world import World

ALERTMANAGER = "alertmanager.monitoring"
RECEIVERS = ("on-call-engineer", "engineering-manager", "#engineering-alerts")
ROUTES = [{"receiver": name, "matchers": [f'notify="{name}"']} for name in RECEIVERS]
CONFIG = {
    "route": {"receiver": RECEIVERS[0], "routes": ROUTES},
    "receivers": [{"name": name, "webhook_configs": [{"url": "<secret>"}]} for name in RECEIVERS],
}
SECONDS = {"s": 1, "m": 60, "h": 3600}


class Alerting:
    def __init__(self, world: World, file: Path) -> None:
        self._file = file
        file.unlink(missing_ok=True)
        self._groups: list[dict[str, t.Any]] = []
        self._others = world.sites[HOST]
        world.sites |= {HOST: self._prometheus, ALERTMANAGER: self._alertmanager}

    def _prometheus(self, asked: Asked) -> Answered:
        if asked.path == "/-/reload":
            self._groups = yaml.safe_load(self._file.read_text("utf-8"))["groups"]
            return Answered(200, b"")
        if asked.path == "/api/v1/format_query":
            return json_answer({"status": "success", "data": asked.query["query"]})
        if asked.path == "/api/v1/rules" and self._groups:
            return json_answer(
                {"status": "success", "data": {"groups": [*map(_loaded, self._groups)]}}
            )
        return self._others(asked)

    def _alertmanager(self, asked: Asked) -> Answered:
        if asked.path == "/api/v2/status":
            return json_answer({"config": {"original": yaml.safe_dump(CONFIG)}})
        return json_answer([])


def _loaded(group: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    rules = [
        {
            "type": "alerting",
            "name": rule["alert"],
            "query": rule["expr"],
            "duration": int(rule["for"][:-1]) * SECONDS[rule["for"][-1]] if "for" in rule else 0,
            "labels": rule.get("labels", {}),
            "annotations": rule.get("annotations", {}),
            "health": "ok",
            "state": "inactive",
            "alerts": [],
        }
        for rule in group["rules"]
    ]
    return {"name": group["name"], "rules": rules}
