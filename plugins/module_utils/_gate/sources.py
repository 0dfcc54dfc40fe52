# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is asked for the samples of each metric, and the libraries that this needs."""

from __future__ import annotations

import json
import math
import time
import typing as t
from dataclasses import dataclass, field, replace
from datetime import timedelta

from .. import _postgres
from .._alerts.api import AlertsApi, Course, MonitoringServer, describe, fired, identity
from .._alerts.plan import Alerts, LoadedRule, joined
from .._cluster import Clock, Cluster, MonotonicClock
from .._errors import (
    DeployError,
    InputError,
    RefusedError,
    UnreachableError,
    VerificationError,
    refuse_missing,
)
from .._functions.api import SupabaseFunctionsApi
from .._functions.models import Deployed
from .._http import REQUESTS, NoAnswerError, pooled, send
from .._kubernetes_client import KUBERNETES
from .._postgres import PSYCOPG2, PostgresTarget, SqlError
from .._rollout.observer import observe_all_pods, observe_deployment
from .._threads import side_by_side
from .._time import of_epoch
from . import options
from .cohorts import COUNTS
from .models import Metric, Sample, SampleStatus, failed_sample, missing_on_failure
from .options import HttpSource, alert_names, read_pattern

_MOST_SERIES = 200
"""Of a count. A watch keeps each of them."""
_LIMIT = 1_000_000
"""Bytes of one container's log that are read at a look. More in one window count as far as they were read."""


@dataclass(frozen=True)
class LogSource:
    """The running containers of all pods that the Deployment's selector finds, as of the last `window` seconds."""

    cluster: Cluster
    deployment: str
    window: int
    timeout: float
    clock: Clock = field(default_factory=MonotonicClock)

    @missing_on_failure
    def sample(self, query: str) -> Sample:
        """InputError for a wrong pattern or Deployment; a log that cannot be read is a missing sample."""
        pattern = read_pattern(query)
        cluster = self.cluster.until(self.clock.now() + self.timeout)
        deployment = observe_deployment(cluster, self.deployment)
        running = [
            (pod.name, container.name)
            for pod in observe_all_pods(cluster, deployment)
            for container in pod.containers
            if container.state == "running"
        ]
        read = [self._log(cluster, pod, container) for pod, container in running]
        texts = [text for text in read if text is not None]
        if not texts:
            return Sample(None, f"no container of {self.deployment!r} runs")
        count = sum(1 for text in texts for line in text.splitlines() if pattern.search(line))
        return Sample(float(count))

    def _log(self, cluster: Cluster, pod: str, container: str) -> str | None:
        try:
            return cluster.log(pod, container, since_seconds=self.window, limit_bytes=_LIMIT)
        except RefusedError as exc:
            if exc.details.get("status") == 404:  # the pod went meanwhile
                return None
            raise


SINCE = "{since}"
"""Stands in a query for the time at which the watch began, as RFC 3339 in UTC."""
SHARE = "{treated_share}"
"""Stands there for the share of users who are treated, for rows that do not tell."""


class SampleSource(t.Protocol):
    def sample(self, query: str) -> Sample: ...


def look(source: SampleSource, metric: Metric, began: float = 0.0) -> Sample:
    """A sample of the metric, in a watch that `began` then. InputError when a query itself is wrong.

    Too few of what a ratio is of prove nothing, so that it is missing then.
    """
    if metric.cohorts:
        return count_users(source, metric, began)
    if volume := metric.volume:
        count = source.sample(volume.query)
        if count.value is None:
            problem = f"the number of {volume.unit} is not known: {count.problem}"
            return Sample(None, problem, error=count.error)
        if count.value < volume.at_least:
            return Sample(None, f"{count.value:.0f} {volume.unit} of {volume.at_least:g} needed")
    return source.sample(metric.query)


def count_users(source: SampleSource, metric: Metric, began: float) -> Sample:
    """With the counts of both cohorts, or without any and why."""
    share = metric.comparison.share if metric.comparison else None

    def count(query: str) -> Sample:
        query = query.replace(SINCE, of_epoch(began))
        if share is not None:
            query = query.replace(SHARE, f"{share:g}")
        elif SHARE in query:
            return Sample(None, f"the query asks for {SHARE}, which is not known")
        return source.sample(query)

    counts: dict[str, float] = {}
    # Failures are asked for first, so that no user fails who is not among those seen.
    for cohort, what in sorted(COUNTS, key=lambda entry: entry[1]):
        sample = count(metric.cohorts[cohort][what])
        series = sample.series or ({} if sample.value is None else {"": sample.value})
        if not series:
            problem = f"the {cohort} users {what} cannot be told: {sample.problem}"
            return Sample(None, problem, error=sample.error)
        counts |= {f"{cohort} {what} {labels}": value for labels, value in series.items()}
    return Sample(None, counts=counts)


GATE = "gate"
"""The annotation of a rule that says what a release does when the alert fires."""
ROLLBACK, NOTE = "rollback", "note"
"""Its values beside hold, which is also for what is none of them: go back, and only keep it in the record."""
_APART = 90.0
"""Seconds between two evaluations beyond which an alert fired twice: groups are evaluated at least once a minute."""
_LONGEST = 3 * 86400.0
"""Seconds that are looked back at most."""


@dataclass(frozen=True)
class AlertsSource:
    """`window`: an alert that ended within so many seconds counts too, but never goes back."""

    api: AlertsApi
    names: tuple[str, ...]
    window: float

    @missing_on_failure
    def sample(self, _query: str) -> Sample:
        """What is not loaded or not evaluated cannot fire, so it is a missing sample."""
        rules = self.loaded()
        course = self.api.firing_times(self.names, self.window)
        blind = self.blindness(rules)
        return failed_sample(blind) if blind else judged(rules, course)

    def loaded(self) -> dict[str, LoadedRule]:
        """Those of its rules that Prometheus has, by name."""
        return {rule.name: rule for rule in self.api.rules() if rule.name in self.names}

    def blindness(self, rules: t.Mapping[str, LoadedRule]) -> str:
        """Which alerts could not fire, "" for none."""
        blind = [name for name in self.names if name not in rules]
        if blind:
            return f"Prometheus has no alert {', '.join(map(repr, blind))} loaded"
        blind = [rule.name for rule in rules.values() if rule.health != "ok"]
        return f"Prometheus does not evaluate {', '.join(map(repr, blind))}" if blind else ""

    def since(self, begun: float, known: Alerts, wall: t.Callable[[], float] = time.time) -> Alerts:
        """All that fired since then, with what was known before. Whatever was out of sight is told."""
        now = wall()
        begun = max(begun, now - _LONGEST)
        try:
            firing = {
                identity(entry.labels) for rule in self.loaded().values() for entry in rule.firing
            }
            course = self.api.firing_times(self.names, now - begun)
            outages = self.api.outages(begun, now)
        except DeployError as exc:
            return replace(known, looked=False, why_not=str(exc).rstrip("."))
        text = ", ".join(f"{of_epoch(since)} to {of_epoch(until)}" for since, until in outages)
        why_not = f"Prometheus kept nothing from {text}" if text else ""
        alerts = Alerts(not outages, fired(course, firing, _APART), why_not)
        return joined(known, alerts)


def judged(rules: t.Mapping[str, LoadedRule], course: Course) -> Sample:
    """The number of alerts that count, and the worst of them."""
    counting = {name: rule for name, rule in rules.items() if _gate(rule) != NOTE}
    firing = {
        identity({"alertname": rule.name, **entry.labels}): (rule, entry)
        for rule in counting.values()
        for entry in rule.firing
    }
    ended = {
        identity(
            labels
        ): f"{describe(labels['alertname'], labels, '')} fired until {of_epoch(times[-1])}"
        for labels, times in course
        if identity(labels) not in firing and labels.get("alertname") in counting
    }
    sentences = [
        f"{describe(rule.name, entry.labels, of_epoch(entry.since))} fires"
        for rule, entry in firing.values()
    ]
    sentences += ended.values()
    if not sentences:
        return Sample(0.0)
    back = any(_gate(rule) == ROLLBACK for rule, _entry in firing.values())
    status = SampleStatus.BREACH if back else SampleStatus.BETWEEN
    return Sample(float(len(sentences)), note="; ".join(sentences), judged=status.value)


def _gate(rule: LoadedRule) -> str:
    return rule.annotations.get(GATE, "").strip()


@dataclass(frozen=True)
class Prometheus:
    """An HTTP API of Prometheus."""

    server: MonitoringServer
    timeout: float
    # Each question borrows one: requests does not promise that a session serves several threads.
    _sessions: list[t.Any] = field(default_factory=list, repr=False, compare=False)
    _answered: dict[str, float] = field(default_factory=dict, repr=False, compare=False)

    @missing_on_failure
    def sample(self, query: str) -> Sample:
        """InputError when the query itself is wrong; everything else that is no number is a missing sample."""
        answer = self._ask(query)
        sample = sample_of_answer(answer)
        if answer.series:
            if answer.series[0].at <= self._answered.get(query, 0.0):
                return Sample(None, "the answer is not newer than the previous one")
            self._answered[query] = answer.series[0].at
        return sample

    def vector(self, query: str) -> Vector:
        """Every series of the answer with a finite number, for what is only looked at."""
        try:
            answer = self._ask(query)
        except InputError:
            raise
        except DeployError as exc:
            return Vector((), str(exc).rstrip("."))
        if answer.kind != "vector":
            raise InputError(f"The query gives a {answer.kind} and should give series.")
        finite = (each for each in answer.series if math.isfinite(each.value))
        return Vector(tuple((each.labels, each.value) for each in finite))

    def _ask(self, query: str) -> QueryAnswer:
        try:
            session = self._sessions.pop()
        except IndexError:
            session = pooled(1)
        try:
            answer = send(
                "POST",
                f"{self.server.url}/api/v1/query",
                data={"query": query},
                session=session,
                timeout=self.timeout,
                **self.server.how,
            )
        except NoAnswerError as exc:
            # Time mends no certificate.
            cure = "" if exc.error is UnreachableError else f": {exc.cure}"
            raise UnreachableError(f"Prometheus {exc.problem}{cure}.") from None
        finally:
            self._sessions.append(session)
        if answer.status in (401, 403):
            raise RefusedError(
                f"Prometheus refused the request (HTTP {answer.status}): correct 'token', or 'username' and 'password'."
            )
        try:
            return read_answer(answer.status, answer.json())
        except ValueError:
            raise VerificationError(
                f"Prometheus did not answer with JSON (HTTP {answer.status})."
            ) from None


@dataclass(frozen=True)
class Vector:
    """Series as their labels and their value. Without an answer, `problem` says why."""

    series: tuple[tuple[t.Mapping[str, str], float], ...]
    problem: str = ""


class AnsweredSeries(t.NamedTuple):
    """`at`: when the answer was worked out, in seconds of the epoch; a cache in between may give an old one."""

    labels: t.Mapping[str, str]
    at: float
    text: str
    value: float


@dataclass(frozen=True)
class QueryAnswer:
    """`kind` as Prometheus names it. One that is neither a scalar nor a vector has no series."""

    kind: str
    series: tuple[AnsweredSeries, ...] = ()


def read_answer(status: int, document: t.Any) -> QueryAnswer:
    """An answer of /api/v1/query. InputError for a wrong query, VerificationError for all else that is no answer.

    https://prometheus.io/docs/prometheus/latest/querying/api/#instant-queries
    """
    if not isinstance(document, dict):
        raise VerificationError(f"Prometheus answered {status} without its own JSON.")
    if document.get("errorType") == "bad_data":
        raise InputError(f"Prometheus rejects the query: {document.get('error')}.")
    if document.get("status") != "success":
        why = document.get("error", "no reason given")
        raise VerificationError(f"Prometheus answered {status}: {why}.")
    try:
        kind, result = str(document["data"]["resultType"]), document["data"]["result"]
        if kind == "scalar":
            return QueryAnswer(kind, (_series({}, result),))
        if kind != "vector":
            return QueryAnswer(kind)
        if any("histogram" in entry for entry in result):
            raise VerificationError(
                "Prometheus answered with a native histogram, which is no number: take a quantile or a rate of it."
            )
        return QueryAnswer(
            kind, tuple(_series(entry["metric"], entry["value"]) for entry in result)
        )
    except (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError):
        raise VerificationError(
            f"Prometheus answered {status} in a shape that its API does not have."
        ) from None


def _series(labels: t.Any, pair: t.Any) -> AnsweredSeries:
    """Raises as the operations on another shape do."""
    at, text = pair
    return AnsweredSeries(
        {str(name): str(value) for name, value in labels.items()},
        float(at),
        str(text),
        float(str(text)),
    )


def sample_of_answer(answer: QueryAnswer) -> Sample:
    """Of one series with one finite number, or why there is none."""
    if answer.kind not in ("scalar", "vector"):
        raise InputError(f"The query gives a {answer.kind} and should give one number.")
    if not answer.series:
        return Sample(None, "no series")
    sample = sample_of_number(answer.series[0].text)
    if len(answer.series) > 1:
        sample = failed_sample(f"{len(answer.series)} series where one is expected")
    if answer.kind == "scalar" or len(answer.series) > _MOST_SERIES:
        return sample
    named = {json.dumps(each.labels, sort_keys=True): each.value for each in answer.series}
    return replace(
        sample, series={name: value for name, value in named.items() if math.isfinite(value)}
    )


def sample_of_number(given: t.Any) -> Sample:
    """Raises ValueError or TypeError for what is no number at all."""
    value = float(given)
    if math.isfinite(value):
        return Sample(value)
    return Sample(None, f"the value is {given}", error=math.isinf(value))


@dataclass(frozen=True)
class FunctionLogSource:
    """What the functions of these names logged as errors in the last `window` seconds."""

    api: SupabaseFunctionsApi
    functions: tuple[str, ...]
    window: int

    @missing_on_failure
    def sample(self, query: str) -> Sample:
        """InputError for a wrong pattern; a function or a log that is not there is a missing sample."""
        pattern = read_pattern(query)
        listed = {entry.slug: entry for entry in self.api.list()}
        absent = [name for name in self.functions if name not in listed]
        if absent:
            return failed_sample(f"the project has no function {', '.join(absent)}")
        logs = side_by_side(self._errors, [listed[name] for name in self.functions])
        return Sample(float(sum(1 for log in logs for text in log if pattern.search(text))))

    def _errors(self, function: Deployed) -> list[str]:
        lines = self.api.log_of(function, since=timedelta(seconds=self.window), level="error")
        return [entry.message for entry in lines]


@dataclass(frozen=True)
class SqlSource:
    target: PostgresTarget
    timeout: float

    @missing_on_failure
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
        return read_rows(rows)


def read_rows(rows: list[_postgres.Row]) -> Sample:
    """One row with one number, or why there is none."""
    if len(rows) != 1 or len(rows[0]) != 1:
        return failed_sample(f"{len(rows)} rows where one value is expected")
    value = rows[0][0]
    if value is None:
        return Sample(None, "the value is NULL")
    try:
        return sample_of_number(value)
    except (OverflowError, TypeError, ValueError):
        return failed_sample("the value is no number")


LIBRARIES = {
    **dict.fromkeys(options.KINDS, REQUESTS),
    options.POSTGRES: PSYCOPG2,
    options.LOG: KUBERNETES,
}


def refuse_missing_libraries(metrics: t.Iterable[Metric]) -> None:
    """Only what a metric of this task needs must be installed."""
    refuse_missing(LIBRARIES[kind] for kind in sorted({metric.kind for metric in metrics}))


def sources_of(
    params: t.Mapping[str, t.Any], cluster: Cluster | None = None
) -> dict[str, SampleSource]:
    """By the name of the metric. `cluster` is for metrics that read logs."""
    timeout = params["query_timeout"]
    server = MonitoringServer.from_params(params["prometheus"])

    def source(entry: t.Mapping[str, t.Any]) -> SampleSource:
        if entry["kind"] == options.POSTGRES:
            return SqlSource(PostgresTarget.from_params(entry["connection"]), timeout)
        if entry["kind"] == options.ALERTS:
            api = AlertsApi(server, timeout=timeout)
            return AlertsSource(api, alert_names(entry["query"]), entry["window"])
        if entry["kind"] == options.HTTP:
            return HttpSource(entry["url"], timeout, entry["token"] or "", entry["ca_cert"])
        if entry["kind"] == options.FUNCTION_LOG:
            functions = SupabaseFunctionsApi(entry["supabase"], timeout=timeout, patience=0)
            return FunctionLogSource(functions, tuple(entry["functions"]), entry["window"])
        if entry["kind"] == options.LOG and cluster is not None:
            return LogSource(cluster, entry["deployment"], entry["window"], timeout)
        return Prometheus(server, timeout)

    return {entry["name"]: source(entry) for entry in params["metrics"]}
