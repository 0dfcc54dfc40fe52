# SPDX-License-Identifier: GPL-3.0-or-later
"""Look for what makes requests fail: metrics and alerts now, error lines, and what the public addresses answer."""

from __future__ import annotations

import json
import re
import typing as t
from collections import Counter

from .._alerts.api import NO_SERIES
from .._checks.health import run_probes
from .._checks.models import Check
from .._cluster import Cluster
from .._errors import DeployError
from .._flags.pods import container_of
from .._gate.models import Metric, Sample, SampleStatus
from .._gate.sources import Prometheus, SampleSource, Vector
from .._gate.sources import look as look_at
from .._http import Answer, NoAnswerError
from .._rollout.diagnosis import read_tail
from .._threads import side_by_side
from .evidence import Notebook, file_name
from .kubernetes import ERROR_LINE, WorkloadStatus, observe
from .rules import LastWords, LinePlace

ALERTS = 'ALERTS{alertstate="firing"}'
ANY = "count(up)"
"""Has no series only where there is none at all."""
NOTABLE = 0.01
"""Share of requests of one service that fail from which on it is told."""
PATTERNS = 5
AT_ONCE = 8
HEALTH = "public/health.txt"
BODY = 20_000
"""Characters of a public answer that are read."""
_VARYING = re.compile(r"\b[0-9a-f]{8,}(?:-[0-9a-f]{4,})*\b|\d+", re.I)


def look_at_metrics(
    notes: Notebook, metrics: t.Sequence[Metric], sources: t.Mapping[str, SampleSource]
) -> None:
    """Each of the release's metrics as it is now, against its bounds."""
    file = "prometheus/metrics.txt"
    unknown: dict[str, list[str]] = {}

    def look(metric: Metric) -> Sample:
        try:
            return look_at(sources[metric.name], metric)
        except DeployError as exc:
            return Sample(None, str(exc).rstrip("."))

    samples = side_by_side(look, metrics, at_once=AT_ONCE)
    for metric, sample in zip(metrics, samples, strict=True):
        value = sample.value
        if value is None:
            notes.write(file, f"{metric.name}: unknown ({sample.problem})")
            unknown.setdefault(sample.problem, []).append(metric.name)
            continue
        status = metric.judge(sample)
        breach = status is SampleStatus.BREACH
        bound = metric.bounds.describe_breach(value) if breach else metric.bounds.describe_good()
        kind, name, unit = "metric_breach" if breach else "metric", metric.name, metric.unit
        notes.see(kind, name, file=file, value=value, unit=unit, bound=bound, status=status.value)
    for problem, names in unknown.items():
        notes.blind(f"No value of {', '.join(names)}: {problem}.")


def look_at_prometheus(notes: Notebook, prometheus: Prometheus, by_service: Vector) -> None:
    """The share of failing requests `by_service`, and which alerts fire."""
    firing = prometheus.vector(ALERTS)
    for problem in dict.fromkeys(filter(None, (by_service.problem, firing.problem))):
        notes.blind(f"{problem}.")
    if not (firing.series or firing.problem or prometheus.vector(ANY).series):
        notes.blind(f"Which alerts fire is not known: Prometheus has {NO_SERIES}.")
    for service, share in failing(by_service):
        notes.see("service_errors", service, file="prometheus/services.txt", share=share)
    for labels, _one in firing.series:
        name = labels.get("alertname", "?")
        about = ", ".join(f"{k}={v}" for k, v in sorted(labels.items()) if k not in _OWN)
        notes.see("alert", name, file="prometheus/alerts.txt", labels=dict(labels), about=about)


_OWN = ("__name__", "alertname", "alertstate")


def failing(vector: Vector) -> list[tuple[str, float]]:
    """Services of which a notable share of requests fails, the worst first."""
    results = [(labels.get("service", "?"), share) for labels, share in vector.series]
    notable = (result for result in results if result[1] >= NOTABLE)
    return sorted(notable, key=lambda result: -result[1])


def look_at_error_lines(
    notes: Notebook, cluster: Cluster, services: t.Sequence[str], suspects: t.Callable[[], Vector]
) -> None:
    """The error lines of `services`, and of those whose requests fail by now."""
    standings = observe(cluster)
    more = [name for name, _share in failing(suspects()) if name in standings]
    wanted = [*dict.fromkeys([*services, *more])]
    limit = notes.limits.deployments
    for name in wanted[:limit]:
        if name in standings:
            _read_errors(notes, cluster, standings[name])
        else:
            notes.blind(f"There is no Deployment {name} with a readable log.")
    if wanted[limit:]:
        notes.cut(f"The logs of {', '.join(wanted[limit:])} were not read.")


def _read_errors(notes: Notebook, cluster: Cluster, standing: WorkloadStatus) -> None:
    deployment, limits = standing.deployment, notes.limits
    container, result = container_of(deployment), []
    pods = [pod for pod in standing.pods if not pod.deleting]
    if len(pods) > limits.pods:
        notes.cut(f"{deployment.name} has {len(pods)} pods: {limits.pods} were checked for errors.")
    for pod in pods[: limits.pods]:
        try:
            text, cut = read_tail(
                cluster, pod.name, container, lines=limits.lines, limit=limits.bytes
            )
        except DeployError as exc:
            notes.blind(str(exc))
            continue
        if cut:
            notes.cut(f"The log of {pod.name} {cut}")
        result += [f"{pod.name} {line}" for line in text.splitlines() if ERROR_LINE.search(line)]
    log, file = f"kubernetes/{file_name(deployment.name)}.errors.log", "kubernetes/errors.txt"
    stored = notes.keep_log(log, result)
    for pattern, count, number in frequent_messages(stored):
        last = LastWords(LinePlace(log, number), stored[number - 1])
        values: dict[str, t.Any] = {"count": count, "of": len(stored), "pattern": pattern}
        notes.see("error_lines", deployment.name, file=file, last=last, **values)
    if not stored:
        notes.see("no_errors", deployment.name, file=file, lines=limits.lines, pods=len(pods))


def frequent_messages(lines: t.Sequence[str]) -> list[tuple[str, int, int]]:
    """The most frequent messages without pod and numbers: text, how often, and the last line of it."""
    last: dict[str, int] = {}
    counted: Counter[str] = Counter()
    for number, line in enumerate(lines, 1):
        pattern = _VARYING.sub("#", line.partition(" ")[2]).strip()[:160]
        counted[pattern] += 1
        last[pattern] = number
    return [(text, count, last[text]) for text, count in counted.most_common(PATTERNS)]


def look_at_health(notes: Notebook, checks: t.Sequence[Check]) -> None:
    """What the checks of services say that are not asked at an address."""
    for outcome in run_probes(checks):
        text = f"{outcome.name}: {outcome.detail}"
        if outcome.passed:
            notes.write(HEALTH, text)
        elif outcome.known:
            notes.see("unwell", outcome.name, file=HEALTH, answer=outcome.detail)
        else:
            notes.blind(text)


def look_at_public(
    notes: Notebook, services: t.Sequence[str], ask: t.Callable[[str], Answer]
) -> None:
    """What the address of each service's health answers, and on what they say that they depend in vain."""
    blamed: dict[str, list[str]] = {}
    answers = side_by_side(lambda name: _asked(ask, name), services, at_once=AT_ONCE)
    for name, answer in zip(services, answers, strict=True):
        if isinstance(answer, str):
            notes.see("public_silent", name, file=HEALTH, answer=answer)
            continue
        text = answer.text[:BODY]
        failed = failed_checks(text)
        for check, why in failed.items():
            blamed.setdefault(check, []).append(why)
        kind = "public_unwell" if failed else "public_fails"
        notes.see(
            kind if answer.status >= 500 else "public",
            name,
            file=HEALTH,
            status=answer.status,
            body=" ".join(text.split())[:300],
        )
    for check, whys in blamed.items():
        count = len(whys)
        notes.see("dependency", check, file=HEALTH, count=count, of=len(services), why=whys[0])


def _asked(ask: t.Callable[[str], Answer], name: str) -> Answer | str:
    try:
        return ask(name)
    except NoAnswerError as exc:
        return f"it {exc.problem}"


def failed_checks(text: str) -> dict[str, str]:
    """Of a health report, the nested checks that failed and why."""
    try:
        checks = json.loads(text)["checks"]
        return {
            str(name): str(check.get("error", "no reason given"))
            for name, check in checks.items()
            if check.get("status") not in ("ok", "pass", "healthy")
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}
