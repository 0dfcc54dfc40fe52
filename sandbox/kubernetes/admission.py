# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of the cluster, in the order a write meets them: defaults, webhooks, validation, quota."""

from __future__ import annotations

import typing as t
from fractions import Fraction

from sandbox.kubernetes import defaulting, quantities, validation
from sandbox.kubernetes.errors import ApiError, Object, forbidden
from sandbox.kubernetes.resources import STORED

if t.TYPE_CHECKING:
    from sandbox.kubernetes.resources import Resource
    from sandbox.kubernetes.store import Store

COUNTED = (
    "pods",
    "services",
    "configmaps",
    "secrets",
    "resourcequotas",
    "deployments",
    "replicasets",
)


def admit(store: Store, resource: Resource, obj: Object) -> None:
    """403 in the words of the quota that has no room for `obj`."""
    if resource.plural not in COUNTED:
        return
    namespace = obj["metadata"]["namespace"]
    for record in store.records("resourcequotas", namespace):
        hard = record.body.get("spec", {}).get("hard", {})
        wanted = {key: value for key, value in demand(resource, obj).items() if key in hard}
        used = usage(store, namespace, wanted)
        over = [k for k in wanted if used[k] + wanted[k] > quantities.parse(hard[k])]
        if over:
            limits = {key: quantities.parse(hard[key]) for key in over}
            why = (
                f"exceeded quota: {record.body['metadata']['name']},"
                f" requested: {_spelled(wanted, over)}, used: {_spelled(used, over)},"
                f" limited: {_spelled(limits, over)}"
            )
            raise forbidden(resource, obj["metadata"]["name"], why)


def _spelled(amounts: t.Mapping[str, Fraction], keys: t.Iterable[str]) -> str:
    return ",".join(f"{key}={quantities.to_text(amounts[key])}" for key in sorted(keys))


def demand(resource: Resource, obj: Object) -> dict[str, Fraction]:
    taken = {f"count/{resource.qualified}": Fraction(1)}
    if not resource.group:
        taken[resource.plural] = Fraction(1)
    if resource.plural != "pods":
        return taken
    if obj.get("status", {}).get("phase") in ("Succeeded", "Failed"):
        return {"count/pods": Fraction(1)}
    for container in obj.get("spec", {}).get("containers", ()):
        for side in ("requests", "limits"):
            for name, amount in container.get("resources", {}).get(side, {}).items():
                names = (f"{side}.{name}", name) if side == "requests" else (f"{side}.{name}",)
                for key in names:
                    taken[key] = taken.get(key, Fraction(0)) + quantities.parse(amount)
    return taken


def usage(store: Store, namespace: str, keys: t.Iterable[str]) -> dict[str, Fraction]:
    used = dict.fromkeys(keys, Fraction(0))
    if not used:
        return used
    for plural in COUNTED:
        for record in store.records(plural, namespace):
            for key, amount in demand(STORED[plural], record.body).items():
                if key in used:
                    used[key] += amount
    return used


def write_status(store: Store, namespace: str) -> None:
    for quota in store.list("resourcequotas", namespace):
        hard = quota.get("spec", {}).get("hard", {})
        used = usage(store, namespace, hard)
        spelled = {key: quantities.to_text(amount) for key, amount in used.items()}
        quota["status"] = {"hard": hard, "used": spelled} if hard else {}
        store.update("resourcequotas", quota, subresource="status")


async def keep_status(store: Store, resource: str) -> None:
    """Follow one counted resource for ever; an unchanged status costs no version."""
    subscription = store.subscribe(resource)
    try:
        while (event := await subscription.next_event()) is not None:
            obj = event.record.body
            if event.type == "MODIFIED" and resource == "pods" and not _ended(obj):
                continue
            try:
                write_status(store, obj["metadata"]["namespace"])
            except ApiError as exc:
                if exc.status not in (404, 409):
                    raise
    finally:
        subscription.close()


def _ended(pod: Object) -> bool:
    return pod.get("status", {}).get("phase") in ("Succeeded", "Failed")


class ClusterRules:
    def default(self, resource: Resource, obj: Object) -> None:
        defaulting.default(resource, obj)

    def mutate(self, resource: Resource, obj: Object) -> None:
        """What mutating webhooks make of it, in place. A sandbox has none.

        Whose its fields are was noted before, and stays so (kube-apiserver, patchResource: applyPatch, applyAdmission).
        """

    def validate(self, resource: Resource, obj: Object, current: Object | None) -> None:
        validation.validate(resource, obj, current)

    def admit(self, store: Store, resource: Resource, obj: Object) -> None:
        admit(store, resource, obj)
