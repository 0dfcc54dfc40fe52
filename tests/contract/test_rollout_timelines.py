"""Rollouts of the sandbox beside the same ones recorded on a real control plane, state by state.

Once of the sandbox as it runs for people, with a node that runs real processes, and once of the simulated world,
with its own kubelet and in virtual time.
"""

import asyncio
import json
import os
import subprocess
import sys
import typing as t
from operator import itemgetter
from pathlib import Path

import pytest

from sandbox.node.client import GROUPS, Client
from tests.contract import rollout_cluster as cluster
from tests.contract.timelines import (
    QUOTA,
    SCENARIOS,
    Object,
    Timeline,
    condition_story,
    deployments,
    distinct,
    golden,
    in_order,
    named,
    pod_stories,
    reduced,
    revision_story,
    told,
)

ROOT = Path(__file__).parents[2]
GROUPS.setdefault("replicasets", "/apis/apps/v1")
GROUPS.setdefault("endpointslices", "/apis/discovery.k8s.io/v1")
WATCHED = ("deployments", "replicasets", "pods", "events", "endpointslices")
IMAGE = f"easymo/{cluster.SERVICE}"


class Recorder:
    """Watches until told to stop; what arrived before `cut` belongs to the scenario before."""

    def __init__(self, api: Client) -> None:
        self._api = api
        self._seen: list[tuple[int, Object]] = []
        """With the version of each: five watches are five connections, of which any may be behind the others."""
        self._versions: dict[str, int] = {}
        """Of what each watch saw last."""

    async def watch(self, resource: str, version: str) -> None:
        self._versions[resource] = int(version)
        async for event in self._api.watch(resource, "", version):
            if event["type"] == "BOOKMARK":
                continue
            version = event["object"]["metadata"]["resourceVersion"]
            entry = reduced(event)
            if entry is not None:
                self._seen.append((int(version), entry))
            self._versions[resource] = int(version)

    async def catch_up(self) -> None:
        """Until the watches have seen all that there is."""
        for resource in WATCHED:
            items, _ = await self._api.list(resource, "")
            newest = max((int(item["metadata"]["resourceVersion"]) for item in items), default=0)
            async with asyncio.timeout(120):
                while self._versions.get(resource, 0) < newest:
                    await asyncio.sleep(0.02)

    def cut(self) -> Timeline:
        """In the order in which it was written."""
        seen, self._seen = self._seen, []
        return [entry for _version, entry in sorted(seen, key=itemgetter(0))]


async def record_all(api: Client) -> dict[str, Timeline]:
    await cluster.ensure_namespace(api)
    await api.create("services", cluster.NAMESPACE, cluster.service())
    await api.create("deployments", cluster.NAMESPACE, cluster.deployment(f"{IMAGE}:v1.9.0"))
    await cluster.wait_for(api, cluster.complete)
    recorder = Recorder(api)
    watches = [
        asyncio.create_task(recorder.watch(name, (await api.list(name, ""))[1])) for name in WATCHED
    ]
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
        await api.create("resourcequotas", cluster.NAMESPACE, QUOTA)
        await cluster.set_image(api, f"{IMAGE}:v1.9.0", "third")
    else:
        found = await api.get("resourcequotas", cluster.NAMESPACE, "q")
        await api.delete("resourcequotas", found, grace_seconds=0)
    reached = cluster.timed_out if name in ("crash", "quota") else cluster.complete
    await cluster.wait_for(api, reached)
    await recorder.catch_up()
    return recorder.cut()


def of_the_sandbox(folder: Path) -> dict[str, Timeline]:
    with cluster.running_cluster(folder) as world:

        async def play() -> dict[str, Timeline]:
            async with cluster.client(world) as api:
                return await record_all(api)

        return asyncio.run(play())


def of_the_simulation() -> dict[str, Timeline]:
    """In a process of its own, for it puts itself in the place of time and chance."""
    ended = subprocess.run(
        [sys.executable, "-m", "tests.contract.simulated_timelines"],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT / "playbooks" / "collections"),
            "PYTHONHASHSEED": "0",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stderr[-4000:]
    return json.loads(ended.stdout)


@pytest.fixture(scope="module", params=["sandbox", "simulation"])
def observed(request, tmp_path_factory) -> dict[str, Timeline]:
    if request.param == "simulation":
        return of_the_simulation()
    return of_the_sandbox(tmp_path_factory.mktemp("rollouts"))


@pytest.mark.parametrize("name", ["green", "crash", "undo", "quota"])
def test_conditions_pass_through_the_recorded_states_in_order(name, observed):
    ours, real = condition_story(observed[name]), condition_story(golden(name))

    assert in_order(ours, real), f"{ours} is not within {real}"
    assert ours[-1] == real[-1]
    said = {condition[:3] for state in ours for condition in state}
    assert said == {condition[:3] for state in real for condition in state}


def test_a_failure_that_was_lifted_is_forgotten_and_the_rollout_goes_on(observed):
    ours, real = condition_story(observed["quota-lifted"]), condition_story(golden("quota-lifted"))

    assert ours[-1] == real[-1]
    # The first recorded state, still timed out and already without the failure, lasts no time.
    assert {c[2] for state in real[1:] for c in state} <= {c[2] for state in ours for c in state}


@pytest.mark.parametrize("name", ["green", "crash", "undo", "quota"])
def test_revision_and_generation_move_as_recorded(name, observed):
    ours, real = revision_story(observed[name]), revision_story(golden(name))

    assert in_order(ours, real), f"{ours} is not within {real}"
    assert (ours[0], ours[-1]) == (real[0], real[-1])


@pytest.mark.parametrize("name", ["green", "undo", "quota-lifted"])
def test_counters_stay_within_the_recorded_bounds_and_end_the_same(name, observed):
    def counters(timeline: Timeline, counter: str) -> list[int]:
        return distinct(e["status"].get(counter, 0) for e in deployments(timeline))

    ours, real = observed[name], golden(name)
    for counter in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"):
        assert counters(ours, counter)[-1] == counters(real, counter)[-1]
        assert set(counters(ours, counter)) <= set(counters(real, counter)) | {3}
    assert "unavailableReplicas" not in deployments(ours)[-1]["status"]


@pytest.mark.parametrize("counter", ["replicas", "updatedReplicas", "terminatingReplicas"])
def test_a_green_rollout_shows_each_step(counter, observed):
    def seen(timeline: Timeline) -> set[int | None]:
        return {entry["status"].get(counter) for entry in deployments(timeline)}

    # Our pods take longer to end than the recorded node's, so more may end at once.
    more = {2, 3} if counter == "terminatingReplicas" else set()
    assert seen(golden("green")) <= seen(observed["green"]) <= seen(golden("green")) | more


@pytest.mark.parametrize("name", ["green", "crash", "undo", "quota"])
def test_the_deployments_events_are_the_recorded_ones_in_order(name, observed):
    assert told(observed[name], "Deployment") == told(golden(name), "Deployment")


@pytest.mark.parametrize("name", ["green", "crash", "undo", "quota"])
def test_the_replica_sets_events_have_the_recorded_words(name, observed):
    assert set(told(observed[name], "ReplicaSet")) == set(told(golden(name), "ReplicaSet"))


@pytest.mark.parametrize("name", ["green", "crash", "undo", "quota"])
def test_replica_sets_carry_the_recorded_annotations(name, observed):
    def last(timeline: Timeline) -> list[dict[str, str]]:
        found = {e["name"]: e["annotations"] for e in named(timeline) if e["kind"] == "ReplicaSet"}
        return [found[name] for name in sorted(found)]

    assert last(observed[name]) == last(golden(name))


@pytest.mark.parametrize("name", ["green", "quota-lifted"])
def test_a_pod_comes_up_as_recorded(name, observed):
    def risen(timeline: Timeline) -> list[Object]:
        """Of the first new pod, until it is ready."""
        story = next(one for one in pod_stories(timeline) if one[0]["change"] == "ADDED")
        kept = ("change", "phase", "conditions")
        states = [{key: entry[key] for key in kept} for entry in story if entry["grace"] is None]
        ready = next(n for n, one in enumerate(states) if one["conditions"].get("Ready") == "True")
        return states[: ready + 1]

    ours, real = risen(observed[name]), risen(golden(name))
    assert in_order(real, ours), f"{real} is not within {ours}"


@pytest.mark.parametrize("name", ["green", "undo", "quota-lifted"])
def test_a_pod_goes_as_recorded(name, observed):
    def gone(timeline: Timeline) -> list[list[tuple[str, bool]]]:
        """Of each pod that went: the kind of change, and whether its grace was over by then."""
        stories = [
            distinct(
                (one["change"], one["grace"] == 0) for one in story if one["grace"] is not None
            )
            for story in pod_stories(timeline)
        ]
        return [story for story in stories if ("DELETED", True) in story]

    ours, real = gone(observed[name]), gone(golden(name))
    assert distinct(ours) == distinct(real) == [real[0]]


def test_a_container_that_crashes_leaves_the_other_one_alone(observed):
    def crashing(timeline: Timeline) -> list[tuple[t.Any, ...]]:
        """State, reason, readiness and restarts of both containers, of the pod that crashes."""
        story = next(one for one in pod_stories(timeline) if one[0]["change"] == "ADDED")
        return distinct(
            tuple(
                (*((state, how.get("reason")) for state, how in one["state"].items()), one["ready"],
                 one["restarts"])
                for one in entry["containers"]
            )
            for entry in story if entry["containers"] and entry["conditions"]["Ready"] == "False"
        )  # fmt: skip

    # It ends, and is held back before its second restart: what comes later is the same with greater numbers.
    ours, real = crashing(observed["crash"]), crashing(golden("crash"))[:2]
    assert in_order(real, ours), f"{real} is not within {ours}"


@pytest.mark.parametrize("observed", ["sandbox"], indirect=True)
def test_an_endpoint_is_unready_while_it_still_serves(observed):
    leaving = {"ready": False, "serving": True, "terminating": True}
    slices = [e["endpoints"] for e in observed["green"] if e["kind"] == "EndpointSlice"]

    assert any(leaving in endpoints for endpoints in slices)
    assert all(sum(e["ready"] for e in endpoints) >= 3 for endpoints in slices)
