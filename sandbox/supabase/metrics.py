# SPDX-License-Identifier: GPL-3.0-or-later
"""The gateway's own metrics, in the words that the services use for theirs."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

SERVICE = "supabase-functions"
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "http_requests_total",
            "Requests answered.",
            ("service", "function", "method", "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "http_request_duration_seconds",
            "How long an answer took.",
            ("service", "function"),
            buckets=BUCKETS,
            registry=self._registry,
        )

    def observe(self, function: str, method: str, status: int, seconds: float) -> None:
        self._requests.labels(SERVICE, function, method, str(status)).inc()
        self._seconds.labels(SERVICE, function).observe(seconds)

    def exposition(self) -> bytes:
        return generate_latest(self._registry)
