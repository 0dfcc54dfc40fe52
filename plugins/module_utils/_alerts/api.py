# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place that asks Prometheus for its rules and Alertmanager for its routes."""

from __future__ import annotations

import math
import re
import typing as t

from ansible.module_utils.common.yaml import yaml_load

from .._errors import InputError, RefusedError, VerificationError
from .._http import Answer, ask, good, said_in, without_query
from .._monitoring_server import MonitoringServer
from .._time import epoch
from .plan import ActiveAlert, Labels, LoadedRule

_BLIND = 120
"""Seconds without a sample that are an outage: targets may be scraped once a minute."""
_STEP = 60
_NONE = MonitoringServer()


class AlertsApi:
    """Prometheus and its Alertmanager. `timeout` in seconds, of one request."""

    def __init__(
        self,
        prometheus: MonitoringServer,
        alertmanager: MonitoringServer = _NONE,
        *,
        timeout: float,
    ) -> None:
        self._servers = {"Prometheus": prometheus, "Alertmanager": alertmanager}
        self._timeout = timeout

    def rules(self) -> list[LoadedRule]:
        """The alerting rules that Prometheus evaluates now."""
        asked = "Prometheus", "/api/v1/rules"
        answer = self._ask("GET", *asked, {"type": "alert"})
        try:
            groups = answer.json()["data"]["groups"]
            return [_rule(group["name"], rule) for group in groups for rule in group["rules"]]
        except (ValueError, LookupError, TypeError, AttributeError) as exc:
            raise self._foreign(*asked) from exc

    def formatted(self, query: str) -> str:
        """The query as Prometheus itself writes it, so that two that mean the same read the same."""
        asked = "Prometheus", "/api/v1/format_query"
        answer = self._ask("GET", *asked, {"query": query}, may_refuse=True)
        try:
            document = answer.json()
            if document.get("errorType") == "bad_data":
                raise InputError(
                    f"Prometheus does not understand the query {query!r}: {document.get('error')}."
                )
            return str(document["data"])
        except (ValueError, LookupError, TypeError, AttributeError) as exc:
            raise self._foreign(*asked) from exc

    def reload(self) -> None:
        """Let Prometheus read its files again. VerificationError when it stays with what it had."""
        asked = "Prometheus", "/-/reload"
        answer, where = self._ask("POST", *asked, may_refuse=True), self._where(*asked)
        if answer.good:
            return
        said = said_in(answer)
        if "failed to reload" in said:
            raise VerificationError(f"{where} rejects its files and keeps the old ones: {said}.")
        raise RefusedError(
            f"{where} does not reload (HTTP {answer.status}: {said}): "
            "start it with --web.enable-lifecycle, or set 'reload' to false and reload it yourself."
        )

    def count(self, selector: str) -> int:
        """How many series the selector finds now."""
        asked = "Prometheus", "/api/v1/query"
        answer = self._ask("GET", *asked, {"query": f"count({selector})"})
        try:
            found = answer.json()["data"]["result"]
            return int(found[0]["value"][1]) if found else 0
        except (ValueError, LookupError, TypeError) as exc:
            raise self._foreign(*asked) from exc

    def firing_times(
        self, names: t.Sequence[str], seconds: float
    ) -> list[tuple[Labels, list[float]]]:
        """Of the last so many seconds: each alert of these names that fired, and every evaluation at which it did."""
        asked = "Prometheus", "/api/v1/query"
        query = f"{firing_series(names)}[{max(1, math.ceil(seconds))}s]"
        answer = self._ask("GET", *asked, {"query": query})
        try:
            found = answer.json()["data"]["result"]
            return [
                (dict(one["metric"]), [float(at) for at, _value in one["values"]]) for one in found
            ]
        except (ValueError, LookupError, TypeError) as exc:
            raise self._foreign(*asked) from exc

    def outages(self, since: float, until: float) -> list[tuple[float, float]]:
        """When Prometheus kept no sample of anything for two minutes or more, in seconds since 1970."""
        asked = "Prometheus", "/api/v1/query_range"
        query = f"count(count_over_time(up[{_BLIND}s]))"
        span = {"start": str(since), "end": str(until), "step": str(_STEP)}
        answer = self._ask("GET", *asked, {"query": query, **span})
        try:
            found = answer.json()["data"]["result"]
            seen = {round(float(at) - since) for one in found for at, _value in one["values"]}
        except (ValueError, LookupError, TypeError) as exc:
            raise self._foreign(*asked) from exc
        gaps: list[tuple[float, float]] = []
        for at in range(0, int(until - since) + 1, _STEP):
            if at in seen:
                continue
            begin, end = max(since, since + at - _BLIND), since + at
            if begin == end:
                continue  # That was before.
            if gaps and gaps[-1][1] >= begin:
                begin = gaps.pop()[0]
            gaps.append((begin, end))
        return gaps

    def external_labels(self) -> Labels:
        """Those that Prometheus adds to every alert that it sends."""
        asked = "Prometheus", "/api/v1/status/config"
        answer = self._ask("GET", *asked)
        try:
            config = yaml_load(answer.json()["data"]["yaml"]) or {}
            labels = (config.get("global") or {}).get("external_labels") or {}
            return {str(name): str(value) for name, value in labels.items()}
        except Exception as exc:  # Of many kinds, YAML's own among them.
            raise self._foreign(*asked) from exc

    def alertmanager(self) -> dict[str, t.Any]:
        """Alertmanager's configuration, its secrets blanked by itself."""
        asked = "Alertmanager", "/api/v2/status"
        answer = self._ask("GET", *asked)
        try:
            config = yaml_load(answer.json()["config"]["original"])
            return {"route": dict(config["route"]), "receivers": list(config["receivers"])}
        except Exception as exc:  # Of many kinds, YAML's own among them.
            raise self._foreign(*asked) from exc

    def silences(self) -> list[dict[str, t.Any]]:
        """All that Alertmanager keeps, also those that are over."""
        asked = "Alertmanager", "/api/v2/silences"
        answer = self._ask("GET", *asked)
        try:
            return [dict(one) for one in answer.json()]
        except (ValueError, TypeError) as exc:
            raise self._foreign(*asked) from exc

    def _ask(
        self,
        method: str,
        who: str,
        path: str,
        query: t.Mapping[str, str] | None = None,
        *,
        may_refuse: bool = False,
    ) -> Answer:
        """The answer, good unless `may_refuse`: then its own reason for a no is the caller's to read."""
        where, server = self._where(who, path), self._servers[who]
        answer = ask(
            where,
            method,
            server.url + path,
            params=dict(query or {}),
            timeout=self._timeout,
            **server.how,
        )
        return answer if may_refuse and said_in(answer) else good(answer, where)

    def _where(self, who: str, path: str) -> str:
        return f"{who} at {without_query(self._servers[who].url + path)}"

    def _foreign(self, who: str, path: str) -> VerificationError:
        return VerificationError(
            f"{self._where(who, path)} did not answer as {who} does: check its URL."
        )


def firing_series(names: t.Sequence[str]) -> str:
    """The series that Prometheus writes of these alerts while they fire, as a selector."""
    # RE2 takes a backslash before punctuation only, and PromQL wants it twice.
    quoted = "|".join(re.sub(r"([\\.+*?()|\[\]{}^$])", r"\\\\\1", name) for name in names)
    quoted = quoted.replace('"', '\\"')
    return f'ALERTS{{alertstate="firing",alertname=~"{quoted}"}}'


def _rule(group: str, rule: t.Mapping[str, t.Any]) -> LoadedRule:
    return LoadedRule(
        name=str(rule["name"]),
        query=str(rule["query"]),
        duration=float(rule.get("duration") or 0),
        labels=dict(rule.get("labels") or {}),
        annotations=dict(rule.get("annotations") or {}),
        group=str(group),
        health=str(rule.get("health") or "unknown"),
        last_error=str(rule.get("lastError") or ""),
        firing=tuple(_firing(rule)),
    )


def _firing(rule: t.Mapping[str, t.Any]) -> t.Iterator[ActiveAlert]:
    """`activeAt` is when the condition became true; the alert fires once it was so for `for`."""
    for alert in rule.get("alerts") or []:
        if alert.get("state") == "firing":
            active = epoch(alert.get("activeAt"))
            since = None if active is None else active + float(rule.get("duration") or 0)
            yield ActiveAlert(dict(alert.get("labels") or {}), since)
