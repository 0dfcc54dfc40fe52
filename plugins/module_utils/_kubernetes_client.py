# SPDX-License-Identifier: GPL-3.0-or-later
"""Connects the official client to a cluster, and turns its exceptions into sentences.

Objects of a cluster kept up to date by one watch, on a thread of its own, for the cost of two requests.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

from . import _http
from ._cluster import Object
from ._decode import restored, under
from ._errors import ConflictError, DeployError, InputError, Library, RefusedError, UnreachableError
from ._formats import read_json
from ._threads import Event, spawn

KUBERNETES = Library("kubernetes >= 34")
with KUBERNETES:
    import urllib3
    from kubernetes import client, config
    from kubernetes.client.exceptions import ApiException
    from urllib3.util import create_urllib3_context

    TROUBLE: tuple[type[Exception], ...] = (
        ApiException,
        urllib3.exceptions.HTTPError,
        OSError,
        ValueError,
        LookupError,
        AttributeError,
        TypeError,
    )

RETRIABLE = frozenset({429, 500, 502, 503, 504})
LONGEST_PAUSE = 10.0
"""Seconds; a server that asks for more is asked again sooner."""


VARIABLES = {
    "kubeconfig": "K8S_AUTH_KUBECONFIG",
    "context": "K8S_AUTH_CONTEXT",
    "host": "K8S_AUTH_HOST",
    "api_key": "K8S_AUTH_API_KEY",
    "client_cert": "K8S_AUTH_CERT_FILE",
    "client_key": "K8S_AUTH_KEY_FILE",
    "ca_cert": "K8S_AUTH_SSL_CA_CERT",
    "proxy": "K8S_AUTH_PROXY",
    "impersonate_user": "K8S_AUTH_IMPERSONATE_USER",
    "impersonate_groups": "K8S_AUTH_IMPERSONATE_GROUPS",
}
"""As kubernetes.core calls them. There is none to turn verification off."""
OF_A_KUBECONFIG = frozenset({"kubeconfig", "context"})
OF_AN_ACCOUNT = frozenset({"api_key", "client_cert", "client_key"})
OF_AN_ADDRESS = OF_AN_ACCOUNT | {"host", "ca_cert"}


@dataclass(frozen=True)
class Connection:
    """The address of the cluster and the account to use, as in the options of the doc fragment _kubernetes."""

    namespace: str
    kubeconfig: str | None = None
    context: str | None = None
    host: str | None = None
    api_key: str | None = None
    ca_cert: str | None = None
    validate_certs: bool = True
    client_cert: str | None = None
    client_key: str | None = None
    proxy: str | None = None
    impersonate_user: str | None = None
    impersonate_groups: tuple[str, ...] = ()

    @classmethod
    def from_params(cls, params: t.Mapping[str, t.Any]) -> Connection:
        """Of options, and of the environment's variables where these say nothing of the same thing."""
        names = cls.__dataclass_fields__
        given = {name: params[name] for name in names if params.get(name) not in (None, "", [])}
        used = {name for name, variable in VARIABLES.items() if os.environ.get(variable)} - {*given}
        if given.keys() & OF_A_KUBECONFIG:
            used -= OF_AN_ADDRESS
        elif "host" in given:
            used -= OF_A_KUBECONFIG
        if given.keys() & OF_AN_ACCOUNT:
            used -= OF_AN_ACCOUNT
        given |= {name: os.environ[VARIABLES[name]] for name in used}
        groups = given.pop("impersonate_groups", ())
        groups = groups.split(",") if isinstance(groups, str) else groups
        return cls(**given, impersonate_groups=tuple(filter(None, groups)))

    def impersonation(self) -> list[tuple[str, str]]:
        """The headers with which the API server takes one account for another, if it may."""
        if self.impersonate_groups and not self.impersonate_user:
            raise InputError("'impersonate_user' is missing: 'impersonate_groups' needs it.")
        user = [("Impersonate-User", self.impersonate_user)] if self.impersonate_user else []
        headers = [*user, *(("Impersonate-Group", group) for group in self.impersonate_groups)]
        if any(not value.isprintable() for _name, value in headers):
            raise InputError("'impersonate_user' or 'impersonate_groups' is no name: correct it.")
        return headers


def connect(connection: Connection) -> t.Any:
    """A kubernetes ApiClient. Nothing is sent yet."""
    configuration = client.Configuration()
    if connection.host:
        if not (connection.api_key or (connection.client_cert and connection.client_key)):
            raise InputError(
                "'api_key' is missing: 'host' needs a bearer token, or 'client_cert' and 'client_key'."
            )
        configuration.host = connection.host.rstrip("/")
        if connection.api_key:
            configuration.api_key = {"authorization": f"Bearer {connection.api_key}"}
        else:
            configuration.cert_file = connection.client_cert
            configuration.key_file = connection.client_key
    else:
        _load_kubeconfig(connection, configuration)
    if connection.ca_cert:
        configuration.ssl_ca_cert = connection.ca_cert
    if not connection.validate_certs:
        configuration.verify_ssl = False
    if connection.proxy:
        configuration.proxy = connection.proxy
    configuration.retries = False  # _kubernetes_calls.py retries, with a deadline
    connected = client.ApiClient(configuration)
    pools = connected.rest_client.pool_manager
    if configuration.verify_ssl:
        pools.connection_pool_kw["ssl_context"] = _verifying(configuration)
    if who := connection.impersonation():
        pools.request = _with_headers(pools.request, who)
    return connected


def _with_headers(request: t.Any, more: t.Sequence[tuple[str, str]]) -> t.Any:
    """The official client keeps headers by name, and so one group at most."""

    def ask(method: str, url: str, **options: t.Any) -> t.Any:
        headers = urllib3.HTTPHeaderDict(options.pop("headers", None) or {})
        headers.extend(more)
        return request(method, url, headers=headers, **options)

    return ask


def _verifying(configuration: t.Any) -> t.Any:
    """Certificates are verified as kubectl does it; exec's websocket has this by itself."""
    context = _http.relax(create_urllib3_context())
    if not (configuration.ssl_ca_cert or configuration.ca_cert_data):
        context.load_default_certs()
    return context


def _load_kubeconfig(connection: Connection, configuration: t.Any) -> None:
    try:
        if not connection.kubeconfig and _in_a_pod():
            config.load_incluster_config(client_configuration=configuration)
            return
        config.load_kube_config(
            config_file=connection.kubeconfig,
            context=connection.context,
            client_configuration=configuration,
            persist_config=False,
        )
    except (config.ConfigException, OSError, ValueError) as exc:
        where = connection.kubeconfig or "the default kubeconfig"
        raise InputError(
            f"The cluster cannot be reached with {where}: {exc}. Set a valid 'kubeconfig', or "
            "'host' and 'api_key'."
        ) from exc


def current_context(kubeconfig: str | None) -> str:
    """By which the cluster is reached where no other is named, "" where a pod's own account reaches it."""
    if not kubeconfig and _in_a_pod():
        return ""
    try:
        return str(config.list_kube_config_contexts(config_file=kubeconfig)[1]["name"])
    except (config.ConfigException, *TROUBLE):
        return ""


def _in_a_pod() -> bool:
    """Whether the account of this pod is to be used, as kubectl decides it."""
    files = os.environ.get("KUBECONFIG") or "~/.kube/config"
    named = any(Path(part).expanduser().exists() for part in files.split(os.pathsep))
    return bool(os.environ.get("KUBERNETES_SERVICE_HOST")) and not named


ADMISSION = re.compile(r"denied (?:the )?request|violates PodSecurity|exceeded quota")


def to_error(exc: t.Any, what: str, namespace: str) -> DeployError:
    """Our error for an answer, in the server's own words and never with a header or a token."""
    details = {"status": exc.status}
    message, causes = _server_message(exc)
    sentence = f"Could not {what} in namespace {namespace!r}: {message}"
    if exc.status == 0:
        if "certificate" in message.lower():
            return RefusedError(
                f"{sentence}. Set 'ca_cert', or certificate-authority in the kubeconfig, to the "
                "authority that signed it."
            )
        return UnreachableError(sentence)
    if exc.status in RETRIABLE:
        return UnreachableError(sentence, **details)
    # A failed `test` of a JSON Patch is a 422 without a cause; real validation names one.
    if exc.status == 409 or (exc.status == 422 and not causes):
        return ConflictError(sentence, **details)
    if exc.status == 401:
        return RefusedError(f"{sentence}. The credentials were refused: renew them.", **details)
    return RefusedError(sentence, **details)


@dataclass(frozen=True)
class Cause:
    reason: str = ""
    message: str = ""


@dataclass(frozen=True)
class Status:
    """https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/."""

    status: str = ""
    message: str = ""
    causes: tuple[Cause, ...] = under("details.causes", default=())


def _server_message(exc: t.Any) -> tuple[str, tuple[Cause, ...]]:
    status = Status()
    with contextlib.suppress(ValueError):
        status = restored(Status, read_json(exc.body or ""), "status")
    if status.message:
        return status.message.strip(), status.causes
    text = exc.body or exc.reason or "no reason given"
    return re.sub(r"\s+", " ", str(text)).strip()[:300], ()


def lacks_right(exc: t.Any) -> bool:
    """Whether authorization denied it, and no admission policy, webhook or quota, which run after it."""
    return exc.status == 403 and not ADMISSION.search(_server_message(exc)[0])


def retry_after(exc: t.Any) -> float | None:
    """Seconds that the server asks for, None where it asks for none."""
    return min(_http.retry_after(exc.headers or {}), LONGEST_PAUSE) or None


def unreachable(exc: Exception, what: str) -> UnreachableError:
    cause = re.sub(r"<[^>]*>|\s+", " ", str(exc)).strip(" :")
    return UnreachableError(
        f"Could not {what}: the API server does not answer ({type(exc).__name__}: {cause[:200]})."
    )


RETRY = 2.0
"""Seconds until an interrupted watch lists anew."""
STEADY = 1.0
"""A stream that ends sooner is opened again after a pause: 0.1 s, twice as long each time, at most RETRY."""


class KubernetesWatch:
    """_cluster.Watch. Lists, watches from there, and lists anew whenever it cannot go on.

    `list_objects` gives a list as the API answers it. `open_stream` gives the open response of a
    watch from a resourceVersion on. `wake` is called after whatever changed.
    """

    def __init__(
        self,
        list_objects: t.Callable[[], Object],
        open_stream: t.Callable[[str], t.Any],
        wake: t.Callable[[], None],
    ) -> None:
        self._list = list_objects
        self._open = open_stream
        self._wake = wake
        self._objects: dict[str, Object] | None = None
        self._answered = Event()
        self._closed = Event()
        self._response: t.Any = None
        spawn(self._run)

    def objects(self) -> t.Sequence[Object] | None:
        known = self._objects
        return None if known is None else [*known.values()]

    def listed(self, seconds: float) -> bool:
        return self._answered.wait(seconds) and self._objects is not None

    def close(self) -> None:
        self._closed.set()
        # The thread reads; closing the response under it would wait for what it waits for.
        with contextlib.suppress(OSError, AttributeError):
            self._response.connection.sock.shutdown(socket.SHUT_RDWR)

    def _run(self) -> None:
        while not self._closed.is_set():
            with contextlib.suppress(*TROUBLE):
                self._follow()
            # Until the next list nothing is known, and a caller has to look for itself.
            self._objects = None
            self._answered.set()
            self._wake()
            self._closed.wait(RETRY)

    def _follow(self) -> None:
        """Until the history that it follows is gone, or something fails."""
        result = self._list()
        version = result["metadata"]["resourceVersion"]
        self._objects = {entry["metadata"]["uid"]: entry for entry in result.get("items") or []}
        self._answered.set()
        self._wake()
        pause = 0.0
        while version and not self._closed.wait(pause):
            began = time.monotonic()
            version = self._watch(version)
            lasted = time.monotonic() - began
            pause = 0.0 if lasted >= STEADY else min(max(0.1, 2 * pause), RETRY)

    def _watch(self, version: str) -> str:
        """The version to go on from once the server ends the stream; empty when it has to be listed."""
        self._response = response = self._open(version)
        try:
            rest = b""
            for chunk in response.stream(None, decode_content=False):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in filter(None, lines):
                    version = self._take(read_json(line))
                    if not version:
                        return ""
                self._wake()
        finally:
            response.release_conn()
        return version

    def _take(self, event: Object) -> str:
        if event["type"] == "ERROR":
            return ""  # mostly 410: what we saw last is forgotten
        body = event["object"]
        version: str = body["metadata"]["resourceVersion"]
        if event["type"] == "BOOKMARK":
            return version
        known = dict(self._objects or {})
        known[body["metadata"]["uid"]] = body
        if event["type"] == "DELETED":
            del known[body["metadata"]["uid"]]
        self._objects = known
        return version
