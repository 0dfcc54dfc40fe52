"""What a person does beside the playbooks that release."""

import json
import typing as t

from ..platform import FLAGS, FLAGS_BEFORE, OLD, PERCENTAGE, SWITCH, VERSION, image_of
from .script import Script

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"


def unlock(script: Script) -> None:
    script.do(
        "playbooks/unlock",
        "Release the deploy lock",
        reason="it hangs",
        force=bool(script.actor.options["force"]),
    )


def lock(script: Script) -> None:
    script.do(
        "playbooks/lock",
        "Set the deploy lock by hand",
        reason="a migration by hand",
        ticket="",
        wait=script.actor.options.get("wait", 0),
        force=bool(script.actor.options.get("force")),
    )


def kubectl(script: Script) -> None:
    """What no playbook does: somebody who writes by himself, without fence and without a lock."""
    session, does = script.world.client(), script.actor.options["does"]
    space = "namespaces/easymo-prod"
    deployment = f"/apis/apps/v1/{space}/deployments/{script.services[0]}"
    maps, pods = f"/api/v1/{space}/configmaps", f"/api/v1/{space}/pods"
    flags, lease = f"{maps}/{FLAGS}", f"/apis/coordination.k8s.io/v1/{space}/leases/easymo-deploy"
    frozen = {"metadata": {"name": "deploy-freeze"}, "data": {"reason": "a holiday"}}
    writes: dict[str, tuple[str, str, t.Any, str]] = {
        "image": ("PATCH", deployment, _with_image(script, "2.0.9-hotfix"), STRATEGIC),
        "scale": ("PATCH", deployment, {"spec": {"replicas": 3}}, MERGE),
        "annotate": ("PATCH", deployment, {"metadata": {"annotations": {"team": "a"}}}, MERGE),
        "new": ("PATCH", deployment, _with_image(script, VERSION), STRATEGIC),
        "pause": ("PATCH", deployment, {"spec": {"paused": True}}, MERGE),
        "flag": ("PATCH", flags, {"data": {"FEATURE_OTHER": "true"}}, MERGE),
        "percentage": ("PATCH", flags, {"data": {PERCENTAGE: "7"}}, MERGE),
        "on": ("PATCH", flags, {"data": {SWITCH: "true", PERCENTAGE: "1"}}, MERGE),
        "off": ("PATCH", flags, {"data": {SWITCH: "false"}}, MERGE),
        "lease": ("DELETE", lease, None, MERGE),
        "freeze": ("POST", maps, frozen, "application/json"),
        "thaw": ("DELETE", f"{maps}/deploy-freeze", None, MERGE),
    }
    reverts = {
        "revert image": (deployment, STRATEGIC, _with_image(script, OLD)),
        "revert flags": (flags, MERGE, {"data": FLAGS_BEFORE}),
        "revert off": (flags, MERGE, {"data": {SWITCH: "true", PERCENTAGE: "10"}}),
    }
    if does in writes:
        session.write(*writes[does])
    elif does in reverts:
        _revert(script, *reverts[does])
    elif does == "autoscale":
        _autoscale(script, f"{deployment}/scale")
    elif does == "drain":
        _drain(script, script.actor.options["node"])
    elif does == "flags":
        for number in range(30):
            session.write("PATCH", flags, {"data": {"FEATURE_OTHER": str(number)}}, MERGE)
            script.world.sleep(script.world.chance.uniform(0.05, 0.3))
    elif does == "labels":
        for number in range(60):
            seen = {"metadata": {"labels": {"seen": str(number)}}}
            session.write("PATCH", f"{maps}/release-{VERSION}", seen, MERGE)
            script.world.sleep(script.world.chance.uniform(0.05, 0.5))
    else:
        for first in json.loads(session.read(pods))["items"][:1]:
            session.write("DELETE", f"{pods}/{first['metadata']['name']}", None, MERGE)


def _with_image(script: Script, version: str) -> t.Any:
    """A patch of the first service."""
    name = script.services[0]
    container = {"name": name, "image": image_of(name, version, script.world.plan)}
    return {"spec": {"template": {"spec": {"containers": [container]}}}}


def _autoscale(script: Script, scale: str) -> None:
    """A HorizontalPodAutoscaler, which looks every 15 seconds (the page "Horizontal Pod Autoscaling")."""
    for _look in range(20):
        script.world.sleep(15.0)
        replicas = script.world.chance.choice((1, 2, 3, 3, 4))
        script.world.client().write("PATCH", scale, {"spec": {"replicas": replicas}}, MERGE)


def _revert(script: Script, path: str, content_type: str, wanted: t.Any) -> None:
    """What holds an object to what is in Git, seconds after it changed, by a patch of what differs (the page "Automatic
    Self-Healing" of Argo CD, whose default is five seconds)."""
    session = script.world.client()
    for _look in range(20):
        script.world.sleep(script.world.chance.uniform(5.0, 20.0))
        if not _has(json.loads(session.read(path)), wanted):
            session.write("PATCH", path, wanted, content_type)


def _has(body: t.Any, wanted: t.Any) -> bool:
    if isinstance(wanted, dict):
        return all(_has(body.get(name), value) for name, value in wanted.items())
    if isinstance(wanted, list):
        return all(any(_has(one, want) for one in body) for want in wanted)
    return bool(body == wanted)


def _drain(script: Script, node: str) -> None:
    """`kubectl drain`, which evicts what is there (the page "Safely Drain a Node"); a minute later it is uncordoned."""
    session = script.world.client()
    session.write("PATCH", f"/api/v1/nodes/{node}", {"spec": {"unschedulable": True}}, MERGE)
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
    session.write("PATCH", f"/api/v1/nodes/{node}", {"spec": {"unschedulable": False}}, MERGE)
