"""The HTTP side: tokens, faults and watches."""

import asyncio
import json
import typing as t
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer

from sandbox.faults import Fault, Faults
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
    container = {"name": "a", "image": "a"}
    return {
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"nodeName": "n1", "containers": [container]},
    }
