"""The sandbox's API server against a real one's words: the same requests, the same answers.

Each file of golden/kubernetes-*.jsonl is a recorded conversation. A GET that found an object tells what the
real server had at that moment (its controllers were at work), so the object is put into the store as it
was; every other exchange is sent to our server and compared. The server is once the sandbox's, over HTTP, and
once the simulated world's.
"""

import json
import re
import typing as t

import pytest

from tests.contract.recordings import (
    CONVERSATIONS,
    Server,
    exchanges,
    found_object,
    in_order_of_name,
    normalised,
    put,
)
from tests.contract.servers import Served, Simulated


@pytest.fixture
def served(tmp_path) -> t.Iterator[Server]:
    with Served.running(tmp_path / "faults.json") as server:
        yield server


@pytest.fixture(params=["served", "simulated"])
def server(request) -> Server:
    return Simulated() if request.param == "simulated" else request.getfixturevalue("served")


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_the_conversation_is_the_same(name, server):
    for number, exchange in enumerate(exchanges(name)):
        request, response = exchange["request"], exchange["response"]
        if (found := found_object(exchange)) is not None:
            put(server.store, found)
        if "events" in response or "limit=" in request["path"]:
            continue
        status, text = server.ask(request)
        where = f"{name} {number}: {request['method']} {request['path']}"
        assert status == response["status"], f"{where}: {text}"
        ours, real = json.loads(text), response["body"]
        assert in_order_of_name(normalised(ours)) == in_order_of_name(normalised(real)), where


NOT_RECORDED = {
    "monitoring.coreos.com", "rbac.authorization.k8s.io", "persistentvolumeclaims", "statefulsets", "daemonsets",
    "controllerrevisions", "jobs", "cronjobs", "ingresses", "networkpolicies",
}  # fmt: skip
"""The recorded server had no Prometheus operator and no RBAC; of its resources those were kept that there were here."""


def test_discovery_tells_of_each_resource_what_the_real_one_does(served):
    version, core, groups, apps = exchanges("discovery")
    _, text = served.ask(version["request"])
    assert json.loads(text).keys() == version["response"]["body"].keys()
    for exchange in (core, groups):
        _, text = served.ask(exchange["request"])
        ours, real = aggregated(json.loads(text)), aggregated(exchange["response"]["body"])
        ours = {key: one for key, one in ours.items() if not NOT_RECORDED & {*key}}
        assert ours
        assert {key: real.get(key) for key in ours} == ours
    _, text = served.ask(apps["request"])
    listed = {item["name"]: item for item in apps["response"]["body"]["resources"]}
    for item in json.loads(text)["resources"]:
        real = {
            key: value for key, value in listed[item["name"]].items() if key != "storageVersionHash"
        }
        assert item == real


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


def test_tables_have_the_columns_of_the_real_ones(served):
    for exchange in exchanges("tables"):
        real = exchange["response"]["body"]
        for row in real["rows"]:
            if row["object"]["kind"] != "PartialObjectMetadata":
                put(served.store, row["object"])
        status, text = served.ask(exchange["request"])
        ours, where = json.loads(text), exchange["request"]["path"]
        assert status == 200, where
        assert ours["columnDefinitions"] == real["columnDefinitions"], where
        if ours["rows"]:
            cells = [normalised([row["cells"] for row in body["rows"]]) for body in (ours, real)]
            assert cells[0] == cells[1], where


def test_a_watch_begins_with_what_there_is_and_a_bookmark(server):
    get, watch = exchanges("watch")
    put(server.store, get["response"]["body"])
    request = watch["request"] | {
        "path": re.sub(r"timeoutSeconds=\d+", "timeoutSeconds=1", watch["request"]["path"])
    }
    _, text = server.ask(request)
    ours = [json.loads(line) for line in text.splitlines()][:2]
    real = [entry["event"] for entry in watch["response"]["events"]]
    assert [event["type"] for event in ours] == [event["type"] for event in real]
    assert normalised(ours[0]) == normalised(real[0])
    for event in (ours[1], real[1]):
        assert event["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
        assert event["object"]["kind"] == "Deployment"


def test_a_watch_from_a_forgotten_version_ends_in_the_stream(server):
    watch = next(entry for entry in exchanges("lease") if "events" in entry["response"])
    server.store.expire_histories()
    status, text = server.ask(watch["request"])
    real = watch["response"]["events"][0]["event"]
    ours = json.loads(text)
    for event in (ours, real):
        event["object"]["message"] = re.sub(r"\(\d+\)", "(N)", event["object"]["message"])
    assert (status, ours) == (200, real)


def test_a_limited_list_is_continued_and_expires(server):
    recorded = next(entry for entry in exchanges("lease") if "limit=" in entry["request"]["path"])
    real = recorded["response"]["body"]
    item = real["items"][0] | {"kind": "Pod", "apiVersion": "v1"}
    for number in range(real["metadata"]["remainingItemCount"] + 1):
        metadata = item["metadata"] | {"name": f"{item['metadata']['name']}-{number}"}
        put(server.store, item | {"metadata": metadata})
    _, text = server.ask(recorded["request"])
    ours = json.loads(text)
    assert ours.keys() == real.keys()
    assert ours["metadata"].keys() == real["metadata"].keys()
    assert ours["metadata"]["remainingItemCount"] == real["metadata"]["remainingItemCount"]
    assert ours["items"][0].keys() == real["items"][0].keys()

    path = f"{recorded['request']['path']}&continue={ours['metadata']['continue']}"
    _, text = server.ask(recorded["request"] | {"path": path})
    assert json.loads(text)["items"][0]["metadata"]["name"].endswith("-1")
    server.store.expire_histories()
    status, text = server.ask(recorded["request"] | {"path": path})
    assert (status, json.loads(text)["reason"]) == (410, "Expired")
