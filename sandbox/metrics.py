# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests answered and how long that took, by the names that all services of the platform use."""

from __future__ import annotations

import typing as t

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

# Around the services' target of 1 s and the alert at 2 s.
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 2.5)


class HttpMetrics:
    """Of one service; `labels` names those that requests have besides."""

    def __init__(
        self,
        registry: CollectorRegistry,
        service: str,
        *labels: str,
        buckets: t.Sequence[float] = BUCKETS,
    ) -> None:
        self._service = service
        self.requests = Counter(
            "http_requests_total",
            "Requests answered.",
            ("service", *labels, "method", "status"),
            registry=registry,
        )
        self._seconds = Histogram(
            "http_request_duration_seconds",
            "How long an answer took.",
            ("service", *labels),
            buckets=buckets,
            registry=registry,
        )
        if not labels:
            # Known from the start, as Prometheus asks for: a rate over it is zero and not missing.
            self._seconds.labels(service)

    def observe(self, *labels: str, method: str, status: int, seconds: float) -> None:
        self.requests.labels(self._service, *labels, method, str(status)).inc()
        self._seconds.labels(self._service, *labels).observe(seconds)


def page(registry: CollectorRegistry) -> web.Response:
    headers = {"Content-Type": "text/plain; version=0.0.4"}
    return web.Response(body=generate_latest(registry), headers=headers)
