# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether every service that is going to be rolled has something to return to."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._cluster import Object
from .._kubernetes_client import KUBERNETES
from .._release.packing import record_name
from .._release.pins import carries, read_pins
from .._rollout.models import Deployment, ReplicaSet, owned_by
from .._words import counted
from .models import Finding, Ground, Kind, Options, failed, passed
from .options import names


@dataclass(frozen=True)
class ClusterStatus:
    """`pinned` are the services whose state from before the release this attempt has kept."""

    deployments: t.Mapping[str, Object]
    replica_sets: t.Sequence[ReplicaSet]
    pinned: t.Collection[str]


def look(options: Options, ground: Ground) -> t.Sequence[Finding]:
    cluster = ground.cluster()
    record = ground.record.get()
    kept = read_pins(cluster, record_name(ground.release)) if record else None
    mine = kept if kept and record and kept.attempt == record.attempt else None
    standing = ClusterStatus(
        deployments={one["metadata"]["name"]: one for one in cluster.list_objects("Deployment")},
        replica_sets=[ReplicaSet.from_json(one) for one in cluster.list_objects("ReplicaSet")],
        pinned=mine.deployments if mine else (),
    )
    return [judge(standing, options["services"], ground.release)]


def judge(standing: ClusterStatus, services: t.Sequence[str], release: str) -> Finding:
    wrong = {name: problem for name in services if (problem := _problem(standing, name, release))}
    if wrong:
        return failed("; ".join(f"{name} {problem}" for name, problem in wrong.items()))
    kept = len(set(services) & set(standing.pinned))
    known = f", {kept} pinned by this attempt already" if kept else ""
    have = "has" if len(services) == 1 else "have"
    return passed(f"{counted(len(services), 'service')} {have} a template to return to{known}")


def _problem(standing: ClusterStatus, name: str, release: str) -> str:
    body = standing.deployments.get(name)
    if body is None:
        return "has no Deployment: create it, or remove it from the inventory"
    if body["spec"].get("revisionHistoryLimit", 10) < 1:
        return "keeps no old ReplicaSet: raise its revisionHistoryLimit from 0 to at least 1"
    if name in standing.pinned:
        return ""
    deployment = Deployment.from_json(body)
    if not owned_by(deployment, standing.replica_sets):
        return "never ran, so there is nothing to return to: roll it out once"
    if carries(deployment, release):
        images = ", ".join(deployment.images.values())
        return (
            f"runs {images} already, but not by this attempt: roll it back, or release a new "
            "version"
        )
    return ""


KIND = Kind(look, {"services": names(required=True)}, (KUBERNETES,), reads_record=True)
