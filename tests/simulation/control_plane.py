"""The sandbox's API server and controllers, each request and each look of a controller one step of the scheduler."""

import hashlib
import random
import typing as t
from pathlib import Path

from aiohttp import web

from sandbox.faults import Faults
from sandbox.kubernetes.admission import ClusterRules
from sandbox.kubernetes.controllers.controller import Controller, backoff
from sandbox.kubernetes.controllers.deployment import DeploymentController
from sandbox.kubernetes.controllers.nodes import NodeController
from sandbox.kubernetes.controllers.objects import Cluster
from sandbox.kubernetes.controllers.replicaset import ReplicaSetController
from sandbox.kubernetes.errors import ApiError, Object
from sandbox.kubernetes.history import Event
from sandbox.kubernetes.requests import Target, parse_path
from sandbox.kubernetes.resources import Resource
from sandbox.kubernetes.rest import Rest
from sandbox.kubernetes.server import new_store
from sandbox.kubernetes.service_accounts import ADMINISTRATOR, User
from sandbox.kubernetes.store import Store
from sandbox.kubernetes.streaming import Kubelets, chosen_container

from .plan import DIGESTS, MIRRORS
from .scheduler import Scheduler

DELAYS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.3, 1.0)
RETURNS = (0.2, 1.0, 5.0)
"""Seconds after which a controller or a kubelet sees that the API server is back."""
USER_AGENT = "OpenAPI-Generator/simulation"


class NoFaults(Faults):
    """The sandbox's faults are of its own kind; the simulation's come from its plan."""

    def __init__(self) -> None:
        super().__init__(Path())

    def all(self) -> tuple[t.Any, ...]:
        return ()


class Asked(t.NamedTuple):
    method: str
    path: str
    query: t.Mapping[str, str]
    body: bytes = b""
    content_type: str = "application/json"


class Request:
    """What the sandbox's Rest asks of aiohttp's request."""

    def __init__(self, asked: Asked, user_agent: str, caller: User) -> None:
        self.method, self.path, self.query, self._body, self.content_type = asked
        self.headers = {"User-Agent": user_agent}
        self.caller = caller

    async def read(self) -> bytes:
        return self._body

    def __getitem__(self, _key: object) -> t.Any:
        return self.caller


class Containers(Kubelets):
    """The way to the simulated kubelet, which takes its place here."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.log_of: t.Callable[[Object, str, bool], str]

    async def logs(self, request: web.Request, pod: Object) -> web.StreamResponse:
        container = chosen_container(pod, request.query.get("container", ""))
        previous = request.query.get("previous") == "true"
        return web.Response(text=self.log_of(pod, container, previous))


class News(dict[str, "t.Sequence[Event]"]):
    """What happened since a version, by the resource: read once, however many look."""

    def __init__(self, store: Store, since: int) -> None:
        super().__init__()
        self._store = store
        self._since = since

    def __missing__(self, resource: str) -> t.Sequence[Event]:
        found = self[resource] = self._store.events_since(resource, self._since)
        return found


def with_digest(image: str) -> str:
    """As Kyverno makes of it (verifyImages, mutateDigest)."""
    return image if "@" in image else f"{image}@sha256:{hashlib.sha256(image.encode()).hexdigest()}"


def of_mirror(image: str) -> str:
    """As Kyverno's policy replace-image-registry makes of it."""
    return f"mirror.example.com/{image.partition('/')[2]}"


class ImageWebhook(ClusterRules):
    """One that changes the images of pod templates in Deployments."""

    def __init__(self, change: t.Callable[[str], str]) -> None:
        self._change = change

    def mutate(self, resource: Resource, obj: Object) -> None:
        if resource.plural == "deployments":
            for one in obj["spec"]["template"]["spec"]["containers"]:
                one["image"] = self._change(one["image"])


WEBHOOKS: t.Mapping[str, t.Callable[[str], str]] = {
    DIGESTS: with_digest,
    MIRRORS: of_mirror,
    "": str,
}
"""What each makes of an image, which is the same when it is asked again. "": there is none."""


class ControlPlane:
    def __init__(
        self,
        scheduler: Scheduler,
        seed: str,
        clock: t.Callable[[], float],
        late: float = 0.0,
        *,
        nodes: bool = False,
        webhook: str = "",
        down_until: t.Callable[[], float] = lambda: 0.0,
    ) -> None:
        """`late`: seconds by which a controller is late, four times out of ten. `nodes`: whether they have one.
        `webhook`: which of WEBHOOKS there is.

        `down_until`: when the API server is back, as the scheduler counts, 0.0 while it is there.
        """
        self.store: Store = new_store(ImageWebhook(WEBHOOKS[webhook]) if webhook else None)
        self.user_agent = USER_AGENT
        self.delays: t.Sequence[float] = (*DELAYS, *([late] * 5 if late else []))
        self._scheduler = scheduler
        self._random = random.Random(seed)
        self._down_until = down_until
        faults = NoFaults()
        self.containers = Containers(self.store)
        self._rest = Rest(self.store, self.containers, faults, "secret")
        self.authorizer = self._rest.authorizer
        cluster = Cluster(self.store, clock)
        self.controllers = [
            _Queue(self, one)
            for one in (
                DeploymentController(cluster, faults),
                ReplicaSetController(cluster, faults),
                *([NodeController(cluster)] if nodes else []),
            )
        ]
        self.listeners: list[t.Callable[[News], None]] = []
        self._told = int(self.store.version)

    @property
    def now(self) -> float:
        return self._scheduler.now

    def later(self, delay: float, work: t.Callable[[], None]) -> None:
        """Have the cluster do something by itself, and let everybody see what it wrote.

        While the API server is down it waits: controllers and kubelets list and watch anew when it is back, after a
        backoff (https://pkg.go.dev/k8s.io/client-go/tools/cache#Reflector).
        """

        def do() -> None:
            back = self._down_until()
            if back:
                self._scheduler.at(back + self._random.choice(RETURNS), do)
                return
            work()
            self.settle()

        self._scheduler.at(self._scheduler.now + delay, do)

    def settle(self) -> None:
        """After a write: controllers and watches learn of it, each in its own time."""
        version = int(self.store.version)
        if version == self._told:
            return
        news, self._told = News(self.store, self._told), version
        for queue in self.controllers:
            queue.notice(news)
        for listener in self.listeners:
            listener(news)

    def delay(self) -> float:
        """Of a controller: mostly milliseconds, now and then a second, or more where it is late."""
        return self._random.choice(self.delays)

    def answer(self, asked: Asked, caller: User = ADMINISTRATOR) -> tuple[int, bytes]:
        """One request, as one transaction, which nobody notices until `settle`. Raises ApiError for what is refused."""
        target = parse_path(asked.path)
        if target is None:
            raise ApiError(404, "NotFound", "the server could not find the requested resource")
        request = t.cast("t.Any", Request(asked, self.user_agent, caller))
        response = finished(self._rest.answer(request, t.cast("Target", target)))
        return response.status, bytes(response.body)


def finished(answering: t.Coroutine[t.Any, t.Any, t.Any]) -> t.Any:
    """What it comes to. Nothing here is waited for."""
    try:
        answering.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError(f"{answering} waits for something")


class _Queue:
    """A controller and the keys that it has still to look at."""

    def __init__(self, plane: ControlPlane, controller: Controller) -> None:
        self._plane = plane
        self._controller = controller
        self._due: set[str] = set()
        self._appointed: dict[str, float] = {}
        """When a key is looked at again by itself."""
        self._failures: dict[str, int] = {}

    def notice(self, news: News) -> None:
        for name in self._controller.watched:
            for event in news[name]:
                previous = event.previous.body if event.previous else None
                for key in sorted(self._controller.keys(name, event.record.body, previous)):
                    self._add(key, self._plane.delay())

    def _add(self, key: str, delay: float) -> None:
        if key not in self._due:
            self._due.add(key)
            self._plane.later(delay, lambda: self._reconcile(key))

    def _reconcile(self, key: str) -> None:
        self._due.discard(key)
        try:
            again = self._controller.reconcile(key)
        except ApiError:
            self._failures[key] = self._failures.get(key, 0) + 1
            self._add(key, backoff(self._failures[key]))
        else:
            self._failures.pop(key, None)
            if again is not None:
                self._appoint(key, max(again, 0.001))

    def _appoint(self, key: str, delay: float) -> None:
        """An earlier appointment for the same key stands, as in a real controller's queue."""
        due = self._plane.now + delay
        if self._appointed.get(key, due + 1.0) <= due:
            return
        self._appointed[key] = due

        def keep() -> None:
            if self._appointed.get(key) == due:
                del self._appointed[key]
                self._add(key, 0.0)

        self._plane.later(delay, keep)
