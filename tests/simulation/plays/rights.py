"""The rights of manifests/rbac/: each playbook is played with those of its role, and the API server refuses more."""

from __future__ import annotations

import functools
import typing as t

import yaml

from sandbox.kubernetes.service_accounts import AUTHENTICATED, PREFIX, User

from ..world import NAMESPACE
from . import ROOT

if t.TYPE_CHECKING:
    from ..world import World

DEPLOY, GUARD, SIGN, LOOK = (f"easymo-{task}" for task in ("deploy", "guard", "sign", "look"))
ROLES = {
    "guard": GUARD,
    **dict.fromkeys(("approve", "decide"), SIGN),
    **dict.fromkeys(("report", "status"), LOOK),
}
"""By the playbook; DEPLOY for the others."""
Right = tuple[str, str, str, str]
"""A role, a verb, a resource and the name that it is for, "" for all of them."""
left_out: set[Right] = set()
"""Of worlds to come."""


@functools.cache
def granted() -> dict[Right, dict[str, t.Any]]:
    """Each verb of each role on its own, with its rule."""
    files = sorted((ROOT / "manifests" / "rbac").glob("*.yaml"))
    bodies = [yaml.safe_load(path.read_text("utf-8")) for path in files]
    return {
        (body["metadata"]["name"], verb, resource, name): {
            "apiGroups": rule["apiGroups"],
            "resources": [resource],
            "verbs": [verb],
            **({"resourceNames": [name]} if name else {}),
        }
        for body in bodies
        for rule in body.get("rules", ())
        for resource in rule["resources"]
        for verb in rule["verbs"]
        for name in rule.get("resourceNames") or [""]
    }


def act_as(world: World, actor: str, playbook: str) -> None:
    """Have the actor the rights of the playbook's role, and no others."""
    if not world.callers:
        for role in (DEPLOY, GUARD, SIGN, LOOK):
            _grant(world, role)
    account = f"{PREFIX}{NAMESPACE}:{ROLES.get(playbook, DEPLOY)}"
    world.callers[actor] = User(account, (AUTHENTICATED,))


def _grant(world: World, role: str) -> None:
    rules = [
        rule for right, rule in granted().items() if right[0] == role and right not in left_out
    ]
    metadata = {"name": role, "namespace": NAMESPACE}
    subject = {"kind": "ServiceAccount", "name": role, "namespace": NAMESPACE}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role}
    world.store.create("roles", {"metadata": {**metadata}, "rules": rules})
    bound = {"metadata": {**metadata}, "roleRef": reference, "subjects": [subject]}
    world.store.create("rolebindings", bound)
