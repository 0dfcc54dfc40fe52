"""The HTTP side: tokens, faults, and what is passed on to a kubelet."""

import asyncio
import json
import typing as t
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from sandbox.faults import Fault, Faults
from sandbox.kubernetes.protobuf import decode
from sandbox.kubernetes.server import application, new_store
from sandbox.kubernetes.store import Store

TOKEN = "unit"
PODS = "/api/v1/namespaces/default/pods"
Work = t.Callable[[TestClient, Store], t.Awaitable[None]]


def serve(tmp_path: Path, work: Work, *faults: Fault) -> None:
    async def run() -> None:
        obeyed = Faults(tmp_path / "faults.json")
        obeyed.write(faults)
        store = new_store()
        headers = {"Authorization": f"Bearer {TOKEN}"}
        server = TestServer(application(store, obeyed, TOKEN))
        async with TestClient(server, headers=headers) as client:
            await work(client, store)

    asyncio.run(run())


def test_without_the_token_it_is_401(tmp_path):
    async def work(client: TestClient, _store: Store) -> None:
        for given in ("", "Bearer other", TOKEN):
            answer = await client.get(PODS, headers={"Authorization": given})
            assert (answer.status, (await answer.json())["reason"]) == (401, "Unauthorized")
        assert (await client.get("/readyz", headers={"Authorization": ""})).status == 200

    serve(tmp_path, work)


@pytest.mark.parametrize(
    ("name", "parameters", "status"),
    [
        ("errors", {}, 500),
        ("errors", {"share": "0"}, 200),
        ("throttled", {"retry_after": "7"}, 429),
        ("unauthorized", {}, 401),
        ("slow", {"seconds": "0.01"}, 200),
    ],
)
def test_faults_meet_clients_and_spare_kubelets(tmp_path, name, parameters, status):
    async def work(client: TestClient, _store: Store) -> None:
        answer = await client.get(PODS)
        assert answer.status == status
        assert answer.headers.get("Retry-After") == ("7" if status == 429 else None)
        spared = await client.get(PODS, headers={"User-Agent": "kubelet/v1.36.2"})
        assert spared.status == 200

    serve(tmp_path, work, Fault("kubernetes", name, parameters=parameters))


def test_the_fault_gone_ends_watches_but_not_controllers(tmp_path):
    async def work(client: TestClient, store: Store) -> None:
        inside = store.subscribe("pods")
        watch = await client.get(f"{PODS}?watch=true&timeoutSeconds=5")
        Faults(tmp_path / "faults.json").write([Fault("kubernetes", "gone")])
        event = json.loads(await asyncio.wait_for(watch.content.readline(), 3))
        assert (event["type"], event["object"]["code"]) == ("ERROR", 410)
        store.create("pods", pod())
        assert (await inside.next_event()).type == "ADDED"

    serve(tmp_path, work)


def test_a_selecting_watch_sees_objects_come_and_go(tmp_path):
    async def work(client: TestClient, store: Store) -> None:
        made = store.create("configmaps", flags())
        query = f"labelSelector=a%3Db&watch=true&timeoutSeconds=1&resourceVersion={store.version}"
        watch = await client.get(f"/api/v1/namespaces/default/configmaps?{query}")
        made["metadata"]["labels"] = {"a": "b"}
        made = store.update("configmaps", made)
        made["metadata"]["labels"] = {"a": "c"}
        store.update("configmaps", made)
        events = [json.loads(line)["type"] for line in (await watch.text()).splitlines()]
        assert events == ["ADDED", "DELETED"]

    serve(tmp_path, work)


def flags() -> dict:
    return {"metadata": {"name": "flags", "namespace": "default"}}


def pod() -> dict:
    return {
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "nodeName": "n1",
            "containers": [{"name": "a", "image": "a"}, {"name": "b", "image": "b"}],
        },
    }


def add_node(store: Store, port: int) -> None:
    status = {
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
    }
    store.create("nodes", {"metadata": {"name": "n1"}, "status": status})
    store.create("pods", pod())


async def kubelet_logs(request: web.Request) -> web.Response:
    if request.query.get("previous"):
        return web.Response(status=400, text="previous terminated container not found")
    return web.Response(text=f"{request.path} {request.query.get('tailLines')}\n")


async def kubelet_exec(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse(protocols=("v5.channel.k8s.io",))
    await socket.prepare(request)
    await socket.send_bytes(b"\x01" + " ".join(request.query.getall("command")).encode())
    message = await socket.receive()
    await socket.send_bytes(b"\x01" + message.data)
    await socket.send_bytes(b'\x03{"status":"Success"}')
    await socket.close()
    return socket


def with_kubelet(tmp_path: Path, work: Work) -> None:
    async def wrapped(client: TestClient, store: Store) -> None:
        app = web.Application()
        app.router.add_get("/containerLogs/{path:.*}", kubelet_logs)
        app.router.add_get("/exec/{path:.*}", kubelet_exec)
        async with TestServer(app) as kubelet:
            add_node(store, kubelet.port)
            await work(client, store)

    serve(tmp_path, wrapped)


def test_logs_come_from_the_pods_kubelet(tmp_path):
    async def work(client: TestClient, _store: Store) -> None:
        answer = await client.get(f"{PODS}/web/log?container=a&tailLines=3")
        assert await answer.text() == "/containerLogs/default/web/a 3\n"
        for query, words in (
            ("", "a container name must be specified for pod web, choose one of: [a b]"),
            ("?container=c", "container c is not valid for pod web"),
            ("?container=a&previous=true", "previous terminated container not found"),
        ):
            refused = await client.get(f"{PODS}/web/log{query}")
            assert (refused.status, (await refused.json())["message"]) == (400, words)

    with_kubelet(tmp_path, work)


def test_exec_is_relayed_frame_by_frame(tmp_path):
    async def work(client: TestClient, _store: Store) -> None:
        path = f"{PODS}/web/exec?container=a&command=echo&command=hi&stdin=true&stdout=true"
        async with client.ws_connect(path, protocols=("v5.channel.k8s.io",)) as socket:
            assert socket.protocol == "v5.channel.k8s.io"
            assert (await socket.receive_bytes()) == b"\x01echo hi"
            await socket.send_bytes(b"\x00typed")
            assert (await socket.receive_bytes()) == b"\x01\x00typed"
            assert (await socket.receive_bytes()) == b'\x03{"status":"Success"}'
            assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE

    with_kubelet(tmp_path, work)


def test_exec_without_an_upgrade_is_refused(tmp_path):
    async def work(client: TestClient, _store: Store) -> None:
        assert (await client.post(f"{PODS}/web/exec?container=a&command=x")).status == 400

    with_kubelet(tmp_path, work)


def test_the_access_review_kubectl_sends_as_protobuf_is_read():
    attributes = b"\x0a\x04shop\x12\x05patch\x1a\x04apps\x2a\x0bdeployments"
    spec = b"\x0a" + bytes([len(attributes)]) + attributes
    review = b"\x0a\x02\x0a\x00\x12" + bytes([len(spec)]) + spec
    envelope = b"k8s\x00\x0a\x00\x12" + bytes([len(review)]) + review + b"\x1a\x00\x22\x00"

    assert decode(envelope, "V1SelfSubjectAccessReview") == {
        "spec": {
            "resourceAttributes": {
                "namespace": "shop",
                "verb": "patch",
                "group": "apps",
                "resource": "deployments",
            }
        }
    }
