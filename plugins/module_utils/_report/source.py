# SPDX-License-Identifier: GPL-3.0-or-later
"""What a report is made of, from the cluster."""

from __future__ import annotations

import contextlib
import typing as t

from .._cluster import GUARD_ANNOTATION, Cluster
from .._errors import DeployError, VerificationError
from .._flags.apply import observe_flags
from .._guard.memory import Acts
from .._release.plan import merge
from .._story.view import ReleaseView

Result = dict[str, t.Any]


def read_report(cluster: Cluster, release: str) -> Result:
    """The record with what the guard did, and what stands beside it. A damaged record is a `problem`."""
    try:
        info = ReleaseView(cluster, release).to_result()
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
