# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Write planned flags, and look whether they are there."""

from __future__ import annotations

import typing as t

from ansible_collections.easymo.deploy.plugins.module_utils._cluster import Cluster
from ansible_collections.easymo.deploy.plugins.module_utils._errors import (
    ConflictError,
    VerificationError,
)
from ansible_collections.easymo.deploy.plugins.module_utils._flags.plan import (
    FlagsMap,
    FlagsPlan,
    plan_flags,
)
from ansible_collections.easymo.deploy.plugins.module_utils._lock.guard import (
    NO_GUARD,
    Guard,
    NoGuard,
)

ATTEMPTS = 5


def observe_flags(cluster: Cluster, name: str) -> FlagsMap:
    return FlagsMap.from_json(name, cluster.read("ConfigMap", name))


def change_flags(
    cluster: Cluster,
    name: str,
    flags: t.Mapping[str, str | None],
    *,
    force: bool,
    check_mode: bool,
    guard: Guard | NoGuard = NO_GUARD,
) -> FlagsPlan:
    """The plan that was carried out; made anew when somebody else wrote in between."""
    last: ConflictError | None = None
    for _attempt in range(ATTEMPTS):
        plan = plan_flags(observe_flags(cluster, name), flags)
        if not plan.changed:
            return plan
        if not check_mode:
            guard.check()
        try:
            _apply(cluster, plan, force=force, check_mode=check_mode)
        except ConflictError as exc:
            if not force and plan.overruled:
                raise ConflictError(
                    f"The flags in ConfigMap {name!r} are set by {', '.join(plan.overruled)} too, and "
                    f"'force' is false, so nothing was changed: {exc}"
                ) from exc
            last = exc
            continue
        return plan
    raise ConflictError(
        f"ConfigMap {name!r} changed under our hands {ATTEMPTS} times in a row: something else keeps "
        "writing to it. Find out what, and try again."
    ) from last


def _apply(cluster: Cluster, plan: FlagsPlan, *, force: bool, check_mode: bool) -> None:
    body = cluster.apply(
        "ConfigMap", plan.to_object(cluster.namespace), force=force, dry_run=check_mode
    )
    if check_mode:
        return
    if any(key in (body.get("data") or {}) for key in plan.removed):
        version = body["metadata"]["resourceVersion"]
        left = [key for key in plan.removed if key in body["data"]]
        operations = [
            one
            for one in plan.to_removal(version)
            if one["op"] == "test" or one["path"].rpartition("/")[2] in left
        ]
        cluster.patch("ConfigMap", plan.before.name, operations)
    seen = observe_flags(cluster, plan.before.name)
    if dict(seen.data) != dict(plan.after):
        differing = sorted(
            key for key in {*seen.data, *plan.after} if seen.data.get(key) != plan.after.get(key)
        )
        raise VerificationError(
            f"ConfigMap {plan.before.name!r} was written, and reads otherwise afterwards: look at "
            f"{', '.join(differing)}. Something else writes to it."
        )
