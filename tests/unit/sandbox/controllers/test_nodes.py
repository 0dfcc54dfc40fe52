"""A node out of reach: not ready after a while, its pods too, and those deleted that tolerate it no longer."""

import typing as t

import pytest

from sandbox.kubernetes.controllers.nodes import GRACE, LEASES, NodeController
from sandbox.kubernetes.controllers.objects import Cluster, condition, micro_timestamp, terminating
from sandbox.kubernetes.server import new_store
from sandbox.node.client import node_object, node_status

Object = dict[str, t.Any]
NODE = "node-1"
UNREACHABLE = "node.kubernetes.io/unreachable"


class Scene:
    """One node with a pod on it; time passes as the controller looks every five seconds."""

    def __init__(self, tolerations: list[Object]) -> None:
        self.now = 1_795_510_800.0
        self.cluster = Cluster(new_store(), lambda: self.now)
        self._controller = NodeController(self.cluster)
        store = self.cluster.store
        node = store.create("nodes", node_object(NODE, "10.0.0.0/24"))
        node["status"] = node_status(NODE, 10250, pods=110, ready=True, before=(), now=self.now)
        store.update("nodes", node, subresource="status")
        lease = {"renewTime": micro_timestamp(self.now)}
        store.create("leases", {"metadata": {"name": NODE, "namespace": LEASES}, "spec": lease})
        store.create("namespaces", {"metadata": {"name": "n"}})
        container = {"name": "web", "image": "shop/web:1"}
        spec = {"nodeName": NODE, "containers": [container], "tolerations": tolerations}
        pod = store.create("pods", {"metadata": {"name": "web", "namespace": "n"}, "spec": spec})
        pod["status"] = {"conditions": [{"type": "Ready", "status": "True"}]}
        store.update("pods", pod, subresource="status")

    def passes(self, seconds: float) -> None:
        until = self.now + seconds
        while self.now < until:
            self.now += 5.0
            self._controller.reconcile(NODE)

    @property
    def pod(self) -> Object:
        found = self.cluster.find("pods", "n", "web")
        assert found is not None
        return found


def test_a_silent_node_is_not_ready_nor_is_its_pod():
    scene = Scene([])
    scene.passes(GRACE)
    assert condition(scene.pod["status"], "Ready") == {"type": "Ready", "status": "True"}

    scene.passes(15)
    ready = condition(scene.pod["status"], "Ready")
    assert ready is not None
    assert ready["status"] == "False"


@pytest.mark.parametrize(("tolerations", "stays"), [
    ([], 300),
    ([{"key": UNREACHABLE, "operator": "Exists", "tolerationSeconds": 60}], 60),
    ([{"operator": "Exists"}], None),
], ids=["as all", "impatient", "for ever"])  # fmt: skip
def test_a_pod_stays_for_as_long_as_it_tolerates_it(tolerations, stays):
    scene = Scene(tolerations)
    scene.passes(GRACE + 15)
    scene.passes((stays or 3600) - 15)
    assert not terminating(scene.pod)
    if stays:
        scene.passes(25)
        # Only its kubelet can say that it has ended.
        assert terminating(scene.pod)
