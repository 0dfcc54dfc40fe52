# SPDX-License-Identifier: GPL-3.0-or-later
"""The loop of every controller: events become keys, keys are reconciled, failed keys are retried."""

from __future__ import annotations

import asyncio
import logging
import typing as t

from sandbox.kubernetes.controllers.queue import WorkQueue
from sandbox.kubernetes.errors import ApiError

if t.TYPE_CHECKING:
    from sandbox.kubernetes.controllers.cluster import Cluster
    from sandbox.kubernetes.controllers.objects import Object
    from sandbox.kubernetes.history import Event

logger = logging.getLogger(__name__)


class Controller(t.Protocol):
    @property
    def name(self) -> str: ...

    @property
    def watched(self) -> tuple[str, ...]:
        """Plural names of the resources whose events concern it."""

    def keys(self, resource: str, obj: Object, previous: Object | None) -> t.Iterable[str]:
        """What to reconcile because `obj` appeared, changed or went; `previous` is how it was."""

    def reconcile(self, key: str) -> float | None:
        """Bring the world one step nearer to what is wanted. Seconds until it should be called again
        by itself, or None. An ApiError means: try again later."""


async def run_controller(controller: Controller, cluster: Cluster) -> None:
    queue = WorkQueue()
    subscriptions = {name: cluster.store.subscribe(name) for name in controller.watched}
    for name in controller.watched:
        for obj in cluster.all(name):
            _enqueue(controller, queue, name, obj, None)
    try:
        async with asyncio.TaskGroup() as group:
            for name, subscription in subscriptions.items():
                group.create_task(_enqueue_events(controller, queue, name, subscription.next_event))
            group.create_task(_work(controller, queue))
    finally:
        queue.close()
        for subscription in subscriptions.values():
            subscription.close()


def _enqueue(
    controller: Controller, queue: WorkQueue, resource: str, obj: Object, previous: Object | None
) -> None:
    for key in controller.keys(resource, obj, previous):
        queue.add(key)


async def _enqueue_events(
    controller: Controller,
    queue: WorkQueue,
    resource: str,
    next_event: t.Callable[[], t.Awaitable[Event | None]],
) -> None:
    while (event := await next_event()) is not None:
        previous = event.previous.body if event.previous else None
        _enqueue(controller, queue, resource, event.record.body, previous)


async def _work(controller: Controller, queue: WorkQueue) -> None:
    while True:
        key = await queue.take()
        # The API server shares this loop: let its requests in between two keys.
        await asyncio.sleep(0)
        try:
            again = controller.reconcile(key)
        except ApiError as exc:
            logger.debug("%s: %s: %s", controller.name, key, exc)
            queue.retry(key)
        except Exception:
            # One object that cannot be reconciled must not stop the others.
            logger.exception("%s: %s", controller.name, key)
            queue.retry(key)
        else:
            queue.forget(key)
            if again is not None:
                queue.add_later(key, again)
