# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at recent changes and their authors, and whether pods run with the flags that the ConfigMap has."""

from __future__ import annotations

import typing as t
from datetime import datetime

from .._cluster import (
    ACTOR_ANNOTATION,
    CHANGE_CAUSE_ANNOTATION,
    RAMP_ANNOTATION,
    Cluster,
    MonotonicClock,
    Object,
)
from .._errors import DeployError
from .._flags.apply import KillSwitch
from .._flags.pods import STALE, UNKNOWN, Asker, FlagsProbe
from .._flags.values import only_flags
from .._release.store import ReleaseStore
from .._rollout.models import Deployment, ReplicaSet, current_replica_set
from .._rollout.observer import observe_deployment
from .._time import now as wall_clock
from .._time import parse_time
from .evidence import Notebook

LATELY = 24 * 60
"""Minutes."""


def look_at_record(notes: Notebook, cluster: Cluster, release: str) -> None:
    """Which phase failed, and when which phase ran."""
    file = "kubernetes/record.txt"
    record = ReleaseStore(cluster, release, clock=MonotonicClock()).read()
    if record is None:
        notes.write(file, f"There is no record of release {release}.")
        return
    notes.write(file, f"release {record.version}, attempt {record.attempt}: {record.status}")
    for name, phase in record.phases.items():
        notes.write(file, f"  {name}: {phase.status}, {phase.started} to {phase.finished or '…'}")
        at = phase.finished or phase.started
        for failure in phase.evidence.failures if phase.failed else ():
            host, answer = failure.name, failure.message
            notes.see("phase_failed", name, file=file, at=at, host=host, answer=answer)


def look_at_changes(
    notes: Notebook, cluster: Cluster, services: t.Sequence[str], config_map: str
) -> None:
    file, now = "kubernetes/changes.txt", wall_clock()
    bodies = cluster.list_objects("Deployment")
    replica_sets = cluster.list_objects("ReplicaSet")
    for body in bodies:
        deployment = Deployment.from_json(body)
        if deployment.name not in services:
            continue
        name, counts = deployment.name, deployment.counts
        notes.see("standing", name, file=file, ready=counts.ready, desired=counts.desired)
        minutes = _age(_born(deployment, replica_sets), now)
        if minutes is not None and minutes <= LATELY:
            cause = deployment.annotations.get(CHANGE_CAUSE_ANNOTATION, "no reason recorded")
            actor = deployment.annotations.get(ACTOR_ANNOTATION, "somebody")
            notes.see("change", name, file=file, minutes=minutes, cause=cause, actor=actor)
    if config_map:
        _look_at_flags_map(notes, cluster, config_map, now)


def _look_at_flags_map(notes: Notebook, cluster: Cluster, name: str, now: datetime) -> None:
    file = "kubernetes/changes.txt"
    body = cluster.read("ConfigMap", name)
    if body is None:
        notes.see("no_flags", name, file=file)
        return
    written = body["metadata"].get("annotations") or {}
    switch = KillSwitch.from_annotations(written)
    if switch is not None:
        notes.see("kill_switch", name, file=file, switch=str(switch))
    if written.get(RAMP_ANNOTATION):
        notes.write(file, f"ramp: {written[RAMP_ANNOTATION]}")
    times = [
        managed_field.get("time", "")
        for managed_field in body["metadata"].get("managedFields") or []
    ]
    minutes = _age(max(times, default=""), now)
    if minutes is not None and minutes <= LATELY:
        notes.see("flags_change", name, file=file, minutes=minutes)


def look_at_flags(
    notes: Notebook,
    cluster: Cluster,
    config_map: str,
    consumers: t.Sequence[str],
    probe: FlagsProbe,
) -> None:
    """What each pod runs with, against the ConfigMap."""
    file = "kubernetes/flags.txt"
    body = cluster.read("ConfigMap", config_map)
    wanted = dict((body or {}).get("data") or {})
    for name, value in sorted(wanted.items()):
        notes.write(file, f"{config_map}: {name}={value}")
    about = (only_flags(wanted), MonotonicClock(), wall_clock)
    for consumer in consumers:
        try:
            deployment = observe_deployment(cluster, consumer)
            pods = Asker(cluster, deployment, *about, probe=probe).ask()
        except DeployError as exc:
            notes.blind(str(exc))
            continue
        for pod in pods:
            notes.write(file, f"pod {pod.pod}: {pod.state} {pod.detail}")
            if pod.state == UNKNOWN:
                notes.blind(f"Pod {pod.pod} could not show its flags: {pod.detail}.")
        stale = [pod for pod in pods if pod.state == STALE]
        if stale:
            count, detail = len(stale), stale[0].detail
            notes.see("stale_flags", consumer, file=file, pods=count, of=len(pods), detail=detail)


def _born(deployment: Deployment, replica_sets: t.Sequence[Object]) -> str:
    """When the ReplicaSet of the current template was made."""
    current = current_replica_set(
        deployment, [ReplicaSet.from_json(entry) for entry in replica_sets]
    )
    sets = [entry for entry in replica_sets if current and entry["metadata"]["uid"] == current.uid]
    return str(sets[0]["metadata"].get("creationTimestamp", "")) if sets else ""


def _age(moment: str, now: datetime) -> int | None:
    result = parse_time(moment) if moment else None
    return None if result is None else max(int((now - result).total_seconds() // 60), 0)
