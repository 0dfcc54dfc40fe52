"""golden/rollout-*.jsonl: what watches showed of five rollouts on a real control plane, and how to compare it.

They tell of Deployments, ReplicaSets, pods, Events and EndpointSlices. Times, hashes and pod names vary, and of states
that last no time some may be missing; order and words may not. The recorded node only pretended to run its containers.
"""

import json
import re
import typing as t
from pathlib import Path

from tests.contract.rollout_cluster import SERVICE

Object = dict[str, t.Any]
Timeline = list[Object]

GOLDEN = Path(__file__).parent / "golden"
SCENARIOS = ("green", "crash", "undo", "quota", "quota-lifted")
QUOTA: Object = {
    "apiVersion": "v1",
    "kind": "ResourceQuota",
    "metadata": {"name": "q"},
    "spec": {"hard": {"pods": "3"}},
}
SET_NAME = re.compile(rf"{SERVICE}-[0-9bcdf]{{5,10}}")
COMBINED = "(combined from similar events): "


def golden(name: str) -> Timeline:
    lines = (GOLDEN / f"rollout-{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def reduced(event: Object) -> Object | None:
    """An event of a watch in the form of the recordings."""
    obj = event["object"]
    kind = obj["kind"]
    if kind == "Deployment":
        notes = obj["metadata"].get("annotations") or {}
        return {
            "kind": kind,
            "generation": obj["metadata"]["generation"],
            "revision": notes.get("deployment.kubernetes.io/revision"),
            "status": obj.get("status") or {},
        }
    if kind == "ReplicaSet":
        return {
            "kind": kind,
            "name": obj["metadata"]["name"],
            "replicas": obj["spec"]["replicas"],
            "annotations": obj["metadata"].get("annotations"),
            "conditions": (obj.get("status") or {}).get("conditions") or [],
        }
    if kind == "Event" and obj["involvedObject"]["kind"] in ("Deployment", "ReplicaSet"):
        about = obj["involvedObject"]["kind"]
        return {"kind": kind, "about": about, **{k: obj[k] for k in ("type", "reason", "message")}}
    if kind == "EndpointSlice":
        return {"kind": kind, "endpoints": [e["conditions"] for e in obj.get("endpoints") or []]}
    if kind == "Pod":
        return _pod(event["type"], obj)
    return None


def _pod(change: str, obj: Object) -> Object:
    status = obj.get("status") or {}
    return {
        "kind": "Pod",
        "change": change,
        "name": obj["metadata"]["name"],
        "phase": status.get("phase"),
        "grace": obj["metadata"].get("deletionGracePeriodSeconds"),
        "conditions": {one["type"]: one["status"] for one in status.get("conditions") or ()},
        "containers": [
            {"state": one["state"], "ready": one["ready"], "restarts": one["restartCount"]}
            for one in status.get("containerStatuses") or ()
        ],
    }


def named(timeline: Timeline) -> Timeline:
    """ReplicaSets by the order in which the timeline names them: `set-1`, `set-2`."""
    names: dict[str, str] = {}

    def rename(text: str) -> str:
        def label(found: re.Match[str]) -> str:
            return names.setdefault(found[0], f"set-{len(names) + 1}")

        text = SET_NAME.sub(label, text.removeprefix(COMBINED))
        text = re.sub(r"(set-\d+)-[a-z0-9]{5}\b", r"\1-POD", text)
        return re.sub(r"(used|limited): pods=\d+", r"\1: pods=N", text)

    return [_mapped(entry, rename) for entry in timeline]


def _mapped(value: t.Any, change: t.Callable[[str], str]) -> t.Any:
    if isinstance(value, dict):
        return {key: _mapped(entry, change) for key, entry in value.items()}
    if isinstance(value, list):
        return [_mapped(entry, change) for entry in value]
    return change(value) if isinstance(value, str) else value


def deployments(timeline: Timeline) -> Timeline:
    return [entry for entry in named(timeline) if entry["kind"] == "Deployment"]


def distinct(values: t.Iterable[t.Any]) -> list[t.Any]:
    """Without repetitions of the one just before."""
    kept: list[t.Any] = []
    for value in values:
        if not kept or kept[-1] != value:
            kept.append(value)
    return kept


def condition_story(timeline: Timeline) -> list[tuple[tuple[str, ...], ...]]:
    words = ("type", "status", "reason", "message")
    return distinct(
        tuple(sorted(tuple(c[w] for w in words) for c in entry["status"].get("conditions", ())))
        for entry in deployments(timeline)
    )


def revision_story(timeline: Timeline) -> list[tuple[bool, int]]:
    """(the status is of an older generation, revision since the start)."""
    found = deployments(timeline)
    first = int(found[0]["revision"])
    return distinct(
        (e["status"].get("observedGeneration", 0) < e["generation"], int(e["revision"]) - first)
        for e in found
    )


def told(timeline: Timeline, about: str) -> list[tuple[str, str, str]]:
    return distinct(
        (e["type"], e["reason"], e["message"])
        for e in named(timeline)
        if e["kind"] == "Event" and e["about"] == about
    )


def in_order(part: t.Sequence[t.Any], whole: t.Sequence[t.Any]) -> bool:
    rest = iter(whole)
    return all(any(entry == other for other in rest) for entry in part)


def pod_stories(timeline: Timeline) -> list[list[Object]]:
    """What was seen of each pod, in order of their first appearance."""
    found: dict[str, list[Object]] = {}
    for entry in timeline:
        if entry["kind"] == "Pod":
            found.setdefault(entry["name"], []).append(entry)
    return [*found.values()]
