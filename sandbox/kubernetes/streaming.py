# SPDX-License-Identifier: GPL-3.0-or-later
"""Logs, exec and proxy: passed on to the kubelet of the pod's node or to the pod itself, as a real API server does."""

from __future__ import annotations

import asyncio
import typing as t
from urllib.parse import urlencode

import aiohttp
from aiohttp import web

from sandbox.kubernetes import portforward
from sandbox.kubernetes.errors import ApiError, Object, bad_request
from sandbox.ports import reached

if t.TYPE_CHECKING:
    from multidict import MultiMapping

    from sandbox.kubernetes.store import Store

PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
LOG_OPTIONS = ("follow", "previous", "tailLines", "sinceSeconds", "timestamps", "limitBytes")
EXEC_OPTIONS = ("command", "stdin", "stdout", "stderr", "tty")
NO_LIMIT = aiohttp.ClientTimeout(total=None, sock_connect=5)
PROXIED = aiohttp.ClientTimeout(total=30, sock_connect=5)


class Kubelets:
    """The way to the nodes' kubelets; one HTTP session for all."""

    http: aiohttp.ClientSession

    def __init__(self, store: Store) -> None:
        self._store = store

    def _url(self, pod: Object, what: str, query: MultiMapping[str], names: t.Sequence[str]) -> str:
        """Where the kubelet answers for the container that the query names, with its options of `names`."""
        container = chosen_container(pod, query.get("container", ""))
        metadata, node_name = pod["metadata"], pod.get("spec", {}).get("nodeName")
        if not node_name:
            raise bad_request(f"pod {metadata['name']} does not have a host assigned")
        status = self._store.get("nodes", "", node_name).get("status", {})
        host = next(
            (a["address"] for a in status.get("addresses", ()) if a["type"] == "InternalIP"), None
        )
        port = status.get("daemonEndpoints", {}).get("kubeletEndpoint", {}).get("Port")
        if host is None or port is None:
            raise ApiError(500, "InternalError", f"node {node_name} tells no kubelet address")
        options = [(name, value) for name in names for value in query.getall(name, ())]
        path = f"{what}/{metadata['namespace']}/{metadata['name']}/{container}"
        return f"http://{host}:{port}/{path}?{urlencode(options)}"

    async def logs(self, request: web.Request, pod: Object) -> web.StreamResponse:
        url = self._url(pod, "containerLogs", request.query, LOG_OPTIONS)
        try:
            async with self.http.get(url) as answer:
                if answer.status != 200:
                    raise bad_request((await answer.text()).strip())
                response = web.StreamResponse(headers={"Content-Type": "text/plain"})
                await response.prepare(request)
                async for chunk in answer.content.iter_any():
                    await response.write(chunk)
                await response.write_eof()
                return response
        except aiohttp.ClientConnectionError as exc:
            raise unreachable(pod, exc) from exc

    async def exec(self, request: web.Request, pod: Object) -> web.StreamResponse:
        upgraded(request)
        url = self._url(pod, "exec", request.query, EXEC_OPTIONS)
        offered = request.headers.get("Sec-WebSocket-Protocol", "").replace(" ", "").split(",")
        wanted = [name for name in PROTOCOLS if name in offered] or list(PROTOCOLS)
        try:
            async with self.http.ws_connect(url, protocols=wanted, max_msg_size=0) as kubelet:
                spoken = (kubelet.protocol,) if kubelet.protocol else PROTOCOLS
                client = web.WebSocketResponse(protocols=spoken, max_msg_size=0)
                await client.prepare(request)
                await relay(client, kubelet)
                return client
        except aiohttp.WSServerHandshakeError as exc:
            message = f"unable to upgrade connection: {exc.message or exc.status}"
            raise ApiError(500, "InternalError", message) from exc
        except aiohttp.ClientConnectionError as exc:
            raise unreachable(pod, exc) from exc

    async def port_forward(self, request: web.Request, pod: Object) -> web.StreamResponse:
        upgraded(request)
        return await portforward.forward(request, address_of(pod))

    async def proxy(
        self, request: web.Request, pod: Object, port: str, path: str
    ) -> web.StreamResponse:
        """Whatever the pod answers is the answer; only GET, and only in the clear."""
        if request.method != "GET":
            raise ApiError(405, "MethodNotAllowed", "only GET is passed on to pods")
        address = address_of(pod)
        url = f"http://{reached(f'{address}:{port or chosen_port(pod)}')}/{path}"
        try:
            async with self.http.get(url, params=request.query, timeout=PROXIED) as answer:
                body = await answer.read()
                return web.Response(
                    body=body, status=answer.status, content_type=answer.content_type
                )
        except (aiohttp.ClientError, TimeoutError) as exc:
            words = f"error trying to reach service: {exc}"
            raise ApiError(503, "ServiceUnavailable", words) from exc


def upgraded(request: web.Request) -> None:
    if request.headers.get("Upgrade", "").lower() != "websocket":
        raise bad_request("Upgrade request required")


def address_of(pod: Object) -> str:
    address = (pod.get("status") or {}).get("podIP")
    if not address:
        name = pod["metadata"]["name"]
        raise ApiError(503, "ServiceUnavailable", f"no address known for {name}")
    return str(address)


def chosen_port(pod: Object) -> int:
    """The first that the pod says it has, else HTTP's."""
    ports = [
        port["containerPort"]
        for container in pod["spec"]["containers"]
        for port in container.get("ports") or ()
    ]
    return int(ports[0]) if ports else 80


def unreachable(pod: Object, exc: Exception) -> ApiError:
    node = pod["spec"]["nodeName"]
    return ApiError(500, "InternalError", f"error dialing the kubelet of node {node}: {exc}")


def chosen_container(pod: Object, name: str) -> str:
    """The container asked for, or the only one; 400 lists what there is."""
    containers = [item["name"] for item in pod.get("spec", {}).get("containers", ())]
    containers += [item["name"] for item in pod.get("spec", {}).get("initContainers", ())]
    pod_name = pod["metadata"]["name"]
    if not name and len(containers) == 1:
        return str(containers[0])
    if not name:
        names = " ".join(containers)
        raise bad_request(
            f"a container name must be specified for pod {pod_name}, choose one of: [{names}]"
        )
    if name not in containers:
        raise bad_request(f"container {name} is not valid for pod {pod_name}")
    return name


async def relay(client: web.WebSocketResponse, kubelet: aiohttp.ClientWebSocketResponse) -> None:
    """Frames both ways until either side closes; then the other is closed too."""
    up = asyncio.create_task(_pump(client, kubelet))
    down = asyncio.create_task(_pump(kubelet, client))
    # The client may stop sending long before the command ends, so only the way down decides.
    await asyncio.wait({down})
    await client.close()
    up.cancel()
    await asyncio.gather(up, return_exceptions=True)


Socket = web.WebSocketResponse | aiohttp.ClientWebSocketResponse


async def _pump(source: Socket, sink: Socket) -> None:
    async for message in source:
        if sink.closed:
            return
        if message.type is aiohttp.WSMsgType.BINARY:
            await sink.send_bytes(message.data)
        elif message.type is aiohttp.WSMsgType.TEXT:
            await sink.send_str(message.data)
    await sink.close()
