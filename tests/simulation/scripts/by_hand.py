# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person does beside the playbooks that release."""

from __future__ import annotations

import json
import typing as t

from ..platform import FLAGS, PERCENTAGE, SWITCH, VERSION, image_of
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


def lock(script: Script) -> None:
    script.require(
        script.task(
            "playbooks/lock",
            "Set the deploy lock by hand",
            reason="a migration by hand",
            ticket="",
            wait=script.actor.options.get("wait", 0),
            force=bool(script.actor.options.get("force")),
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
        "new": (
            "application/strategic-merge-patch+json",
            {"spec": {"template": {"spec": {"containers": [
                {"name": name, "image": image_of(name, VERSION, script.world.plan)}]}}}},
        ),
        "pause": (merge, {"spec": {"paused": True}}),
    }  # fmt: skip
    maps = "/api/v1/namespaces/easymo-prod/configmaps"
    flags = f"{maps}/{FLAGS}"
    if does in patches:
        content_type, body = patches[does]
        session.write("PATCH", deployment, body, content_type)
    elif does == "flag":
        session.write("PATCH", flags, {"data": {"FEATURE_OTHER": "true"}}, merge)
    elif does == "percentage":
        session.write("PATCH", flags, {"data": {PERCENTAGE: "7"}}, merge)
    elif does == "autoscale":
        _autoscale(script, f"{deployment}/scale")
    elif does == "drain":
        _drain(script, script.actor.options["node"])
    elif does == "on":
        session.write("PATCH", flags, {"data": {SWITCH: "true", PERCENTAGE: "1"}}, merge)
    elif does == "off":
        session.write("PATCH", flags, {"data": {SWITCH: "false"}}, merge)
    elif does in ("flags", "labels"):
        for number in range(30 if does == "flags" else 60):
            if does == "flags":
                session.write("PATCH", flags, {"data": {"FEATURE_OTHER": str(number)}}, merge)
            else:
                seen = {"metadata": {"labels": {"seen": str(number)}}}
                session.write("PATCH", f"{maps}/release-{VERSION}", seen, merge)
            script.world.sleep(script.world.chance.uniform(0.05, 0.3 if does == "flags" else 0.5))
    elif does == "lease":
        lease = "/apis/coordination.k8s.io/v1/namespaces/easymo-prod/leases/easymo-deploy"
        session.write("DELETE", lease, None, merge)
    elif does == "freeze":
        frozen = {"metadata": {"name": "deploy-freeze"}, "data": {"reason": "a holiday"}}
        session.write("POST", maps, frozen, "application/json")
    elif does == "thaw":
        session.write("DELETE", f"{maps}/deploy-freeze", None, merge)
    else:
        pods = json.loads(session.read("/api/v1/namespaces/easymo-prod/pods"))["items"]
        for first in pods[:1]:
            path = f"/api/v1/namespaces/easymo-prod/pods/{first['metadata']['name']}"
            session.write("DELETE", path, None, merge)


def _autoscale(script: Script, scale: str) -> None:
    """A HorizontalPodAutoscaler, which looks every 15 seconds (the page "Horizontal Pod Autoscaling")."""
    for _look in range(20):
        script.world.sleep(15.0)
        replicas = script.world.chance.choice((1, 2, 3, 3, 4))
        script.world.client().write(
            "PATCH", scale, {"spec": {"replicas": replicas}}, "application/merge-patch+json"
        )


def _drain(script: Script, node: str) -> None:
    """`kubectl drain`, which evicts what is there (the page "Safely Drain a Node"); a minute later it is uncordoned."""
    session, merge = script.world.client(), "application/merge-patch+json"
    session.write("PATCH", f"/api/v1/nodes/{node}", {"spec": {"unschedulable": True}}, merge)
    pods = "/api/v1/namespaces/easymo-prod/pods"
    for pod in json.loads(session.read(pods))["items"]:
        if pod["spec"].get("nodeName") == node:
            name = pod["metadata"]["name"]
            eviction = {
                "apiVersion": "policy/v1",
                "kind": "Eviction",
                "metadata": {"name": name, "namespace": "easymo-prod"},
            }
            session.write("POST", f"{pods}/{name}/eviction", eviction, "application/json")
    script.world.sleep(60.0)
    session.write("PATCH", f"/api/v1/nodes/{node}", {"spec": {"unschedulable": False}}, merge)
