# SPDX-License-Identifier: GPL-3.0-or-later
"""The control plane's controllers, run side by side in the API server's process."""

from __future__ import annotations

import asyncio
import typing as t

from sandbox.kubernetes.controllers.controller import Controller, run_controller
from sandbox.kubernetes.controllers.deployment import DeploymentController
from sandbox.kubernetes.controllers.endpointslices import EndpointSliceController
from sandbox.kubernetes.controllers.events import GarbageCollector, expire_events
from sandbox.kubernetes.controllers.nodes import NodeController, Scheduler
from sandbox.kubernetes.controllers.objects import Cluster
from sandbox.kubernetes.controllers.replicaset import ReplicaSetController
from sandbox.kubernetes.controllers.workloads import CONTROLLERS

if t.TYPE_CHECKING:
    from sandbox.faults import Faults
    from sandbox.kubernetes.store import Store


async def run(store: Store, faults: Faults) -> None:
    cluster = Cluster(store)
    controllers: tuple[Controller, ...] = (
        DeploymentController(cluster, faults),
        ReplicaSetController(cluster, faults),
        Scheduler(cluster, faults),
        EndpointSliceController(cluster),
        GarbageCollector(cluster),
        NodeController(cluster),
        *(controller(cluster) for controller in CONTROLLERS),
    )
    async with asyncio.TaskGroup() as group:
        for controller in controllers:
            group.create_task(run_controller(controller, cluster))
        group.create_task(expire_events(cluster))
