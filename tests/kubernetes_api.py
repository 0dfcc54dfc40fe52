"""Objects as the API server has them, by the official client: a kubectl for each look costs eighty times as much."""

import functools
import json
import typing as t

from kubernetes import config
from kubernetes.dynamic import DynamicClient
from kubernetes.dynamic.exceptions import NotFoundError

API = {
    "configmaps": "api/v1",
    "deployments": "apis/apps/v1",
    "endpointslices": "apis/discovery.k8s.io/v1",
    "events": "api/v1",
    "leases": "apis/coordination.k8s.io/v1",
    "pods": "api/v1",
    "prometheusrules": "apis/monitoring.coreos.com/v1",
    "replicasets": "apis/apps/v1",
}


NO_COLLECTOR = {"GOGC": "off"}
"""Go's garbage collector takes a third of the time of a kubectl that ends before it has any."""


def read(kubeconfig: str, namespace: str, kind: str, name: str = "", selector: str = "") -> t.Any:
    """The object, or without a name the list of those that have the labels."""
    path = f"/{API[kind]}/namespaces/{namespace}/{kind}" + (f"/{name}" if name else "")
    query = [("labelSelector", selector)] if selector else []
    return json.loads(_asked(kubeconfig, "GET", path, query_params=query))


def create(kubeconfig: str, namespace: str, kind: str, body: dict[str, t.Any]) -> None:
    _asked(kubeconfig, "POST", f"/{API[kind]}/namespaces/{namespace}/{kind}", body=body)


def create_namespace(kubeconfig: str, name: str) -> None:
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    _asked(kubeconfig, "POST", "/api/v1/namespaces", body=body)


def delete_namespace(kubeconfig: str, name: str) -> None:
    """Begun; what is in it ends in its own time."""
    _asked(kubeconfig, "DELETE", f"/api/v1/namespaces/{name}")


def is_there(kubeconfig: str, namespace: str) -> bool:
    try:
        _asked(kubeconfig, "GET", f"/api/v1/namespaces/{namespace}")
    except NotFoundError:
        return False
    return True


def _asked(kubeconfig: str, method: str, path: str, **more: t.Any) -> bytes:
    answer = _client(kubeconfig).request(method, path, serialize=False, **more)
    return answer.data


@functools.cache
def _client(kubeconfig: str) -> DynamicClient:
    """Without discovery: paths are known."""
    api = config.new_client_from_config(kubeconfig)
    return DynamicClient(api, discoverer=lambda *_all: None)
