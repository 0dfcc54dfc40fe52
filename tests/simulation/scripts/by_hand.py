# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person does beside the playbooks that release."""

from __future__ import annotations

import json
import typing as t

from ..platform import FLAGS, image_of
from .script import Script


def unlock(script: Script) -> None:
    script.require(
        script.task(
            "playbooks/unlock",
            "Release the deploy lock",
            reason="it hangs",
            force=bool(script.actor.options["force"]),
        )
    )


def kubectl(script: Script) -> None:
    """What no playbook does: somebody who writes by himself, without fence and without a lock."""
    session, does = script.world.client(), script.actor.options["does"]
    name = script.services[0]
    deployment = f"/apis/apps/v1/namespaces/easymo-prod/deployments/{name}"
    merge = "application/merge-patch+json"
    patches: dict[str, t.Any] = {
        "image": (
            "application/strategic-merge-patch+json",
            {"spec": {"template": {"spec": {"containers": [
                {"name": name, "image": image_of(name, "2.0.9-hotfix", script.world.plan)}]}}}},
        ),
        "scale": (merge, {"spec": {"replicas": 3}}),
        "annotate": (merge, {"metadata": {"annotations": {"team": "payments"}}}),
    }  # fmt: skip
    if does in patches:
        content_type, body = patches[does]
        session.write("PATCH", deployment, body, content_type)
    elif does == "flag":
        path = f"/api/v1/namespaces/easymo-prod/configmaps/{FLAGS}"
        session.write("PATCH", path, {"data": {"FEATURE_OTHER": "true"}}, merge)
    else:
        pods = json.loads(session.read("/api/v1/namespaces/easymo-prod/pods"))["items"]
        session.write(
            "DELETE",
            f"/api/v1/namespaces/easymo-prod/pods/{pods[0]['metadata']['name']}",
            None,
            merge,
        )
