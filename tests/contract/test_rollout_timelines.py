# SPDX-License-Identifier: GPL-3.0-or-later
"""Rollouts of the sandbox beside the same ones recorded on a real control plane, state by state.

golden/rollout-*.jsonl tell what a watch of Deployments, ReplicaSets, Events and EndpointSlices showed. Times,
hashes and pod names vary, and of states that last no time some may be missing; order and words may not.
"""

from __future__ import annotations

import asyncio
import json
import re
import typing as t
from pathlib import Path

import pytest

from sandbox.node.client import GROUPS, Client
from tests.contract import rollout_cluster as cluster

Object = dict[str, t.Any]
Timeline = list[Object]

GOLDEN = Path(__file__).parent / "golden"
GROUPS.setdefault("replicasets", "/apis/apps/v1")
GROUPS.setdefault("endpointslices", "/apis/discovery.k8s.io/v1")
WATCHED = ("deployments", "replicasets", "events", "endpointslices")
SCENARIOS = ("green", "crash", "undo", "quota", "quota-lifted")
IMAGE = f"easymo/{cluster.SERVICE}"
SET_NAME = re.compile(rf"{cluster.SERVICE}-[0-9bcdf]{{5,10}}")
COMBINED = "(combined from similar events): "


def golden(name: str) -> Timeline:
    lines = (GOLDEN / f"rollout-{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def reduced(kind: str, obj: Object) -> Object | None:
    """An observed object in the form of the recordings."""
    if kind == "Deployment":
        notes = obj["metadata"].get("annotations") or {}
        return {
            "kind": kind,
            "generation": obj["metadata"]["generation"],
            "revision": notes.get("deployment.kubernetes.io/revision"),
            "status": obj.get("status") or {},
        }
    if kind == "ReplicaSet":
        return {
            "kind": kind,
            "name": obj["metadata"]["name"],
            "replicas": obj["spec"]["replicas"],
            "annotations": obj["metadata"].get("annotations"),
            "conditions": (obj.get("status") or {}).get("conditions") or [],
        }
    if kind == "Event" and obj["involvedObject"]["kind"] in ("Deployment", "ReplicaSet"):
        about = obj["involvedObject"]["kind"]
        return {"kind": kind, "about": about, **{k: obj[k] for k in ("type", "reason", "message")}}
    if kind == "EndpointSlice":
        return {"kind": kind, "endpoints": [e["conditions"] for e in obj.get("endpoints") or []]}
    return None


class Recorder:
    """Watches until told to stop; what arrived before `cut` belongs to the scenario before."""

    def __init__(self, api: Client) -> None:
        self._api = api
        self._seen: Timeline = []

    async def watch(self, resource: str) -> None:
        _, version = await self._api.list(resource, "")
        async for event in self._api.watch(resource, "", version):
            if event["type"] == "BOOKMARK":
                continue
            entry = reduced(event["object"]["kind"], event["object"])
            if entry is not None:
                self._seen.append(entry)

    def cut(self) -> Timeline:
        seen, self._seen = self._seen, []
        return seen


async def record_all(api: Client) -> dict[str, Timeline]:
    await cluster.ensure_namespace(api)
    await api.create("services", cluster.NAMESPACE, cluster.service())
    await api.create("deployments", cluster.NAMESPACE, cluster.deployment(f"{IMAGE}:v1.9.0"))
    await cluster.wait_for(api, cluster.complete)
    recorder = Recorder(api)
    watches = [asyncio.create_task(recorder.watch(name)) for name in WATCHED]
    await asyncio.sleep(0.3)
    try:
        return {name: await _play(api, recorder, name) for name in SCENARIOS}
    finally:
        for watch in watches:
            watch.cancel()


async def _play(api: Client, recorder: Recorder, name: str) -> Timeline:
    recorder.cut()
    if name == "green":
        await cluster.set_image(api, f"{IMAGE}:v2.0.0")
    elif name == "crash":
        await cluster.set_image(api, f"{IMAGE}:v2.0.0-crash")
    elif name == "undo":
        await cluster.set_image(api, f"{IMAGE}:v2.0.0")
    elif name == "quota":
        quota = {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": {"name": "q", "namespace": cluster.NAMESPACE},
            "spec": {"hard": {"pods": "3"}},
        }
        await api.create("resourcequotas", cluster.NAMESPACE, quota)
        await cluster.set_image(api, f"{IMAGE}:v1.9.0", "third")
    else:
        found = await api.get("resourcequotas", cluster.NAMESPACE, "q")
        await api.delete("resourcequotas", found, grace_seconds=0)
    await asyncio.sleep(0.2)
    reached = cluster.timed_out if name in ("crash", "quota") else cluster.complete
    await cluster.wait_for(api, reached, seconds=90)
    await asyncio.sleep(0.3)
    return recorder.cut()


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[dict[str, Timeline]]:
    with cluster.running_cluster(tmp_path_factory.mktemp("rollouts")) as world:

        async def play() -> dict[str, Timeline]:
            async with cluster.client(world) as api:
                return await record_all(api)

        yield asyncio.run(play())


# Normalising


def named(timeline: Timeline) -> Timeline:
    """ReplicaSets by the order in which the timeline names them: `set-1`, `set-2`."""
    names: dict[str, str] = {}

    def rename(text: str) -> str:
        def label(found: re.Match[str]) -> str:
            return names.setdefault(found[0], f"set-{len(names) + 1}")

        text = SET_NAME.sub(label, text.removeprefix(COMBINED))
        text = re.sub(r"(set-\d+)-[a-z0-9]{5}\b", r"\1-POD", text)
        return re.sub(r"(used|limited): pods=\d+", r"\1: pods=N", text)

    return [t.cast("Object", _mapped(entry, rename)) for entry in timeline]


def _mapped(value: t.Any, change: t.Callable[[str], str]) -> t.Any:
    if isinstance(value, dict):
        return {key: _mapped(entry, change) for key, entry in value.items()}
    if isinstance(value, list):
        return [_mapped(entry, change) for entry in value]
    return change(value) if isinstance(value, str) else value


def deployments(timeline: Timeline) -> Timeline:
    return [entry for entry in named(timeline) if entry["kind"] == "Deployment"]


def distinct(values: t.Iterable[t.Any]) -> list[t.Any]:
    """Without repetitions of the one just before."""
    kept: list[t.Any] = []
    for value in values:
        if not kept or kept[-1] != value:
            kept.append(value)
    return kept


def condition_story(timeline: Timeline) -> list[tuple[tuple[str, ...], ...]]:
    words = ("type", "status", "reason", "message")
    return distinct(
        tuple(sorted(tuple(c[w] for w in words) for c in entry["status"].get("conditions", ())))
        for entry in deployments(timeline)
    )


def revision_story(timeline: Timeline) -> list[tuple[bool, int]]:
    """(the status is of an older generation, revision since the start)."""
    found = deployments(timeline)
    first = int(found[0]["revision"])
    return distinct(
        (e["status"].get("observedGeneration", 0) < e["generation"], int(e["revision"]) - first)
        for e in found
    )


def told(timeline: Timeline, about: str) -> list[tuple[str, str, str]]:
    return distinct(
        (e["type"], e["reason"], e["message"])
        for e in named(timeline)
        if e["kind"] == "Event" and e["about"] == about
    )


def in_order(part: t.Sequence[t.Any], whole: t.Sequence[t.Any]) -> bool:
    rest = iter(whole)
    return all(any(entry == other for other in rest) for entry in part)


# What is compared


@pytest.mark.parametrize("name", ["green", "crash", "undo", "quota"])
def test_conditions_pass_through_the_recorded_states_in_order(
    name: str, observed: dict[str, Timeline]
) -> None:
    ours, real = condition_story(observed[name]), condition_story(golden(name))

    assert in_order(ours, real), f"{ours} is not within {real}"
    assert ours[-1] == real[-1]
    said = {condition[:3] for state in ours for condition in state}
    assert said == {condition[:3] for state in real for condition in state}


def test_a_failure_that_was_lifted_is_forgotten_and_the_rollout_goes_on(
    observed: dict[str, Timeline],
) -> None:
    ours, real = condition_story(observed["quota-lifted"]), condition_story(golden("quota-lifted"))

    assert ours[-1] == real[-1]
    # The first recorded state, still timed out and already without the failure, lasts no time.
    assert {c[2] for state in real[1:] for c in state} <= {c[2] for state in ours for c in state}


@pytest.mark.parametrize("name", ["green", "crash", "undo", "quota"])
def test_revision_and_generation_move_as_recorded(name: str, observed: dict[str, Timeline]) -> None:
    ours, real = revision_story(observed[name]), revision_story(golden(name))

    assert in_order(ours, real), f"{ours} is not within {real}"
    assert (ours[0], ours[-1]) == (real[0], real[-1])


@pytest.mark.parametrize("name", ["green", "undo", "quota-lifted"])
def test_counters_stay_within_the_recorded_bounds_and_end_the_same(
    name: str, observed: dict[str, Timeline]
) -> None:
    def counters(timeline: Timeline, counter: str) -> list[int]:
        return distinct(e["status"].get(counter, 0) for e in deployments(timeline))

    ours, real = observed[name], golden(name)
    for counter in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"):
        assert counters(ours, counter)[-1] == counters(real, counter)[-1]
        assert set(counters(ours, counter)) <= set(counters(real, counter)) | {3}
    assert "unavailableReplicas" not in deployments(ours)[-1]["status"]


@pytest.mark.parametrize("counter", ["replicas", "updatedReplicas", "terminatingReplicas"])
def test_a_green_rollout_shows_each_step(counter: str, observed: dict[str, Timeline]) -> None:
    def seen(timeline: Timeline) -> set[int | None]:
        return {entry["status"].get(counter) for entry in deployments(timeline)}

    # Our pods take longer to end than the recorded node's, so more may end at once.
    more = {2, 3} if counter == "terminatingReplicas" else set()
    assert seen(golden("green")) <= seen(observed["green"]) <= seen(golden("green")) | more


@pytest.mark.parametrize("name", ["green", "crash", "undo", "quota"])
def test_the_deployments_events_are_the_recorded_ones_in_order(
    name: str, observed: dict[str, Timeline]
) -> None:
    assert told(observed[name], "Deployment") == told(golden(name), "Deployment")


@pytest.mark.parametrize("name", ["green", "crash", "undo", "quota"])
def test_the_replica_sets_events_have_the_recorded_words(
    name: str, observed: dict[str, Timeline]
) -> None:
    assert set(told(observed[name], "ReplicaSet")) == set(told(golden(name), "ReplicaSet"))


@pytest.mark.parametrize("name", ["green", "crash", "undo", "quota"])
def test_replica_sets_carry_the_recorded_annotations(
    name: str, observed: dict[str, Timeline]
) -> None:
    def last(timeline: Timeline) -> list[dict[str, str]]:
        found = {e["name"]: e["annotations"] for e in named(timeline) if e["kind"] == "ReplicaSet"}
        return [found[name] for name in sorted(found)]

    assert last(observed[name]) == last(golden(name))


def test_an_endpoint_is_unready_while_it_still_serves(observed: dict[str, Timeline]) -> None:
    leaving = {"ready": False, "serving": True, "terminating": True}
    slices = [e["endpoints"] for e in observed["green"] if e["kind"] == "EndpointSlice"]

    assert any(leaving in endpoints for endpoints in slices)
    assert all(sum(e["ready"] for e in endpoints) >= 3 for endpoints in slices)
