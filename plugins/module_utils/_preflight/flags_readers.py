# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Whether the Deployments that read the feature flags take their environment from the ConfigMap."""

from __future__ import annotations

import typing as t

from .._cluster import Object
from .._kubernetes_client import KUBERNETES
from .models import Finding, Ground, Kind, Options, failed, passed
from .options import names


def look(options: Options, ground: Ground) -> t.Sequence[Finding]:
    cluster = ground.cluster()
    seen = {name: cluster.read("Deployment", name) for name in options["deployments"]}
    there = cluster.read("ConfigMap", options["name"]) is not None
    return [judge(options["name"], seen, there=there)]


def judge(name: str, deployments: t.Mapping[str, Object | None], *, there: bool) -> Finding:
    gone = [one for one, body in deployments.items() if body is None]
    if gone:
        return failed(f"there is no Deployment {', '.join(gone)} that would read the flags")
    blind = [one for one, body in deployments.items() if body and name not in sources(body)]
    if blind:
        return failed(
            f"{', '.join(blind)} takes no environment from the ConfigMap {name}, so flags would change nothing"
        )
    new = "" if there else "; the release creates it"
    return passed(f"{', '.join(deployments)} reads the ConfigMap {name}{new}")


def sources(deployment: Object) -> set[str]:
    """The ConfigMaps that its containers take environment variables from."""
    found: set[str] = set()
    for container in deployment["spec"]["template"]["spec"]["containers"]:
        for entry in container.get("envFrom") or []:
            found.add(str((entry.get("configMapRef") or {}).get("name")))
        for entry in container.get("env") or []:
            source = entry.get("valueFrom") or {}
            found.add(str((source.get("configMapKeyRef") or {}).get("name")))
    return found


KIND = Kind(
    look,
    {
        "name": {"type": "str", "default": "feature-flags"},
        "deployments": names(required=True),
    },
    (KUBERNETES,),
)
