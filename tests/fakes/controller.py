"""A Deployment controller and kubelet for one Deployment in a MemoryCluster, one pod a tick.

Images end in what becomes of their pods: `-nopull`, `-crash`, `-unready`, or anything else for a good one.
"""

import hashlib
import json

from ansible_collections.easymo.deploy.plugins.module_utils._cluster import Object
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.models import (
    HASH_LABEL,
    REVISION,
)
from tests.fakes.cluster import MemoryCluster

NAME = "wallet-service"


def deployment(image: str, replicas: int = 3) -> Object:
    return {
        "metadata": {"name": NAME, "uid": "u-1", "generation": 1, "annotations": {"team": "w"}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": NAME}},
            "template": {
                "metadata": {"labels": {"app": NAME}},
                "spec": {"containers": [{"name": NAME, "image": image}]},
            },
        },
    }


class Controller:
    def __init__(self, cluster: MemoryCluster, image: str) -> None:
        self.cluster = cluster
        self.silent = False
        self.revision = 0
        self.looked: dict[str, int] = {}
        self.started = 0
        cluster.put("Deployment", deployment(image))
        for _tick in range(8):
            self.tick()

    def tick(self) -> None:
        body = self.cluster.objects.get(("Deployment", NAME))
        if body is None or self.silent:
            return
        replica_set = self._replica_set(body)
        pods = [one for (kind, _n), one in self.cluster.objects.items() if kind == "Pod"]
        current = [pod for pod in pods if pod["metadata"]["labels"][HASH_LABEL] == replica_set]
        old = [pod for pod in pods if pod not in current]
        wanted = body["spec"]["replicas"]
        ready = [pod for pod in current if _ready(pod)]
        if old and len(ready) + len(old) > wanted:
            self.cluster.objects.pop(("Pod", old.pop()["metadata"]["name"]))
        elif len(current) < wanted and len(pods) <= wanted:
            self.started += 1
            current.append(self._start(body, replica_set, self.started))
        for pod in current:
            self._kubelet(pod)
        ready = [pod for pod in current if _ready(pod)]
        body["status"] = {
            "observedGeneration": body["metadata"]["generation"],
            "replicas": len(current) + len(old),
            "updatedReplicas": len(current),
            "readyReplicas": len(ready) + len(old),
            "availableReplicas": len(ready) + len(old),
        }

    def _replica_set(self, body: Object) -> str:
        template = json.dumps(body["spec"]["template"], sort_keys=True)
        short = hashlib.sha256(template.encode()).hexdigest()[:8]
        name = f"{NAME}-{short}"
        known = self.cluster.objects.get(("ReplicaSet", name))
        if known is None or int(known["metadata"]["annotations"][REVISION]) < self.revision:
            self.revision += 1
            self.cluster.put("ReplicaSet", _replica_set(name, short, self.revision, body))
            body["metadata"].setdefault("annotations", {})[REVISION] = str(self.revision)
        return short

    def _start(self, body: Object, short: str, number: int) -> Object:
        container = body["spec"]["template"]["spec"]["containers"][0]
        name = f"{NAME}-{short}-{number}"
        self.cluster.logs[name] = f"{NAME} {container['image']} started\n"
        self.cluster.put(
            "Pod",
            {
                "metadata": {
                    "name": name,
                    "uid": name,
                    "labels": {"app": NAME, HASH_LABEL: short},
                    "ownerReferences": [{"uid": f"rs-{short}", "controller": True}],
                },
                "spec": {"image": container["image"]},
                "status": {"phase": "Pending"},
            },
        )
        return self.cluster.objects["Pod", name]

    def _kubelet(self, pod: Object) -> None:
        image = pod["spec"]["image"]
        age = self.looked[pod["metadata"]["name"]] = self.looked.get(pod["metadata"]["name"], 0) + 1
        state, restarts = _container_state(image, age)
        good = "running" in state and not image.endswith("-unready")
        pod["status"] = {
            "phase": "Running" if "running" in state else "Pending",
            "conditions": [{"type": "Ready", "status": "True" if good else "False"}],
            "containerStatuses": [
                {"name": NAME, "ready": good, "restartCount": restarts, "state": state}
            ],
        }


def _container_state(image: str, age: int) -> tuple[Object, int]:
    if age < 2:
        return {"waiting": {"reason": "ContainerCreating"}}, 0
    if image.endswith("-nopull"):
        return {"waiting": {"reason": "ErrImagePull", "message": "manifest unknown"}}, 0
    if image.endswith("-crash"):
        return {"waiting": {"reason": "CrashLoopBackOff"}}, age // 3
    return {"running": {}}, 0


def _replica_set(name: str, short: str, revision: int, body: Object) -> Object:
    return {
        "metadata": {
            "name": name,
            "uid": f"rs-{short}",
            "labels": {"app": NAME, HASH_LABEL: short},
            "annotations": {REVISION: str(revision)},
            "ownerReferences": [{"uid": body["metadata"]["uid"], "controller": True}],
        },
        "spec": {"replicas": body["spec"]["replicas"], "template": body["spec"]["template"]},
    }


def _ready(pod: Object) -> bool:
    conditions = pod["status"].get("conditions") or []
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
