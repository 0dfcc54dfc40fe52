"""The cluster's nodes, of plans in which some are out of reach for a while or for good.

What follows from that is the sandbox's node lifecycle controller's to say: after 40 seconds without a lease a node is
not ready, nor are its pods; after 300 more they are deleted, and are gone when the node is back or is deleted itself
(Kubernetes' pages "Nodes" and "Taints and Tolerations").
"""

from __future__ import annotations

import typing as t

from sandbox.kubernetes.controllers.nodes import LEASES, filter_reasons
from sandbox.kubernetes.controllers.objects import copied, micro_timestamp
from sandbox.node.client import node_object, node_status

if t.TYPE_CHECKING:
    from sandbox.kubernetes.store import Store

    from .plan import Outage
    from .world import World

NAMES = ("node-1", "node-2", "node-3")
RENEW_EVERY = 10.0
"""The kubelet's nodeLeaseDurationSeconds, 40, by four."""
PODS = 110
_ANY_POD: t.Mapping[str, t.Any] = {"spec": {}}


class Nodes:
    def __init__(self, world: World) -> None:
        self._world = world
        for name in NAMES:
            world.store.create("nodes", node_object(name, "10.0.0.0/16"))
            lease = {"metadata": {"name": name, "namespace": LEASES}, "spec": {}}
            world.store.create("leases", lease)
            self._report(name)
            self._renew(name)

    def begin(self, outages: t.Iterable[Outage]) -> None:
        """Each at its time from now on."""
        now = self._world.scheduler.now
        for one in outages:
            self._world.scheduler.at(now + one.begins, lambda one=one: self._lose(one))

    def _lose(self, outage: Outage) -> None:
        self._world.say(f"{outage.node} is out of reach")
        self._world.kubelet.unreachable.add(outage.node)
        back = self._delete if outage.for_good else self._come_back
        self._world.plane.later(outage.seconds, lambda: back(outage.node))

    def _delete(self, name: str) -> None:
        """By the cloud's controller, which knows that its machine is gone."""
        self._world.say(f"{name} is deleted")
        self._world.store.delete("nodes", "", name)

    def _come_back(self, name: str) -> None:
        self._world.say(f"{name} is back")
        self._world.kubelet.unreachable.discard(name)
        self._report(name)
        self._world.kubelet.come_back(name)

    def _renew(self, name: str) -> None:
        lease = self._world.store.get("leases", LEASES, name)
        lease["spec"]["renewTime"] = micro_timestamp(self._world.now())
        if name not in self._world.kubelet.unreachable:
            self._world.store.update("leases", lease)
        self._world.plane.later(RENEW_EVERY, lambda: self._renew(name))

    def _report(self, name: str) -> None:
        node = copied(self._world.store.get("nodes", "", name))
        before = (node.get("status") or {}).get("conditions") or ()
        node["status"] = node_status(
            name, 10250, pods=PODS, ready=True, before=before, now=self._world.now()
        )
        self._world.store.update("nodes", node, subresource="status")


def schedulable(store: Store) -> t.Sequence[str]:
    """Where new pods are put: anywhere, of plans in which nothing happens to nodes."""
    nodes = [one.body for one in store.records("nodes")]
    fit = [one["metadata"]["name"] for one in nodes if not filter_reasons(_ANY_POD, one, ())]
    return fit if nodes else NAMES
