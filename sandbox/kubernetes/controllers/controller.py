# SPDX-License-Identifier: GPL-3.0-or-later
"""The loop of every controller: events become keys, keys are reconciled, failed keys are retried.

Its queue has each key once, later when asked, with backoff after a failure.
"""

from __future__ import annotations

import asyncio
import logging
import typing as t

from sandbox.kubernetes.controllers.objects import key_of, labels_of, metadata, selected
from sandbox.kubernetes.errors import ApiError

if t.TYPE_CHECKING:
    from sandbox.kubernetes.controllers.objects import Cluster, Object
    from sandbox.kubernetes.history import Subscription

FIRST_DELAY = 0.005
# The real controllers go on to 1000 s; here a cleared fault should be noticed while somebody watches.
LAST_DELAY = 10.0


def backoff(failures: int) -> float:
    """Seconds before the next try: 5 ms doubling, as the real rate limiter, to `LAST_DELAY`."""
    return min(LAST_DELAY, FIRST_DELAY * 2.0 ** min(failures, 30))


class WorkQueue:
    def __init__(self) -> None:
        self._ready: dict[str, None] = {}
        self._wake = asyncio.Event()
        self._failures: dict[str, int] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def add(self, key: str) -> None:
        self._ready[key] = None
        self._wake.set()

    def add_later(self, key: str, delay: float) -> None:
        """Add after `delay` seconds; an earlier appointment for the same key stands."""
        loop = asyncio.get_running_loop()
        planned = self._timers.get(key)
        if planned is not None:
            if planned.when() <= loop.time() + delay:
                return
            planned.cancel()
        self._timers[key] = loop.call_later(delay, self._due, key)

    def _due(self, key: str) -> None:
        self._timers.pop(key, None)
        self.add(key)

    def retry(self, key: str) -> None:
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        self.add_later(key, backoff(failures))

    def forget(self, key: str) -> None:
        """The key was reconciled without failure: its next failure starts the backoff anew."""
        self._failures.pop(key, None)

    async def take(self) -> str:
        while not self._ready:
            self._wake.clear()
            await self._wake.wait()
        key = next(iter(self._ready))
        del self._ready[key]
        return key

    def close(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()


logger = logging.getLogger(__name__)


class Controller:
    name = ""
    watched: tuple[str, ...] = ()
    """Plural names of the resources whose events concern it."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def keys(self, resource: str, obj: Object, previous: Object | None) -> t.Iterable[str]:
        """What to reconcile because `obj` appeared, changed or went; `previous` is how it was."""
        raise NotImplementedError

    def reconcile(self, key: str) -> float | None:
        """Bring the world one step nearer to what is wanted. Seconds until it should be called again
        by itself, or None. An ApiError means: try again later."""
        raise NotImplementedError

    def _adopters(self, resource: str, orphan: Object) -> list[str]:
        """The keys of those whose selector an object that nobody controls matches."""
        return [
            key_of(entry)
            for entry in self._cluster.all(resource, metadata(orphan)["namespace"])
            if selected(entry["spec"].get("selector"), labels_of(orphan))
        ]


async def run_controller(controller: Controller, cluster: Cluster) -> None:
    queue = WorkQueue()
    subscriptions = {name: cluster.store.subscribe(name) for name in controller.watched}
    for name in controller.watched:
        for obj in cluster.all(name):
            _enqueue(controller, queue, name, obj, None)
    try:
        async with asyncio.TaskGroup() as group:
            for name, subscription in subscriptions.items():
                group.create_task(_enqueue_events(controller, queue, name, subscription))
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
    controller: Controller, queue: WorkQueue, resource: str, events: Subscription
) -> None:
    while (event := await events.next_event()) is not None:
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
