# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs in the platform's pods: `programs.build` makes a web application of an image's name.

Every pod of the sandbox lives in one process, so an application keeps all it has in itself: its
own metrics registry, its own connections, nothing in a module. Importing this package is light.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from pathlib import Path

from sandbox.names import PREVIOUS_VERSION, RELEASE_VERSION, SERVICES, WORKER

if t.TYPE_CHECKING:
    from sandbox.faults import Fault

METRICS = "metrics"
METRICS_PORT = 9464
"""Where stand-ins have their metrics besides: https://opentelemetry.io/docs/specs/otel/metrics/sdk_exporters/prometheus/"""

PLATFORM = "easymo"
IMAGES: frozenset[str] = frozenset(
    {
        f"{PLATFORM}/{service}:v{version}"
        for service in (*SERVICES, WORKER)
        for version in (PREVIOUS_VERSION, RELEASE_VERSION)
    }
    | {f"{PLATFORM}/{METRICS}:v1"}
)
"""The images of the platform, each of which is a program."""

BESIDE: frozenset[str] = frozenset(
    {
        "busybox:1.37",
        "fluent/fluent-bit:3.2.4",
        "hashicorp/vault:1.18.3",
        "istio/proxyv2:1.25.0",
        "prom/statsd-exporter:v0.28.0",
    }
)
"""What runs beside a service, as a sidecar or before it: it answers its probes and does nothing else."""

PUBLIC: frozenset[str] = frozenset(
    {
        "alpine",
        "busybox",
        "hello-world",
        "httpd",
        "nginx",
        "perl",
        "postgres",
        "redis",
        "hpa-example",
        "agnhost",
    }
)
"""Those of tutorials, with any tag."""
REGISTRY = IMAGES | BESIDE | PUBLIC
"""Every image the sandbox's registry has before anything is pushed; any other name cannot be pulled."""


def _no_fault(_name: str) -> None:
    return None


@dataclass(frozen=True)
class ContainerContext:
    env: t.Mapping[str, str]
    pod_name: str
    pod_ip: str
    log: t.Callable[[str], None]
    """Takes one line without its end; what `kubectl logs` shows."""
    path: t.Callable[[str], Path] = Path
    """Where on this machine is what the container has at a path."""
    fault: t.Callable[[str], Fault | None] = _no_fault
    """The fault of that name when it is set for this service."""


class ConfigurationError(Exception):
    """The container's environment cannot be used: it ends with this sentence in its log."""
