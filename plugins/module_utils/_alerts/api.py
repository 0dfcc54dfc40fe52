# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place that asks Prometheus for its rules and Alertmanager for its routes, and how they let us in.

Alerts that fire or fired: in words, from Prometheus's own series of them, and in the record of a release. Pure.
"""

from __future__ import annotations

import math
import re
import typing as t
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field

from ansible.module_utils.common.yaml import yaml_load

from .._decode import restored, restored_each, under
from .._errors import InputError, RefusedError, VerificationError
from .._http import Answer, ask, basic, bearer, client_certificate, good, said_in, without_query
from .._time import epoch, of_epoch
from .plan import ActiveAlert, AlertmanagerConfig, Alerts, FiredAlert, Labels, LoadedRule, Silence

TENANT = "X-Scope-OrgID"
"""The header of Mimir, Cortex and Thanos Receive, https://grafana.com/docs/mimir/latest/references/http-api/#authentication."""

NO_SERIES = "no series of anything, as with a wrong tenant: correct 'tenant', or the URL's path"
"""Goes on after the server's name."""


@dataclass(frozen=True)
class MonitoringServer:
    """`how` is for `_http.send`: authorization, ca_cert, cert and headers. Without a URL there is none to ask."""

    url: str = ""
    how: t.Mapping[str, t.Any] = field(default_factory=dict, repr=False)

    @classmethod
    def from_params(cls, given: t.Mapping[str, t.Any] | None) -> MonitoringServer:
        """Of the options of the doc fragment _monitoring; an empty value is as good as none."""
        if not given:
            return cls()
        token, user = given.get("token"), given.get("username")
        if token and user:
            raise InputError(
                f"Both 'token' and 'username' are set for {given['url']}: a server takes one, so set one."
            )
        certificate, key = given.get("client_cert"), given.get("client_key")
        if key and not certificate:
            raise InputError(
                f"'client_key' is set for {given['url']} without 'client_cert': set the certificate, too."
            )
        tenant = given.get("tenant")
        return cls(
            str(given["url"]).rstrip("/"),
            {
                "authorization": bearer(token) or basic(user or "", given.get("password") or ""),
                "ca_cert": given.get("ca_cert") or None,
                "cert": client_certificate(certificate, key),
                "headers": {TENANT: tenant} if tenant else {},
            },
        )


MOST_FIRED = 50
"""How many alerts a record keeps."""
_OWN = ("__name__", "alertname", "alertstate", "severity", "notify")
"""Labels that tell nothing about what an alert is about."""

Course = t.Sequence[tuple[Labels, t.Sequence[float]]]
"""Of each alert its labels, and when it was seen firing, in seconds since 1970 and in their order."""


def subject(labels: Labels) -> str:
    """What the alert is about, by the labels that its query gave it: service=wallet-service."""
    return ", ".join(f"{name}={labels[name]}" for name in sorted(labels) if name not in _OWN)


def describe(name: str, labels: Labels, since: str) -> str:
    about = subject(labels)
    return f"{name}{f' ({about})' if about else ''}{f' since {since}' if since else ''}"


def identity(labels: Labels) -> tuple[str, str]:
    return labels.get("alertname", ""), subject(labels)


def fired(
    course: Course, firing: t.Collection[tuple[str, str]], apart: float
) -> tuple[FiredAlert, ...]:
    """The oldest first. `firing` still do. Seen more than `apart` seconds apart, an alert fired twice."""
    alerts: list[FiredAlert] = []
    for labels, times in course:
        name, about = identity(labels)
        spans: list[list[float]] = []
        for at in times:
            if spans and at - spans[-1][1] <= apart:
                spans[-1][1] = at
            else:
                spans.append([at, at])
        for span in spans:
            still = span is spans[-1] and (name, about) in firing
            since, until = of_epoch(span[0]), "" if still else of_epoch(span[1])
            alerts.append(FiredAlert(name, labels.get("severity", ""), since, until, about))
    return tuple(sorted(alerts, key=lambda alert: alert.since))


def to_record(alerts: Alerts) -> dict[str, t.Any]:
    """As the record keeps it, the newest where there are too many."""
    remaining = [asdict(entry) for entry in alerts.fired[-MOST_FIRED:]]
    return {"looked": alerts.looked, "fired": remaining, "why_not": alerts.why_not}


_BLIND = 120
"""Seconds without a sample that are an outage: targets may be scraped once a minute."""
_STEP = 60


def counted(selector: str) -> str:
    """The query for how many series the selector found within the last two minutes, no sample for none.

    An instant finds none between the end of pods and the first scrape of those in their place: Prometheus marks the
    series of a target that is gone as stale.
    """
    return f"count(last_over_time({selector}[{_BLIND}s]))"


@dataclass(frozen=True)
class _Alert:
    """`active`: when the condition became true, RFC 3339; the alert fires once it was so for `for`."""

    labels: Labels = field(default_factory=dict)
    state: str = ""
    active: str = under("activeAt")


@dataclass(frozen=True)
class _Rule:
    """Of the answer to /api/v1/rules, https://prometheus.io/docs/prometheus/latest/querying/api/#rules."""

    name: str
    query: str
    duration: float = 0.0
    labels: Labels = field(default_factory=dict)
    annotations: Labels = field(default_factory=dict)
    health: str = "unknown"
    last_error: str = under("lastError")
    alerts: tuple[_Alert, ...] = ()

    def loaded(self, group: str) -> LoadedRule:
        known = {name: getattr(self, name) for name in self.__dataclass_fields__}
        firing = [alert for alert in known.pop("alerts") if alert.state == "firing"]
        began = [(alert.labels, epoch(alert.active)) for alert in firing]
        return LoadedRule(
            **known,
            group=group,
            firing=tuple(
                ActiveAlert(labels, None if active is None else active + self.duration)
                for labels, active in began
            ),
        )


@dataclass(frozen=True)
class _Group:
    name: str
    rules: tuple[_Rule, ...]


@dataclass(frozen=True)
class _Rules:
    groups: tuple[_Group, ...] = under("data.groups", required=True)


class _At(t.NamedTuple):
    """`at` in seconds since 1970."""

    at: float
    value: str


@dataclass(frozen=True)
class _Series:
    metric: Labels
    values: tuple[_At, ...]


@dataclass(frozen=True)
class _Range:
    result: tuple[_Series, ...] = under("data.result", required=True)


@dataclass(frozen=True)
class _Newest:
    value: _At


@dataclass(frozen=True)
class _Instant:
    result: tuple[_Newest, ...] = under("data.result", required=True)


@dataclass(frozen=True)
class _Config:
    external_labels: Labels | None = under("global.external_labels", default=None)  # noqa: RUF009 - frozen


class AlertsApi:
    """Prometheus and its Alertmanager. `timeout` in seconds, of one request."""

    def __init__(
        self,
        prometheus: MonitoringServer,
        alertmanager: MonitoringServer = MonitoringServer(),
        *,
        timeout: float,
    ) -> None:
        self._servers = {"Prometheus": prometheus, "Alertmanager": alertmanager}
        self._timeout = timeout

    def rules(self) -> list[LoadedRule]:
        """The alerting rules that Prometheus evaluates now."""
        with self._reading("Prometheus", "/api/v1/rules", {"type": "alert"}) as body:
            return [
                rule.loaded(group.name)
                for group in restored(_Rules, body, "rules").groups
                for rule in group.rules
            ]

    def formatted(self, query: str) -> str:
        """The query as Prometheus itself writes it, so that two that mean the same read the same."""
        request = "Prometheus", "/api/v1/format_query", {"query": query}
        with self._reading(*request, may_refuse=True) as body:
            if body.get("errorType") == "bad_data":
                raise InputError(
                    f"Prometheus does not understand the query {query!r}: {body.get('error')}."
                )
            return str(body["data"])

    def reload(self) -> None:
        """Let Prometheus read its files again. VerificationError when it stays with what it had."""
        request = "Prometheus", "/-/reload"
        answer, where = self._ask("POST", *request, may_refuse=True), self._where(*request)
        if answer.good:
            return
        text = said_in(answer)
        if "failed to reload" in text:
            raise VerificationError(f"{where} rejects its files and keeps the old ones: {text}.")
        raise RefusedError(
            f"{where} does not reload (HTTP {answer.status}: {text}): "
            "start it with --web.enable-lifecycle."
        )

    def count(self, selector: str) -> int:
        """How many series the selector found lately."""
        query = {"query": counted(selector)}
        with self._reading("Prometheus", "/api/v1/query", query) as body:
            result = restored(_Instant, body, "data").result
            return int(result[0].value.value) if result else 0

    def firing_times(
        self, names: t.Sequence[str], seconds: float
    ) -> list[tuple[Labels, list[float]]]:
        """Of the last so many seconds: each alert of these names that fired, and every evaluation at which it did."""
        # RE2 takes a backslash before punctuation only, and PromQL wants it twice.
        quoted = "|".join(re.sub(r"([\\.+*?()|\[\]{}^$])", r"\\\\\1", name) for name in names)
        quoted = quoted.replace('"', '\\"')
        series = f'ALERTS{{alertstate="firing",alertname=~"{quoted}"}}'
        query = {"query": f"{series}[{max(1, math.ceil(seconds))}s]"}
        with self._reading("Prometheus", "/api/v1/query", query) as body:
            result = restored(_Range, body, "data").result
            return [
                (entry.metric, [at for at, _value in entry.values])
                for entry in result
                if entry.values
            ]

    def outages(self, since: float, until: float) -> list[tuple[float, float]]:
        """When Prometheus kept no sample of anything for two minutes or more, in seconds since 1970."""
        query = f"count(count_over_time(up[{_BLIND}s]))"
        span = {"start": str(since), "end": str(until), "step": str(_STEP)}
        request = "Prometheus", "/api/v1/query_range", {"query": query, **span}
        with self._reading(*request) as body:
            result = restored(_Range, body, "data").result
            known = {round(at - since) for entry in result for at, _value in entry.values}
        gaps: list[tuple[float, float]] = []
        for at in range(0, int(until - since) + 1, _STEP):
            if at in known:
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
        with self._reading("Prometheus", "/api/v1/status/config") as body:
            config = yaml_load(body["data"]["yaml"]) or {}
            return restored(_Config, config, "config").external_labels or {}

    def alertmanager(self) -> AlertmanagerConfig:
        """Alertmanager's configuration, its secrets blanked by itself."""
        with self._reading("Alertmanager", "/api/v2/status") as body:
            config = yaml_load(body["config"]["original"])
            return restored(AlertmanagerConfig, config, "config")

    def silences(self) -> list[Silence]:
        """All that Alertmanager keeps, also those that are over."""
        with self._reading("Alertmanager", "/api/v2/silences") as body:
            return restored_each(Silence, body, "silence")

    @contextmanager
    def _reading(
        self, who: str, path: str, query: t.Mapping[str, str] | None = None, **how: bool
    ) -> t.Iterator[t.Any]:
        """The JSON of an answer. What cannot be read of it is another's; `how` as for `_ask`."""
        answer = self._ask("GET", who, path, query, **how)
        try:
            yield answer.json()
        except InputError:
            raise
        except Exception as exc:  # Of many kinds, YAML's own among them.
            raise VerificationError(
                f"{self._where(who, path)} did not answer as {who} does: check its URL."
            ) from exc

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
