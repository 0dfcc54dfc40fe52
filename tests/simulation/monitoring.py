"""Prometheus, as far as guard and watch ask it: the alerting rules that are loaded and fire, and one metric.

Its answers have the form that Prometheus documents at https://prometheus.io/docs/prometheus/latest/querying/api/, under
"Rules", "Instant queries" and "Range vectors".
"""

from __future__ import annotations

import datetime
import typing as t
from urllib.parse import urlsplit

from .web import Answered, Asked, json_answer

if t.TYPE_CHECKING:
    from .plan import Alert
    from .world import World

URL = "http://prometheus.monitoring:9090"
HOST = urlsplit(URL).hostname or ""

GATES = ("hold", "rollback")
"""What an alert calls for at a watch or sign-off; all else is the guard's."""


class Monitoring:
    def __init__(self, world: World) -> None:
        self._world = world
        world.sites[HOST] = self.answer

    def answer(self, asked: Asked) -> Answered:
        alerts = asked.query.get("query", "").startswith("ALERTS")
        metric = self._alerts if alerts else self._metric
        told = {"/api/v1/rules": self._rules, "/api/v1/query": metric}.get(asked.path)
        if told is None:
            return Answered(404, b"404 page not found")
        begin, end = self._world.plan.blind
        if begin <= self._world.passed < end:
            return Answered(503, b"Service Unavailable")
        body = {"status": "success", "data": told()}
        return json_answer(body)

    def _metric(self) -> dict[str, t.Any]:
        value, now = self._world.plan.metric_at(self._world.passed), self._world.now()
        series = [] if value is None else [{"metric": {}, "value": [now, str(value)]}]
        return {"resultType": "vector", "result": series}

    def _alerts(self) -> dict[str, t.Any]:
        """As a range vector of the last evaluation: of each rule that fires, the sample at which it does."""
        now = self._world.now()
        fires = [
            one
            for one in self._world.plan.alerts
            if one.fires_since(self._world.passed) is not None
        ]
        result = [{"metric": {"alertname": one.name}, "values": [[now, "1"]]} for one in fires]
        return {"resultType": "matrix", "result": result}

    def _rules(self) -> dict[str, t.Any]:
        rules = [self._rule(one) for one in self._world.plan.alerts]
        return {
            "groups": [{"name": "release", "file": "release.yml", "interval": 15, "rules": rules}]
        }

    def _rule(self, alert: Alert) -> dict[str, t.Any]:
        since = alert.fires_since(self._world.passed)
        labels = {"severity": "critical"}
        annotations = {"gate" if alert.calls_for in GATES else "guard": alert.calls_for}
        firing = {
            "labels": {"alertname": alert.name, **labels},
            "annotations": annotations,
            "state": "firing",
            "activeAt": _time(self._world.now() - self._world.passed + (since or 0.0)),
            "value": "1e+00",
        }
        return {
            "name": alert.name,
            "query": "vector(1)",
            "duration": 0,
            "labels": labels,
            "annotations": annotations,
            "alerts": [] if since is None else [firing],
            "health": "ok",
            "state": "inactive" if since is None else "firing",
            "type": "alerting",
        }


def _time(seconds: float) -> str:
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return moment.isoformat().replace("+00:00", "Z")
