# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is asked for the samples of each metric, and the libraries that this needs."""

from __future__ import annotations

import math
import time
import typing as t
from dataclasses import dataclass, field, replace
from datetime import timedelta

from .. import _postgres
from .._alerts.api import (
    AlertsApi,
    Course,
    MonitoringServer,
    describe,
    fired,
    identity,
)
from .._alerts.plan import Alerts, LoadedRule, joined
from .._cluster import Clock, Cluster, MonotonicClock
from .._errors import DeployError, InputError, RefusedError, UnreachableError, refuse_missing
from .._functions.api import SupabaseFunctionsApi
from .._functions.models import Deployed
from .._http import REQUESTS, NoAnswerError, pooled, send
from .._kubernetes_client import KUBERNETES
from .._postgres import PSYCOPG2, PostgresTarget, SqlError
from .._rollout.observer import observe_all_pods, observe_deployment
from .._threads import side_by_side
from .._time import of_epoch
from .cohorts import Cohorts, Counts
from .models import Metric, Sample, SampleStatus, Volume, failed_sample
from .options import (
    ALERTS,
    FUNCTION_LOG,
    HTTP,
    LOG,
    POSTGRES,
    PROMETHEUS,
    HttpSource,
    alert_names,
    read_pattern,
)

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

    def sample(self, query: str) -> Sample:
        """InputError for a wrong pattern or Deployment; a log that cannot be read is a missing sample."""
        pattern = read_pattern(query)
        texts = self._texts(self.window)
        if isinstance(texts, Sample):
            return texts
        count = sum(1 for text in texts for line in text.splitlines() if pattern.search(line))
        return Sample(float(count))

    def count_users(self, query: str, seconds: int) -> Sample:
        """How many different values the first group of the pattern has, within so many seconds. Errors as above."""
        pattern = read_pattern(query)
        if not pattern.groups:
            raise InputError(f"{query!r} has no group: put what tells users apart in parentheses.")
        texts = self._texts(seconds)
        if isinstance(texts, Sample):
            return texts
        if any(len(text.encode()) >= _LIMIT for text in texts):
            return failed_sample("a container logged more than is read since the watch began, 1 MB")
        return Sample(float(len({match[1] for text in texts for match in pattern.finditer(text)})))

    def _texts(self, window: int) -> list[str] | Sample:
        try:
            texts = self._logs(self.cluster.until(self.clock.now() + self.timeout), window)
        except InputError:
            raise
        except DeployError as exc:
            return failed_sample(str(exc).rstrip("."))
        return texts or Sample(None, f"no container of {self.deployment!r} runs")

    def _logs(self, cluster: Cluster, window: int) -> list[str]:
        deployment = observe_deployment(cluster, self.deployment)
        running = [
            (pod.name, container.name)
            for pod in observe_all_pods(cluster, deployment)
            for container in pod.containers
            if container.state == "running"
        ]
        read = [self._log(cluster, pod, container, window) for pod, container in running]
        return [text for text in read if text is not None]

    def _log(self, cluster: Cluster, pod: str, container: str, window: int) -> str | None:
        try:
            return cluster.log(pod, container, since_seconds=window, limit_bytes=_LIMIT)
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


@dataclass(frozen=True)
class CohortSource:
    """`treated` and `control` have the queries `seen` and `failed`, or `total`, which `source` answers."""

    source: SampleSource
    treated: t.Mapping[str, str]
    control: t.Mapping[str, str]

    def count(self, began: float, now: float, share: float | None = None) -> Sample:
        """With all four, or without any and why. InputError when a query itself is wrong.

        `share`: of the users those who are treated, None when unknown.
        """
        results: dict[tuple[str, str], float] = {}
        # Failures are asked for first, so that no user fails who is not among those seen.
        number = "failed" if self.treated.get("failed") else "total"
        for what in (number, "seen"):
            for cohort, queries in (("treated", self.treated), ("control", self.control)):
                sample = self._ask(queries[what], began, now, share)
                if sample.value is None:
                    text = "total" if what == "total" else f"users {what}"
                    problem = f"the {cohort} {text} cannot be told: {sample.problem}"
                    return Sample(None, problem, error=sample.error)
                results[cohort, what] = sample.value
        counts = (
            Counts(results[cohort, "seen"], results[cohort, number])
            for cohort in ("treated", "control")
        )
        return Sample(None, counts=Cohorts(*counts))

    def _ask(self, query: str, began: float, now: float, share: float | None) -> Sample:
        query = query.replace(SINCE, of_epoch(began))
        if share is not None:
            query = query.replace(SHARE, f"{share:g}")
        elif SHARE in query:
            return Sample(None, f"the query asks for {SHARE}, which is not known")
        if isinstance(self.source, LogSource):
            return self.source.count_users(query, max(1, math.ceil(now - began)))
        return self.source.sample(query)


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

    def sample(self, _query: str) -> Sample:
        """What is not loaded or not evaluated cannot fire, so it is a missing sample."""
        try:
            rules = self.loaded()
            course = self.api.firing_times(self.names, self.window)
        except DeployError as exc:
            return failed_sample(str(exc).rstrip("."))
        blind = self.blindness(rules)
        if blind:
            return failed_sample(blind)
        return judged(rules, course)

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
    firing = {
        identity({"alertname": rule.name, **entry.labels}): (rule, entry.labels, entry.since)
        for rule in rules.values()
        for entry in rule.firing
        if _gate(rule) != NOTE
    }
    ended = {
        identity(labels): (labels, times[-1])
        for labels, times in course
        if identity(labels) not in firing
        and labels.get("alertname") in rules
        and _gate(rules[labels["alertname"]]) != NOTE
    }
    sentences = [
        f"{describe(rule.name, labels, of_epoch(since))} fires"
        for rule, labels, since in firing.values()
    ]
    sentences += [
        f"{describe(labels['alertname'], labels, '')} fired until {of_epoch(last)}"
        for labels, last in ended.values()
    ]
    if not sentences:
        return Sample(0.0)
    back = any(_gate(rule) == ROLLBACK for rule, _labels, _since in firing.values())
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

    def sample(self, query: str) -> Sample:
        """InputError when the query itself is wrong; everything else that is no number is a missing sample."""
        requested = self._ask(query)
        if isinstance(requested, Sample):
            return requested
        sample = read_answer(*requested)
        at = evaluated_at(requested[1])
        if at is not None:
            if at <= self._answered.get(query, 0.0):
                return Sample(None, "the answer is not newer than the previous one")
            self._answered[query] = at
        return sample

    def vector(self, query: str) -> Vector:
        """Every series of the answer, for what is only looked at."""
        requested = self._ask(query)
        if isinstance(requested, Sample):
            return Vector((), requested.problem)
        return read_vector(*requested)

    def _ask(self, query: str) -> Sample | tuple[int, t.Any]:
        session = self._borrowed()
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
            return failed_sample(f"Prometheus {exc.problem}{cure}")
        finally:
            self._sessions.append(session)
        if answer.status in (401, 403):
            return failed_sample(
                f"Prometheus refused the request (HTTP {answer.status}): correct 'token', or 'username' and 'password'"
            )
        try:
            return answer.status, answer.json()
        except ValueError:
            return failed_sample(f"Prometheus did not answer with JSON (HTTP {answer.status})")

    def _borrowed(self) -> t.Any:
        try:
            return self._sessions.pop()
        except IndexError:
            return pooled(1)


@dataclass(frozen=True)
class Vector:
    """Series as their labels and their value. Without an answer, `problem` says why."""

    series: tuple[tuple[t.Mapping[str, str], float], ...]
    problem: str = ""


def read_vector(status: int, document: t.Any) -> Vector:
    """Of /api/v1/query: all series with a finite number."""
    problem = _problem(status, document)
    if problem:
        return Vector((), problem)
    data: dict[str, t.Any] = document.get("data") or {}
    if data.get("resultType") != "vector":
        raise InputError(f"The query gives a {data.get('resultType')} and should give series.")
    results = ((entry["metric"], float(entry["value"][1])) for entry in data["result"])
    return Vector(tuple(result for result in results if math.isfinite(result[1])))


def read_answer(status: int, document: t.Any) -> Sample:
    """Of /api/v1/query: one series with one finite number, or why there is none."""
    problem = _problem(status, document)
    if problem:
        return failed_sample(problem)
    data: dict[str, t.Any] = document.get("data") or {}
    result: t.Any = data.get("result")
    kind = data.get("resultType")
    if kind not in ("scalar", "vector"):
        raise InputError(f"The query gives a {kind} and should give one number.")
    texts = [result[1]] if kind == "scalar" else [entry["value"][1] for entry in result]
    if not texts:
        return Sample(None, "no series")
    if len(texts) > 1:
        return failed_sample(f"{len(texts)} series where one is expected")
    value = float(texts[0])
    if not math.isfinite(value):
        return Sample(None, f"the value is {texts[0]}", error=math.isinf(value))
    return Sample(value)


def evaluated_at(document: t.Any) -> float | None:
    """When the answer was worked out: a cache in between may give an old one."""
    try:
        data = document["data"]
        first = data["result"] if data["resultType"] == "scalar" else data["result"][0]["value"]
        return float(first[0])
    except (KeyError, IndexError, TypeError, ValueError):
        return None


def _problem(status: int, document: t.Any) -> str:
    if not isinstance(document, dict):
        return f"Prometheus answered {status} without its own JSON"
    if document.get("errorType") == "bad_data":
        raise InputError(f"Prometheus rejects the query: {document.get('error')}.")
    if document.get("status") != "success":
        return f"Prometheus answered {status}: {document.get('error', 'no reason given')}"
    return ""


ERROR = "error"


@dataclass(frozen=True)
class FunctionLogSource:
    """What the functions of these names logged as errors in the last `window` seconds."""

    api: SupabaseFunctionsApi
    functions: tuple[str, ...]
    window: int

    def sample(self, query: str) -> Sample:
        """InputError for a wrong pattern; a function or a log that is not there is a missing sample."""
        pattern = read_pattern(query)
        try:
            listed = {entry.slug: entry for entry in self.api.list()}
            absent = [name for name in self.functions if name not in listed]
            if absent:
                return failed_sample(f"the project has no function {', '.join(absent)}")
            logs = side_by_side(self._errors, [listed[name] for name in self.functions])
        except DeployError as exc:
            return failed_sample(str(exc).rstrip("."))
        return Sample(float(sum(1 for log in logs for text in log if pattern.search(text))))

    def _errors(self, function: Deployed) -> list[str]:
        lines = self.api.log_of(function, since=timedelta(seconds=self.window), level=ERROR)
        return [entry.message for entry in lines]


@dataclass(frozen=True)
class SqlSource:
    target: PostgresTarget
    timeout: float

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
        except DeployError as exc:
            return failed_sample(str(exc).rstrip("."))
        return read_rows(rows)


def read_rows(rows: list[_postgres.Row]) -> Sample:
    """One row with one number, or why there is none."""
    if len(rows) != 1 or len(rows[0]) != 1:
        return failed_sample(f"{len(rows)} rows where one value is expected")
    value = rows[0][0]
    if value is None:
        return Sample(None, "the value is NULL")
    try:
        number = float(value)
    except (TypeError, ValueError):
        return failed_sample("the value is no number")
    if math.isfinite(number):
        return Sample(number)
    return Sample(None, f"the value is {number}", error=math.isinf(number))


LIBRARIES = {
    PROMETHEUS: REQUESTS,
    ALERTS: REQUESTS,
    HTTP: REQUESTS,
    POSTGRES: PSYCOPG2,
    LOG: KUBERNETES,
    FUNCTION_LOG: REQUESTS,
}


def refuse_missing_libraries(metrics: t.Iterable[Metric]) -> None:
    """Only what a metric of this task needs must be installed."""
    refuse_missing(LIBRARIES[kind] for kind in sorted({metric.kind for metric in metrics}))


def sources_of(
    params: t.Mapping[str, t.Any], cluster: Cluster | None = None
) -> dict[str, SampleSource]:
    """`cluster` is for metrics that read logs. Of one that compares cohorts it is who counts their users."""
    timeout = params["query_timeout"]
    server = MonitoringServer.from_params(params["prometheus"])

    def source(entry: t.Mapping[str, t.Any]) -> SampleSource:
        if entry["kind"] == POSTGRES:
            return SqlSource(PostgresTarget.from_params(entry["connection"]), timeout)
        if entry["kind"] == ALERTS:
            api = AlertsApi(server, timeout=timeout)
            return AlertsSource(api, alert_names(entry["query"]), entry["window"])
        if entry["kind"] == HTTP:
            return HttpSource(entry["url"], timeout, entry["token"] or "", entry["ca_cert"])
        if entry["kind"] == FUNCTION_LOG:
            functions = SupabaseFunctionsApi(entry["supabase"], timeout=timeout, patience=0)
            return FunctionLogSource(functions, tuple(entry["functions"]), entry["window"])
        if entry["kind"] == LOG and cluster is not None:
            return LogSource(cluster, entry["deployment"], entry["window"], timeout)
        return Prometheus(server, timeout)

    def counted(entry: t.Mapping[str, t.Any]) -> SampleSource:
        volume = entry.get("volume")
        return VolumeSource(source(entry), Volume(**volume)) if volume else source(entry)

    return {entry["name"]: counted(entry) for entry in params["metrics"]}


Sources = t.Mapping[str, "SampleSource | CohortSource"]
"""By the name of the metric."""


def with_cohorts(sources: t.Mapping[str, SampleSource], params: t.Mapping[str, t.Any]) -> Sources:
    compared = {
        entry["name"]: CohortSource(sources[entry["name"]], entry["treated"], entry["control"])
        for entry in params["metrics"]
        if entry["treated"]
    }
    return {**sources, **compared}


@dataclass(frozen=True)
class VolumeSource:
    """Of one that tells a ratio, and of how many: too few prove nothing, so that the ratio is missing."""

    source: SampleSource
    volume: Volume

    def sample(self, query: str) -> Sample:
        volume = self.volume
        count = self.source.sample(volume.query)
        if count.value is None:
            return Sample(
                None,
                f"the number of {volume.unit} is not known: {count.problem}",
                error=count.error,
            )
        if count.value < volume.at_least:
            return Sample(None, f"{count.value:.0f} {volume.unit} of {volume.at_least:g} needed")
        return self.source.sample(query)
