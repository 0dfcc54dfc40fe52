# SPDX-License-Identifier: GPL-3.0-or-later
"""One call of the Kubernetes API, tried again until it works, is refused, or a deadline passes."""

from __future__ import annotations

import typing as t

from ._cluster import Clock, Object
from ._decode import restored
from ._errors import UnreachableError, VerificationError
from ._formats import read_json
from ._kubernetes_client import (
    KUBERNETES,
    LONGEST_PAUSE,
    Connection,
    Status,
    connect,
    lacks_right,
    retry_after,
    to_error,
    unreachable,
)

with KUBERNETES:
    import urllib3
    import websocket
    from kubernetes.client.exceptions import ApiException
    from kubernetes.dynamic import DynamicClient
    from kubernetes.stream.ws_client import ERROR_CHANNEL, WSClient, get_websocket_url

Answer = t.TypeVar("Answer")

CONNECT_TIMEOUT = 5.0
READ_TIMEOUT = 16.0
"""An API server lets a request wait for its turn 15 seconds, then refuses it (kubernetes/kubernetes issue 119799)."""
PATIENCE = 30.0
"""Seconds a call keeps trying when its caller named no deadline: one answer may be lost, and is asked for again."""
AUTHORIZING = 5.0
"""Seconds that a denial is doubted. A real API server that restarts denies what is allowed for 1.2 to 1.3 s."""
DOUBT_PAUSE = 0.5
DENIALS_BELIEVED = 30.0
"""Seconds for which a denial that outlasted the doubt vouches for others: the caches are filled by then."""


class _Session:
    """A client and what is known of its credentials, shared by calls with different deadlines."""

    def __init__(self, api_client: t.Any) -> None:
        self.use(api_client)
        self.accepted = False
        self.rights: set[str] = set()
        """What was allowed at least once."""
        self.denied_at = float("-inf")
        """When a denial last outlasted its doubt."""

    def learn(self, right: str, status: int = 200) -> None:
        """What an answer of this status says of the credentials, and of what they allow."""
        self.accepted |= status != 401
        if status not in (401, 403):
            self.rights.add(right)

    def use(self, api_client: t.Any) -> None:
        """The client's own classes for each API would load a second's worth of models, all unused: we read JSON."""
        self.client = api_client
        self.request = DynamicClient(api_client, discoverer=lambda *_all: None).request


class Calls:
    """Calls of one cluster. `deadline`: on `clock`, None for PATIENCE from each call on."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self.clock = clock
        self._connection = connection
        self._deadline: float | None = None
        self._session = _Session(connect(connection))

    @property
    def client(self) -> t.Any:
        """The official client, with credentials that may have been renewed."""
        return self._session.client

    def until(self, deadline: float) -> t.Self:
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__, _deadline=deadline)
        return twin

    def json(self, what: str, method: str, path: str, **more: t.Any) -> Object:
        """The answer's object. `what` completes "Could not …" in errors; for `more` see `once`."""
        return object_in(self.ask(what, method, path, **more), what)

    def ask(self, what: str, method: str, path: str, **more: t.Any) -> bytes:
        def once(give_up: float) -> bytes:
            return self.once(method, path, give_up, **more)

        return self.call(what, once, right=f"{method} {path}")

    def stream(self, path: str, query: t.Mapping[str, str], timeout: float) -> t.Any:
        """An answer that is still being sent, as urllib3 has it. Not tried again."""
        return self._session.request(
            "GET",
            path,
            query_params=[*query.items()],
            serialize=False,
            _request_timeout=(CONNECT_TIMEOUT, timeout),
        )

    def call(self, what: str, once: t.Callable[[float], Answer], *, right: str) -> Answer:
        """Call until it works, is refused, or the deadline passes. `right`: what must be allowed for it.

        Safe for writes too: each carries a `test`, a resourceVersion or a name that may exist only
        once, so a repeated one is answered with a conflict and its caller looks again.
        """
        began = self.clock.now()
        give_up = self._deadline or began + PATIENCE
        attempt = 0
        while True:
            try:
                answer = once(give_up)
            except ApiException as exc:
                failure, pause = to_error(exc, what, self._connection.namespace), retry_after(exc)
                if exc.status == 401 and self._renewed(first=attempt == 0):
                    pause = min(0.5 * attempt, LONGEST_PAUSE)
                elif lacks_right(exc) and self.doubts(right, began):
                    pause = DOUBT_PAUSE
                elif not isinstance(failure, UnreachableError):
                    self._session.learn(right, exc.status)
                    raise failure from None
            except (urllib3.exceptions.HTTPError, OSError) as exc:
                failure, pause = unreachable(exc, what), None
                self._session.denied_at = float("-inf")
            else:
                self._session.learn(right)
                return answer
            pause = pause if pause is not None else min(0.5 * 2**attempt, LONGEST_PAUSE)
            if self.clock.now() + pause > give_up:
                raise failure from None
            self.clock.sleep(pause)
            attempt += 1

    def doubts(self, right: str, began: float) -> bool:
        """Whether a denial may be that of a server whose RBAC caches are not filled yet.

        A server that restarts denies in the words of a missing right, often as the first word of a session. It is
        for good when it lasts. One that lasted spares other rights the wait, until the server was away again, but
        not those that were there before.
        """
        session, now = self._session, self.clock.now()
        known = right in session.rights
        if not known and now - session.denied_at < DENIALS_BELIEVED:
            return False
        if now - began < AUTHORIZING:
            return True
        session.denied_at = now
        return False

    def _renewed(self, *, first: bool) -> bool:
        """Whether it makes sense to try again after a 401, with what the kubeconfig holds by now.

        Credentials that were accepted have expired, and their renewal needs a moment; others
        are tried once more.
        """
        if self._connection.host:
            return False
        if first or self._session.accepted:
            self._session.use(connect(self._connection))
            return True
        return False

    def once(
        self,
        method: str,
        path: str,
        give_up: float,
        *,
        query: t.Mapping[str, str] | None = None,
        **more: t.Any,
    ) -> bytes:
        # A server that hangs must not hold a caller longer than it wanted to wait.
        left = min(READ_TIMEOUT, max(give_up - self.clock.now(), 1.0))
        response = self._session.request(
            method,
            path,
            query_params=[*(query or {}).items()],
            serialize=False,
            _request_timeout=(min(CONNECT_TIMEOUT, left), left),
            **more,
        )
        try:
            return t.cast("bytes", response.read() if not response.closed else response.data)
        finally:
            response.release_conn()


def object_in(answer: bytes, what: str) -> Object:
    """Raises VerificationError for what is no object, such as a proxy's page."""
    try:
        body = read_json(answer)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise VerificationError(
            f"Could not {what}: the answer is none of a Kubernetes API server. Check its address, and proxies."
        )
    return body


RUN_TIMEOUT = 30.0
OUT_OF_TIME = 124
"""The exit code, as timeout(1) has it, of a program that did not end within RUN_TIMEOUT."""

NOT_STARTED = 126
"""That of a shell for a program that cannot be run."""


def run_in_container(
    api_client: t.Any,
    pod_path: str,
    container: str,
    command: t.Sequence[str],
    more: t.Sequence[tuple[str, str]] = (),
) -> tuple[int, str, str]:
    """The exit code and both outputs. `pod_path`: the pod's path in the API. `more`: headers.

    Raises the client's ApiException, with status 0 for a lost connection.
    """
    query = [
        *(("command", word) for word in command),
        ("container", container),
        *(("stdout", "true"), ("stderr", "true")),
    ]
    headers: dict[str, str] = {}
    if more:
        # Of all headers, the client sends this one and the token; more lines can only come with it.
        lines = ["v4.channel.k8s.io", *(f"{name}: {value}" for name, value in more)]
        headers["sec-websocket-protocol"] = "\r\n".join(lines)
    path = f"{pod_path}/exec"
    api_client.update_params_for_auth(headers, [], ["BearerToken"], path, "GET", None)
    url = get_websocket_url(f"{api_client.configuration.host}{path}", query)
    # The client would wait for the handshake for ever, and has no other way to be told.
    websocket.setdefaulttimeout(CONNECT_TIMEOUT)
    try:
        session = WSClient(api_client.configuration, url, headers, capture_all=True)
        session.run_forever(timeout=RUN_TIMEOUT)
        if session.is_open():
            code, why = OUT_OF_TIME, ""
        else:
            code, why = exit_of(session.read_channel(ERROR_CHANNEL))
        ended = code, session.read_stdout(), session.read_stderr() or why
        session.close()
    except websocket.WebSocketBadStatusException as exc:
        refused = ApiException(status=exc.status_code, reason=str(exc))
        refused.body = exc.resp_body
        raise refused from None
    except websocket.WebSocketException as exc:
        raise ApiException(status=0, reason=str(exc)) from None
    return ended


def exit_of(status: str) -> tuple[int, str]:
    """The exit code in the Status at the end, and why there is none of a program that did not start.

    Raises the client's ApiException where the connection ended before the program. Source: remotecommand.go of
    k8s.io/kubelet, by which a code is a cause with the reason ExitCode.
    """
    try:
        ended = restored(Status, read_json(status), "status")
        codes = [int(cause.message) for cause in ended.causes if cause.reason == "ExitCode"]
    except ValueError:
        ended = Status()
    if not ended.status:
        raise ApiException(status=0, reason="the connection ended before the program") from None
    if ended.status == "Success":
        return 0, ""
    return (codes[0], "") if codes else (NOT_STARTED, ended.message)
