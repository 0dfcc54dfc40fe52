"""What stands in for the official client's session: each request a journey through the plan's faults.

All of the product's adapter is above it: paths, retries, deadlines, what an answer means.
"""

from __future__ import annotations

import random
import re
import typing as t
from contextlib import suppress
from urllib.parse import unquote

import orjson
import urllib3
from kubernetes.client.exceptions import ApiException
from urllib3.util import parse_url

from ansible_collections.easymo.deploy.plugins.module_utils._kubernetes_calls import RUN_TIMEOUT
from sandbox.kubernetes import selectors
from sandbox.kubernetes.errors import ApiError
from sandbox.kubernetes.requests import flag, parse_path
from sandbox.kubernetes.responses import Watch, ends, error_line, view_of

from . import plan
from .control_plane import Asked
from .scheduler import Event

if t.TYPE_CHECKING:
    from .control_plane import News
    from .scheduler import Process
    from .world import World

NOT_PLAIN = re.compile(r"/\.|[%?#]")
WRITES = ("POST", "PUT", "PATCH", "DELETE")
BOOKMARK_SECONDS = 60.0
"""From one bookmark to the next of a quiet watch: a real API server's."""
LATENCIES = (0.002, 0.005, 0.01, 0.02, 0.05, 0.2)


class Response:
    """Of urllib3, as far as the adapter reads it."""

    closed = False

    def __init__(self, status: int, data: bytes) -> None:
        self.status = status
        self.data = data

    def read(self) -> bytes:
        return self.data

    def stream(self, _amount: object, *, decode_content: bool) -> t.Iterator[bytes]:
        del decode_content
        yield self.data

    def release_conn(self) -> None:
        return


class Session:
    """_kubernetes_calls._Session of one client of one process."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.client = self
        self.accepted = True
        self.rights: set[str] = set()
        self.denied_at = float("-inf")

    def learn(self, right: str, status: int = 200) -> None:
        if status not in (401, 403):
            self.rights.add(right)

    def use(self, api_client: t.Any) -> None:
        """Credentials do not expire here."""

    def request(
        self,
        method: str,
        path: str,
        *,
        query_params: t.Sequence[tuple[str, str]] = (),
        _request_timeout: tuple[float, float] = (5.0, 30.0),
        body: t.Any = None,
        content_type: str = "application/json",
        serialize: bool = True,
    ) -> t.Any:
        del serialize
        path, query = sent(path), dict(query_params)
        if method == "GET" and is_watch(path, query):
            return Stream(self._world, path, query)
        data = b"" if body is None else orjson.dumps(body, option=orjson.OPT_NON_STR_KEYS)
        asked = Asked(method, path, query, data, content_type)
        status, answer = KubernetesJourney(self._world, asked, _request_timeout[1]).go()
        if status >= 400:
            raise answered(status, answer)
        return Response(status, answer)


def sent(path: str) -> str:
    """As the client sends it, without dot segments, and as the server reads it, decoded."""
    return unquote(parse_url(path).path or "/") if NOT_PLAIN.search(path) else path


def is_watch(path: str, query: t.Mapping[str, str]) -> bool:
    """Of one object there is none by this way: it is answered as if it was not asked for."""
    target = parse_path(path)
    return target is not None and not target.name and flag(query, "watch")


class _RefusedError(Exception):
    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class Journey:
    """One request to a server and back. What it is and how it is answered is told by who inherits."""

    _of = plan.CALL
    """As what it is counted, for the fault that is due at it."""
    _asked: t.Any

    def __init__(self, world: World, where: str, *, writes: bool, patience: float) -> None:
        self._world = world
        self._where = where
        self._writes = writes
        self._patience = patience
        self._draw: random.Random = world.draw_of(world.scheduler.process)

    def _serve(self, by: Process | None) -> t.Any:
        """One transaction of the server."""
        raise NotImplementedError

    def _refusal(self, kind: str) -> t.Any:
        """The answer of a server that does nothing, or says so."""
        raise NotImplementedError

    def go(self) -> t.Any:
        try:
            return self._go()
        except _RefusedError as exc:
            self._travel()
            return self._refusal(exc.kind)

    def _go(self) -> t.Any:
        world = self._world
        kind, seconds = world.trouble(writes=self._writes, of=self._of)
        self._travel()
        if kind == plan.LOST:
            self._lose()
        if kind in (plan.THROTTLED, plan.ERROR):
            raise _RefusedError(kind)
        if kind == plan.LATE:
            self._arrive_late(seconds)
        answer = self._serve(world.scheduler.process)
        if kind == plan.SLOW:
            if seconds > self._patience:
                self._lose(after=self._patience)
            world.sleep(seconds)
        if kind == plan.ANSWER_LOST:
            self._lose()
        if kind == plan.CONFLICT and self._writes:
            answer = self._twice()
        if kind == plan.ERROR_DONE:
            raise _RefusedError(kind)
        world.trouble_after(kind, seconds)
        self._travel()
        return answer

    def _twice(self) -> t.Any:
        """What is answered to what it has done already, where that may be repeated."""
        if self._asked.method in ("PUT", "DELETE"):
            return self._serve(self._world.scheduler.process)
        raise _RefusedError(plan.ERROR_DONE)

    def _travel(self) -> None:
        self._world.sleep(self._draw.choice(LATENCIES))
        if not self._reaches():
            self._world.notice_downtime()
            self._lose()

    def _reaches(self) -> bool:
        """Whether there is a server at all."""
        return True

    def _arrive_late(self, seconds: float) -> t.NoReturn:
        """The caller gives up, and the server does it all the same afterwards."""
        by, process = self._world.scheduler.now, self._world.scheduler.process
        patience = min(self._patience, 5.0)

        def arrive() -> None:
            if not self._reaches():
                return
            with suppress(ApiException):  # nobody hears what it is answered
                self._serve(process)

        self._world.scheduler.at(by + patience + seconds, arrive)
        self._lose(after=patience)

    def _lose(self, after: float | None = None) -> t.NoReturn:
        """A connection that breaks at once, or an answer that never comes."""
        if after is None:
            after = self._draw.choice((0.0, 0.1, self._patience))
        self._world.sleep(after)
        if after < 1.0:
            raise urllib3.exceptions.ProtocolError("Connection aborted.")
        raise urllib3.exceptions.ReadTimeoutError(
            t.cast("t.Any", None), self._where, "Read timed out."
        )


class KubernetesJourney(Journey):
    """To an API server, and what befalls it on the way as there.

    - `lost`, `answer lost`, `slow`, `late`: a connection breaks, before or after the server has read the request, or is
      slower than the client's patience; the server goes on with what it has read.
    - `409 done`: a proxy sends PUT or DELETE once more when a connection of its own breaks, as RFC 9110, 9.2.2 allows
      for them; the answer is to the second. Other methods it may not repeat: they end as `500 done`.
    - `429`: priority and fairness, with Retry-After (Kubernetes' page "API Priority and Fairness").
    - `500`, `500 done`: etcd does not answer in time, or changes its leader; what it was told may stand
      (the words are etcd's).
    - `401`, `403`: for a while all calls of a process are refused, where its token expired before the next one came, or
      what authorizes does not answer (https://kubernetes.io/docs/reference/access-authn-authz/webhook/).
    - `API server down`: for a while it answers neither operators nor controllers, as when a control plane of one node
      is upgraded (https://kubernetes.io/docs/tasks/administer-cluster/kubeadm/kubeadm-upgrade/).
    """

    def __init__(self, world: World, asked: Asked, patience: float) -> None:
        looks = asked.query.get("dryRun") == "All" or "selfsubject" in asked.path
        writes = asked.method in WRITES and not looks
        super().__init__(world, asked.path, writes=writes, patience=patience)
        self._asked = asked

    def _serve(self, by: Process | None) -> tuple[int, bytes]:
        return self._world.serve(by, self._asked)

    def _reaches(self) -> bool:
        return not self._world.down_until()

    def _refusal(self, kind: str) -> tuple[int, bytes]:
        status, reason, words = {
            plan.THROTTLED: (429, "TooManyRequests", "please try again later"),
            plan.ERROR: (500, "InternalError", "etcdserver: request timed out"),
            plan.ERROR_DONE: (500, "InternalError", "etcdserver: leader changed"),
        }[kind]
        return status, orjson.dumps(ApiError(status, reason, words).to_status())


class Execution(KubernetesJourney):
    """A program run in a container, over a websocket: that one was lost has a status of its own, 0."""

    _of = plan.EXEC

    def __init__(self, world: World, path: str) -> None:
        super().__init__(world, Asked("GET", f"{path}/exec", {}), RUN_TIMEOUT)

    def _serve(self, by: Process | None) -> t.Any:
        try:
            # Older servers ask for get, newer ones for create.
            for method in ("GET", "POST"):
                self._world.admit(by, method, self._where)
            return self._world.execute(self._where.split("/")[-2])
        except ApiError as exc:
            raise refused(exc) from None

    def _refusal(self, kind: str) -> t.NoReturn:
        raise answered(*super()._refusal(kind))

    def _lose(self, after: float | None = None) -> t.NoReturn:
        try:
            super()._lose(after)
        except urllib3.exceptions.HTTPError as exc:
            raise ApiException(status=0, reason=str(exc)) from None


def refused(exc: ApiError) -> ApiException:
    return answered(exc.status, orjson.dumps(exc.to_status()))


def answered(status: int, data: bytes) -> ApiException:
    exception = ApiException(status=status, reason="")
    exception.body = data.decode()
    exception.headers = {"Retry-After": "1"} if status == 429 else {}
    return exception


class _Socket:
    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    @property
    def sock(self) -> _Socket:
        return self

    def shutdown(self, _how: int) -> None:
        self._stream.end()


class Stream:
    """A watch: what happened since a version, each event a little later than it happened.

    Its faults are what a real API server does, as the page "Kubernetes API Concepts" of its documentation, its
    proposals (KEPs) or a recording have it:

    - `watch ends`: by its timeoutSeconds, or because the server restarts; the client goes on from the last
      resourceVersion (KEP-956, "Summary").
    - `watch breaks`: the connection is cut in the middle of a line, as any may be; the same holds.
    - `watch 410`: the history that it would go on from is compacted, which an ERROR event says (API Concepts, "410 Gone
      responses"; recorded in golden/kubernetes-lease.jsonl).
    - `watch skips`: the same after a time in which nothing came. Events are left out between two lists only.
    - `watch lags`: the watch cache is behind etcd, for as long as it likes (KEP-2340, "Background").

    No event comes twice: a stream tells what came after the version that it was given, once and in order.
    """

    def __init__(self, world: World, path: str, query: t.Mapping[str, str]) -> None:
        self.status = 200
        self._world = world
        self._draw: random.Random = world.draw_of(world.scheduler.process)
        fault = world.fault_at(plan.WATCH)
        self._kind = fault.kind if fault else ""
        self._seconds = fault.seconds if fault else 0.0
        target = parse_path(path)
        assert target is not None
        try:
            world.admit(world.scheduler.process, "GET", path, watching=True)
            selects = selectors.selection(
                target.resource, query.get("labelSelector", ""), query.get("fieldSelector", "")
            )
            self._view = view_of(target.resource, target.namespace, selects, "", query)
            self._watch = Watch(world.store, self._view, query)
        except ApiError as exc:
            raise refused(exc) from None
        self._moved = Event(world.scheduler)
        self._over = self._cut = False
        self.connection = _Socket(self)
        world.sleep(self._draw.choice(LATENCIES))
        self._ends = world.scheduler.now + self._watch.timeout
        self._first = self._watch.first_lines()
        self._heard: list[bytes] = []
        self._gone = False
        world.plane.listeners.append(self._notice)
        world.cut_off.append(self._cut_off)
        if world.down_until():
            self._break()

    def end(self) -> None:
        self._over = True
        self._moved.set()

    def release_conn(self) -> None:
        if self._notice in self._world.plane.listeners:
            self._world.plane.listeners.remove(self._notice)
            self._world.cut_off.remove(self._cut_off)

    def _cut_off(self) -> None:
        self._cut = True
        self._moved.set()

    def _break(self) -> t.NoReturn:
        self._world.notice_downtime()
        self.release_conn()
        raise urllib3.exceptions.ProtocolError("Connection aborted.")

    def _notice(self, news: News) -> None:
        """Goes on only for what it would tell, for most of what happens is not its own."""
        try:
            lines = [self._watch.event_line(one) for one in news[self._view.resource.plural]]
        except ApiError as exc:
            lines, self._gone = [error_line(exc)], True
        self._heard += filter(None, lines)
        if self._heard:
            self._moved.set()

    def stream(self, _amount: object, *, decode_content: bool) -> t.Iterator[bytes]:
        del decode_content
        lines, last = self._first, ends(self._first)
        scheduler, told = self._world.scheduler, self._world.scheduler.now
        while not self._over and scheduler.now < self._ends:
            if self._cut:
                self._break()
            if lines:
                yield from self._sent(lines)
                if self._over or last or self._kind == plan.WATCH_ENDS:
                    return
                if self._kind in (plan.WATCH_GONE, plan.WATCH_SKIPS):
                    yield error_line(ApiError(410, "Expired", "too old resource version"))
                    return
            elif self._watch.bookmarks and scheduler.now - told >= BOOKMARK_SECONDS:
                yield self._watch.bookmark({})
            else:
                self._moved.clear()
                next_one = min(self._ends, told + BOOKMARK_SECONDS)
                self._moved.wait(max(next_one - scheduler.now, 0.001))
                lines, last = self._since()
                continue
            told = scheduler.now
            lines, last = self._since()

    def _since(self) -> tuple[list[bytes], bool]:
        """What happened since it looked last, and whether that is all that it can tell."""
        lines, self._heard = self._heard, []
        return lines, self._gone

    def _sent(self, lines: list[bytes]) -> t.Iterator[bytes]:
        """On their way: late, cut off, or never there."""
        data = b"".join(lines)
        stands = self._kind in (plan.WATCH_LAGS, plan.WATCH_SKIPS)
        self._world.sleep((self._seconds if stands else 0.0) + self._draw.choice(LATENCIES))
        if self._over or self._kind == plan.WATCH_SKIPS:
            return
        if self._kind == plan.WATCH_BREAKS:
            yield data[: len(data) // 2]
            raise urllib3.exceptions.ProtocolError("Connection broken: IncompleteRead")
        yield data
