# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the cluster lets this user do all that the phases do there."""

from __future__ import annotations

import typing as t

from .._kubernetes_client import KUBERNETES
from .._rollout_preflight.facts import RIGHTS, WARNING, Right
from .models import Finding, Ground, Kind, Options, failed, passed

MORE = (
    Right("get", "coordination.k8s.io", "leases", "", "read the deploy lock"),
    Right("create", "coordination.k8s.io", "leases", "", "take the deploy lock"),
    Right("update", "coordination.k8s.io", "leases", "", "renew the deploy lock"),
    Right("list", "", "configmaps", "", "find attachments of the record"),
    Right("create", "", "configmaps", "", "create the release record"),
    Right("update", "", "configmaps", "", "write the release record"),
    Right("patch", "", "configmaps", "", "set feature flags"),
    # Newer servers ask for create and older ones for get.
    Right("create", "", "pods", "exec", "check the flags in every pod"),
)
"""What the other phases ask of the server, besides those of a rollout."""


def look(_options: Options, ground: Ground) -> t.Sequence[Finding]:
    cluster = ground.cluster()
    denied = [
        one
        for one in (*RIGHTS, *MORE)
        if not cluster.may(one.verb, one.resource, group=one.group, subresource=one.subresource)
    ]
    return [judge(denied, cluster.namespace)]


def judge(denied: t.Sequence[Right], namespace: str) -> Finding:
    asked = len(RIGHTS) + len(MORE)
    fatal = [one for one in denied if one.severity != WARNING]
    warnings = tuple(
        f"You may not {one} in {namespace}, needed to {one.purpose}."
        for one in denied
        if one.severity == WARNING
    )
    if fatal:
        listed = "; ".join(f"{one} (to {one.purpose})" for one in fatal)
        return failed(
            f"in {namespace} you may not {listed}: apply manifests/rbac/, and bind its Role to your user",
            warnings=warnings,
        )
    return passed(f"{asked - len(denied)} of {asked} rights exist", warnings=warnings)


KIND = Kind(look, {}, (KUBERNETES,))
