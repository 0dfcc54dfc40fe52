"""agent-core in a namespace of a test's own, with its flags as the test wants them delivered."""

import json
import typing as t

from sandbox.services.manifests import FLAGS
from tests.integration.conftest import Place

NAME = "agent-core"
FLAGS_FOLDER = "/etc/feature-flags"
FLAGS_SETTINGS: t.Mapping[str, t.Mapping[str, str]] = {
    "environment": {},
    "files": {"FLAGS_DIRECTORY": FLAGS_FOLDER},
}
"""How a service may have its flags, and which settings tell it so."""
AGENTS, PERCENTAGE = "FEATURE_AI_AGENTS", "FEATURE_AI_AGENTS_ROLLOUT_PERCENTAGE"


def agent_core(delivery: str, replicas: int = 1) -> dict[str, t.Any]:
    """Its Deployment; `delivery` as in FLAGS_SETTINGS. Its probe needs nothing but the pod."""
    labels = {"app": NAME}
    container: dict[str, t.Any] = {
        "name": NAME,
        "image": f"easymo/{NAME}:v2.0.0",
        "ports": [{"containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/livez", "port": 8080}, "periodSeconds": 1},
    }
    pod: dict[str, t.Any] = {"containers": [container], "terminationGracePeriodSeconds": 3}
    if settings := FLAGS_SETTINGS[delivery]:
        container["env"] = [{"name": name, "value": value} for name, value in settings.items()]
        container["volumeMounts"] = [{"name": FLAGS, "mountPath": FLAGS_FOLDER}]
        pod["volumes"] = [{"name": FLAGS, "configMap": {"name": FLAGS, "optional": True}}]
    else:
        container["envFrom"] = [{"configMapRef": {"name": FLAGS, "optional": True}}]
    template = {"metadata": {"labels": labels}, "spec": pod}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": NAME},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
    }


def start(place: Place, deployment: t.Mapping[str, t.Any]) -> list[str]:
    """The names of its pods, once all are ready."""
    place.kubectl("apply", "-f", "-", stdin=json.dumps(deployment))
    place.kubectl("rollout", "status", f"deployment/{NAME}", "--timeout=120s")
    return names(place)


def names(place: Place) -> list[str]:
    pods = place.read("pods", selector=f"app={NAME}")["items"]
    staying = [pod["metadata"] for pod in pods if "deletionTimestamp" not in pod["metadata"]]
    return sorted(one["name"] for one in staying)


def told(place: Place, pod: str) -> t.Any:
    """By the process itself, through the API server's proxy."""
    path = f"/api/v1/namespaces/{place.namespace}/pods/{pod}:8080/proxy/flags"
    return json.loads(place.kubectl("get", "--raw", path))["flags"]
