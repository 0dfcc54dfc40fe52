# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""What each kind of check looks with, and the library that it needs for that."""

from __future__ import annotations

import typing as t

from .._http import REQUESTS
from .._kubernetes_client import KUBERNETES
from .._library import Library, refuse_missing
from .._postgres import PSYCOPG2
from . import http, kafka, kubernetes, postgres, redis
from .models import Check, Probe

PROBES: dict[str, Probe] = {
    "postgres": postgres.probe,
    "redis": redis.probe,
    "kafka": kafka.probe,
    "http": http.probe,
    "kubernetes": kubernetes.probe,
}
LIBRARIES: dict[str, Library] = {
    "postgres": PSYCOPG2,
    "redis": redis.REDIS,
    "kafka": kafka.CONFLUENT_KAFKA,
    "http": REQUESTS,
    "kubernetes": KUBERNETES,
}


def refuse_missing_libraries(checks: t.Iterable[Check]) -> None:
    """Only what a check of this task needs must be installed."""
    refuse_missing(LIBRARIES[kind] for kind in sorted({check.kind for check in checks}))
