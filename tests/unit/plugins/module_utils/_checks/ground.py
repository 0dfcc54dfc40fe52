"""What the checks of a test stand on."""

import typing as t
from datetime import UTC, datetime

from ansible_collections.easymo.deploy.plugins.module_utils._checks.models import Ground, Known
from tests.fakes.cluster import MemoryCluster

COMMIT = "a1" * 20
NOW = datetime(2025, 11, 11, 6, 30, tzinfo=UTC)


def ground(**more: t.Any) -> Ground:
    given: dict[str, t.Any] = {
        "release": "2.0.0",
        "checkout": "",
        "now": NOW,
        "timeout": 5.0,
        "check_mode": False,
        "commit": Known(COMMIT),
        "record": Known(None),
        "cluster": MemoryCluster,
        "wait": lambda _seconds, _why: None,
    }
    return Ground(**{**given, **more})
