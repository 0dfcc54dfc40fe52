# SPDX-License-Identifier: GPL-3.0-or-later
"""The sandbox's API server against a real one's words: the same requests, the same answers.

Each file of golden/kubernetes-*.jsonl is a recorded conversation. A GET that found an object tells what the
real server had at that moment (its controllers were at work), so the object is put into the store as it
was; every other exchange is sent to our server and compared.
"""

from __future__ import annotations

import asyncio
import json
import re
import typing as t
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer
from yarl import URL

from sandbox.faults import Faults
from sandbox.kubernetes.history import Record
from sandbox.kubernetes.resources import STORED
from sandbox.kubernetes.routing import parse_path
from sandbox.kubernetes.server import application, new_store
from sandbox.kubernetes.store import Store

GOLDEN = Path(__file__).parent / "golden"
TOKEN = "contract"
CONVERSATIONS = ("create", "patches", "scale", "configmap", "lease", "delete")
# Chosen by a server anew each time, or told by its clock.
VARYING = ("uid", "resourceVersion", "creationTimestamp", "time", "continue")
AGE = re.compile(r"^(\d+[smhd])+$")

Exchange = dict[str, t.Any]


def exchanges(name: str) -> list[Exchange]:
    lines = (GOLDEN / f"kubernetes-{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def put(store: Store, obj: dict[str, t.Any]) -> None:
    """Store an object exactly as it was recorded, with its generation and managedFields."""
    kind = next(item for item in STORED.values() if item.kind == obj["kind"])
    metadata = obj["metadata"]
    key = (metadata.get("namespace", "") if kind.namespaced else "", metadata["name"])
    version = int(metadata["resourceVersion"])
    store._version = max(store._version, version)
    store._objects[kind.plural][key] = Record.of(obj, version)


def normalised(value: t.Any) -> t.Any:
    if isinstance(value, dict):
        return {key: normalised(item) for key, item in value.items() if key not in VARYING}
    if isinstance(value, list):
        return [normalised(item) for item in value]
    return "AGE" if isinstance(value, str) and AGE.match(value) else value


def in_order_of_name(answer: t.Any) -> t.Any:
    """managedFields of one second are ordered by manager; the recording's seconds differ from ours."""
    entries = answer.get("metadata", {}).get("managedFields") if isinstance(answer, dict) else None
    if entries:
        entries.sort(
            key=lambda entry: (entry["manager"], entry["operation"], entry.get("subresource", ""))
        )
    return answer


async def ask(client: TestClient, request: dict[str, t.Any]) -> tuple[int, t.Any]:
    headers = {
        "Authorization": f"Bearer {TOKEN}",
        "Accept": request["accept"] or "application/json",
    }
    headers["User-Agent"] = "kubectl/v1.37.1 (linux/amd64)"
    body = None
    if request["body"] is not None:
        headers["Content-Type"] = request["content_type"]
        body = json.dumps(request["body"]).encode()
    # The path is recorded encoded and is sent as it is.
    url = URL(request["path"], encoded=True)
    async with client.request(request["method"], url, data=body, headers=headers) as answer:
        return answer.status, await answer.text()


def with_client(faults: Path, work: t.Callable[[TestClient, Store], t.Awaitable[None]]) -> None:
    async def run() -> None:
        store = new_store()
        app = application(store, Faults(faults), TOKEN)
        async with TestClient(TestServer(app)) as client:
            await work(client, store)

    asyncio.run(run())


def found_object(exchange: Exchange) -> dict[str, t.Any] | None:
    """What a recorded GET found, when it was one object."""
    request, response = exchange["request"], exchange["response"]
    target = parse_path(request["path"].partition("?")[0])
    whole = target is not None and target.name and not target.subresource
    if request["method"] == "GET" and response["status"] == 200 and whole:
        return t.cast("dict[str, t.Any]", response["body"])
    return None


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_the_conversation_is_the_same(name: str, tmp_path: Path) -> None:
    async def replay(client: TestClient, store: Store) -> None:
        for number, exchange in enumerate(exchanges(name)):
            request, response = exchange["request"], exchange["response"]
            if (found := found_object(exchange)) is not None:
                put(store, found)
            if "events" in response or "limit=" in request["path"]:
                continue
            status, text = await ask(client, request)
            where = f"{name} {number}: {request['method']} {request['path']}"
            assert status == response["status"], f"{where}: {text}"
            ours, real = json.loads(text), response["body"]
            assert in_order_of_name(normalised(ours)) == in_order_of_name(normalised(real)), where

    with_client(tmp_path / "faults.json", replay)


NOT_RECORDED = ("monitoring.coreos.com", "rbac.authorization.k8s.io")
"""The recorded server had no Prometheus operator, and ran without RBAC."""


def test_discovery_tells_of_each_resource_what_the_real_one_does(tmp_path: Path) -> None:
    async def replay(client: TestClient, _store: Store) -> None:
        version, core, groups, apps = exchanges("discovery")
        _, text = await ask(client, version["request"])
        assert json.loads(text).keys() == version["response"]["body"].keys()
        for exchange in (core, groups):
            _, text = await ask(client, exchange["request"])
            ours, real = aggregated(json.loads(text)), aggregated(exchange["response"]["body"])
            ours = {key: one for key, one in ours.items() if key[0] not in NOT_RECORDED}
            assert ours
            assert {key: real.get(key) for key in ours} == ours
        _, text = await ask(client, apps["request"])
        listed = {item["name"]: item for item in apps["response"]["body"]["resources"]}
        for item in json.loads(text)["resources"]:
            real = {
                key: value
                for key, value in listed[item["name"]].items()
                if key != "storageVersionHash"
            }
            assert item == real

    with_client(tmp_path / "faults.json", replay)


def aggregated(body: dict[str, t.Any]) -> dict[tuple[str, ...], t.Any]:
    """Resources and subresources of an aggregated discovery by group, version and name."""
    found: dict[tuple[str, ...], t.Any] = {}
    for group in body["items"]:
        for version in group["versions"]:
            for resource in version["resources"]:
                key = (group["metadata"].get("name", ""), version["version"], resource["resource"])
                for item in resource.get("subresources", ()):
                    found[(*key, item["subresource"])] = item
                found[key] = {k: v for k, v in resource.items() if k != "subresources"}
    return found


def test_tables_have_the_columns_of_the_real_ones(tmp_path: Path) -> None:
    async def replay(client: TestClient, store: Store) -> None:
        for exchange in exchanges("tables"):
            real = exchange["response"]["body"]
            for row in real["rows"]:
                if row["object"]["kind"] != "PartialObjectMetadata":
                    put(store, row["object"])
            status, text = await ask(client, exchange["request"])
            ours, where = json.loads(text), exchange["request"]["path"]
            assert status == 200, where
            assert ours["columnDefinitions"] == real["columnDefinitions"], where
            if ours["rows"]:
                cells = [
                    normalised([row["cells"] for row in body["rows"]]) for body in (ours, real)
                ]
                assert cells[0] == cells[1], where

    with_client(tmp_path / "faults.json", replay)


def test_a_watch_begins_with_what_there_is_and_a_bookmark(tmp_path: Path) -> None:
    async def replay(client: TestClient, store: Store) -> None:
        get, watch = exchanges("watch")
        put(store, get["response"]["body"])
        request = watch["request"] | {
            "path": re.sub(r"timeoutSeconds=\d+", "timeoutSeconds=1", watch["request"]["path"])
        }
        _, text = await ask(client, request)
        ours = [json.loads(line) for line in text.splitlines()][:2]
        real = [entry["event"] for entry in watch["response"]["events"]]
        assert [event["type"] for event in ours] == [event["type"] for event in real]
        assert normalised(ours[0]) == normalised(real[0])
        for event in (ours[1], real[1]):
            assert event["object"]["metadata"]["annotations"] == {
                "k8s.io/initial-events-end": "true"
            }
            assert event["object"]["kind"] == "Deployment"

    with_client(tmp_path / "faults.json", replay)


def test_a_watch_from_a_forgotten_version_ends_in_the_stream(tmp_path: Path) -> None:
    async def replay(client: TestClient, store: Store) -> None:
        watch = next(entry for entry in exchanges("lease") if "events" in entry["response"])
        store.expire_histories()
        status, text = await ask(client, watch["request"])
        real = watch["response"]["events"][0]["event"]
        ours = json.loads(text)
        for event in (ours, real):
            event["object"]["message"] = re.sub(r"\(\d+\)", "(N)", event["object"]["message"])
        assert (status, ours) == (200, real)

    with_client(tmp_path / "faults.json", replay)


def test_a_limited_list_is_continued_and_expires(tmp_path: Path) -> None:
    async def replay(client: TestClient, store: Store) -> None:
        recorded = next(
            entry for entry in exchanges("lease") if "limit=" in entry["request"]["path"]
        )
        real = recorded["response"]["body"]
        item = real["items"][0] | {"kind": "Pod", "apiVersion": "v1"}
        for number in range(real["metadata"]["remainingItemCount"] + 1):
            metadata = item["metadata"] | {"name": f"{item['metadata']['name']}-{number}"}
            put(store, item | {"metadata": metadata})
        _, text = await ask(client, recorded["request"])
        ours = json.loads(text)
        assert ours.keys() == real.keys()
        assert ours["metadata"].keys() == real["metadata"].keys()
        assert ours["metadata"]["remainingItemCount"] == real["metadata"]["remainingItemCount"]
        assert ours["items"][0].keys() == real["items"][0].keys()

        path = f"{recorded['request']['path']}&continue={ours['metadata']['continue']}"
        _, text = await ask(client, recorded["request"] | {"path": path})
        assert json.loads(text)["items"][0]["metadata"]["name"].endswith("-1")
        store.expire_histories()
        status, text = await ask(client, recorded["request"] | {"path": path})
        assert (status, json.loads(text)["reason"]) == (410, "Expired")

    with_client(tmp_path / "faults.json", replay)
