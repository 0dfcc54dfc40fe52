# SPDX-License-Identifier: GPL-3.0-or-later
"""What a report is made of, from the cluster."""

from __future__ import annotations

import contextlib
import typing as t

from .._availability.claims import facts_of
from .._cluster import GUARD_ANNOTATION, Cluster, MonotonicClock
from .._errors import DeployError, VerificationError
from .._flags.apply import flags_now, observe_flags
from .._guard.memory import Acts
from .._release.models import NO_RECORD
from .._release.plan import merge
from .._release.store import ReleaseStore

Result = dict[str, t.Any]


def read_release(cluster: Cluster, release: str, *, evidence: bool = True) -> Result:
    """What the module release_info returns. Raises VerificationError for a damaged record."""
    store = ReleaseStore(cluster, release, clock=MonotonicClock())
    record = store.read()
    attempt = record.attempt if record else 1
    pins = store.pins(attempt)
    return {
        "changed": False,
        "exists": record is not None,
        **(record.to_result(evidence=evidence) if record else NO_RECORD),
        "pins": pins.to_summary(),
        "flags": flags_now(cluster, pins.config_maps),
        "availability": facts_of(store, attempt),
    }


def read_report(cluster: Cluster, release: str) -> Result:
    """The record with what the guard did, and what stands beside it. A damaged record is a `problem`."""
    try:
        info = read_release(cluster, release)
    except VerificationError as exc:
        return {"record": exc.details.get("record") or {}, "problem": str(exc)}
    record, pins = info["record"], info["pins"]
    if record:
        # No report is lost for it.
        with contextlib.suppress(DeployError):
            record = merge(record, _guarded(cluster, release, pins))
    problem = "" if info["exists"] else f"Release {release} has no record."
    return {**info, "record": record, "pins": pins["deployments"], "problem": problem}


def _guarded(cluster: Cluster, release: str, pins: Result) -> Result:
    flags = [observe_flags(cluster, name) for name in pins["config_maps"]]
    acts = [
        {"what": act.what, "at": act.at, "before": act.before, "to": act.to, "why": act.why}
        for entry in flags
        for act in Acts.from_annotation(entry.annotations.get(GUARD_ANNOTATION)).acts
        if (act.release, act.attempt) == (release, pins["attempt"])
    ]
    return {"facts": {"guard": {"acts": acts}}} if acts else {}
