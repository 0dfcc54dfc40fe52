# SPDX-License-Identifier: GPL-3.0-or-later
"""Events are stored as v1 has them; events.k8s.io shows the same objects under newer names."""

from __future__ import annotations

from sandbox.kubernetes.errors import Object

NEW_NAMES = {
    "involvedObject": "regarding",
    "message": "note",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
    "source": "deprecatedSource",
    "reportingComponent": "reportingController",
}
OLD_NAMES = {new: old for old, new in NEW_NAMES.items()}


def to_events_v1(obj: Object) -> Object:
    shown = {NEW_NAMES.get(key, key): value for key, value in obj.items()}
    return shown | {"apiVersion": "events.k8s.io/v1"}


def to_core(obj: Object) -> Object:
    stored = {OLD_NAMES.get(key, key): value for key, value in obj.items()}
    return stored | {"apiVersion": "v1"}
