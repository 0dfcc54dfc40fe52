# SPDX-License-Identifier: GPL-3.0-or-later
"""What operators see of pods: failures in the kubelet's words, logs, exec, and no lost request."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
import typing as t
from pathlib import Path

import aiohttp
import pytest

from sandbox.faults import Fault, Faults
from sandbox.node.client import GROUPS, Client
from sandbox.node.component import COMPONENT as NODE
from sandbox.world import World
from tests.contract import rollout_cluster as cluster

Object = dict[str, t.Any]
Run = t.Callable[[t.Callable[[Client], t.Awaitable[None]]], None]

GROUPS.setdefault("endpointslices", "/apis/discovery.k8s.io/v1")
IMAGE = f"easymo/{cluster.SERVICE}"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[World]:
    with cluster.running_cluster(tmp_path_factory.mktemp("pods")) as running:
        asyncio.run(_prepare(running))
        yield running


async def _prepare(world: World) -> None:
    async with cluster.client(world) as api:
        await cluster.ensure_namespace(api)
        await api.create("services", cluster.NAMESPACE, cluster.service())
        wanted = cluster.deployment(f"{IMAGE}:v1.9.0", deadline=60)
        await api.create("deployments", cluster.NAMESPACE, wanted)
        await cluster.wait_for(api, cluster.complete)


@pytest.fixture
def faults(world: World) -> t.Iterator[Faults]:
    made = Faults(world.faults_file)
    yield made
    made.write([])


@pytest.fixture
def run(world: World) -> Run:
    """Runs a story against the API, from a healthy Deployment back to one."""

    def play(story: t.Callable[[Client], t.Awaitable[None]]) -> None:
        async def whole() -> None:
            async with cluster.client(world) as api:
                await story(api)
                Faults(world.faults_file).write([])
                await cluster.set_image(api, f"{IMAGE}:v1.9.0")
                await asyncio.sleep(0.3)
                await cluster.wait_for(api, cluster.complete, seconds=90)

        asyncio.run(whole())

    return play


async def container_where(
    api: Client, holds: t.Callable[[Object], bool], seconds: float = 30
) -> Object:
    """The status of the first main container for which `holds`."""
    deadline, seen = time.monotonic() + seconds, []
    while time.monotonic() < deadline:
        pods, _ = await api.list("pods", "")
        seen = [p["status"]["containerStatuses"][0] for p in pods
                if p["status"].get("containerStatuses")]  # fmt: skip
        for found in seen:
            if holds(found):
                return t.cast("Object", found)
        await asyncio.sleep(0.1)
    raise AssertionError(f"no container got there, last seen: {json.dumps(seen)}")


def waits_for(reason: str) -> t.Callable[[Object], bool]:
    return lambda found: (found["state"].get("waiting") or {}).get("reason") == reason


async def roll(api: Client, image: str = f"{IMAGE}:v2.0.0") -> None:
    await cluster.set_image(api, image, note=str(time.time()))


@pytest.mark.parametrize(
    ("image", "reason", "words"),
    [
        (f"{IMAGE}:v9-nopull", "ErrImagePull", ": not found"),
        (f"{IMAGE}:v9-nopull", "ImagePullBackOff", f'Back-off pulling image "{IMAGE}:v9-nopull"'),
        (f"{IMAGE}:v2.0.0-crash", "CrashLoopBackOff", "restarting failed container"),
        ("Easymo/Wallet:v1", "InvalidImageName", "invalid reference format"),
    ],
)
def test_a_bad_image_is_told_in_the_kubelets_words(
    image: str, reason: str, words: str, run: Run
) -> None:
    async def story(api: Client) -> None:
        await roll(api, image)
        found = await container_where(api, waits_for(reason))
        assert words in found["state"]["waiting"]["message"]

    run(story)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("image-not-found", "ImagePullBackOff"),
        ("bad-config-reference", "CreateContainerConfigError"),
    ],
)
def test_a_fault_hits_new_pods_and_old_ones_serve_on(
    fault: str, reason: str, run: Run, faults: Faults
) -> None:
    async def story(api: Client) -> None:
        faults.write([Fault("node", fault, cluster.SERVICE)])
        await roll(api)
        await container_where(api, waits_for(reason))
        found = await api.get("deployments", cluster.NAMESPACE, cluster.SERVICE)
        assert found["status"]["availableReplicas"] == 3
        faults.write([])
        await cluster.wait_for(api, cluster.complete, seconds=60)

    run(story)


def test_a_container_killed_for_memory_says_so(run: Run, faults: Faults) -> None:
    async def story(api: Client) -> None:
        faults.write([Fault("node", "oom", cluster.SERVICE)])
        await roll(api)
        found = await container_where(api, lambda c: "terminated" in c["lastState"])
        ended = found["lastState"]["terminated"]
        assert (ended["exitCode"], ended["reason"]) == (137, "OOMKilled")
        assert found["restartCount"] >= 1

    run(story)


def test_a_pod_without_room_is_unschedulable(run: Run, faults: Faults) -> None:
    async def story(api: Client) -> None:
        faults.write([Fault("node", "unschedulable", cluster.SERVICE)])
        await roll(api)
        for _ in range(100):
            pods, _ = await api.list("pods", "")
            told = [c for p in pods for c in p["status"].get("conditions", ())
                    if c.get("reason") == "Unschedulable"]  # fmt: skip
            if told:
                break
            await asyncio.sleep(0.1)
        assert told[0]["message"].startswith("0/1 nodes are available: 1 Insufficient cpu.")

    run(story)


def test_no_request_is_lost_while_pods_are_replaced(run: Run) -> None:
    """Routed by EndpointSlices as a load balancer does, over connections that are kept."""

    async def story(api: Client) -> None:
        ready: list[str] = []
        following = asyncio.create_task(_follow_endpoints(api, ready))
        await asyncio.sleep(0.3)
        await roll(api)
        failures: list[object] = []
        requests = 0
        async with aiohttp.ClientSession() as session:
            while (
                not cluster.complete(
                    found := await api.get("deployments", cluster.NAMESPACE, cluster.SERVICE)
                )
                or requests < 60
            ):
                for address in list(ready):
                    requests += 1
                    try:
                        async with session.get(f"http://{address}:8080/livez") as answer:
                            failures += [answer.status] if answer.status != 200 else []
                    except aiohttp.ClientError as exc:
                        failures.append(exc)
                await asyncio.sleep(0.02)
        following.cancel()
        assert found["status"]["availableReplicas"] == 3
        assert failures == []

    run(story)


async def _follow_endpoints(api: Client, ready: list[str]) -> None:
    def take(entry: Object) -> None:
        if entry["metadata"]["namespace"] == cluster.NAMESPACE:
            ready[:] = [
                e["addresses"][0] for e in entry.get("endpoints") or () if e["conditions"]["ready"]
            ]

    items, version = await api.list("endpointslices", "")
    for item in items:
        take(item)
    async for event in api.watch("endpointslices", "", version):
        if event["type"] != "BOOKMARK":
            take(event["object"])


async def _kubelet(world: World, path: str) -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(world.facts("node")["url"] + path) as answer,
    ):
        return answer.status, await answer.text()


async def _a_pod(api: Client) -> str:
    pods, _ = await api.list("pods", "")
    return str(
        next(p["metadata"]["name"] for p in pods if "deletionTimestamp" not in p["metadata"])
    )


def test_logs_show_the_start_and_know_no_previous_instance(world: World, run: Run) -> None:
    async def story(api: Client) -> None:
        path = f"/containerLogs/{cluster.NAMESPACE}/{await _a_pod(api)}/{cluster.SERVICE}"
        assert await _kubelet(world, f"{path}?tailLines=1") == (
            200,
            "Wallet Service v1.9.0 started successfully\n",
        )
        status, words = await _kubelet(world, f"{path}?previous=true")
        assert status == 400
        assert words.startswith("previous terminated container")

    run(story)


@pytest.mark.parametrize("protocol", ["v5.channel.k8s.io", "v4.channel.k8s.io"])
def test_exec_runs_with_the_containers_environment_and_tells_the_exit_code(
    protocol: str, world: World, run: Run
) -> None:
    async def story(api: Client) -> None:
        pod = await _a_pod(api)
        path = f"/exec/{cluster.NAMESPACE}/{pod}/{cluster.SERVICE}"
        query = [("command", part) for part in ("sh", "-c", "env; echo no >&2; exit 3")]
        url = world.facts("node")["url"] + path
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(url, protocols=[protocol], params=query) as socket,
        ):
            assert socket.protocol == protocol
            channels: dict[int, bytes] = {}
            async for message in socket:
                channels.setdefault(message.data[0], b"")
                channels[message.data[0]] += message.data[1:]
        names = {line.partition("=")[0] for line in channels[1].decode().splitlines()}
        assert names - {"PWD", "SHLVL", "_", "OLDPWD"} == {"PATH", "HOSTNAME"}
        assert f"HOSTNAME={pod}" in channels[1].decode()
        assert channels[2] == b"no\n"
        causes = json.loads(channels[3])["details"]["causes"]
        assert causes == [{"reason": "ExitCode", "message": "3"}]

    run(story)


def test_a_browser_may_not_reach_exec(world: World) -> None:
    async def ask() -> int:
        url = f"{world.facts('node')['url']}/exec/a/b/c"
        async with (
            aiohttp.ClientSession() as session,
            session.get(url, headers={"Origin": "http://example.com"}) as answer,
        ):
            return answer.status

    assert asyncio.run(ask()) == 403


def test_pods_are_started_anew_after_the_node_was_killed(world: World, run: Run) -> None:
    """Last of its file: it ends the node that the others share and starts another."""

    async def story(api: Client) -> None:
        pods, _ = await api.list("pods", "")
        before = {p["metadata"]["name"]: p["status"]["podIP"] for p in pods}
        os.kill(_pid_of_node(world), signal.SIGKILL)
        log = Path(world.folder("node") / "log.txt").open("ab")  # noqa: SIM115
        again = await asyncio.create_subprocess_exec(
            *NODE.process(world).argv, stdout=log, stderr=log, cwd=cluster.REPOSITORY
        )
        try:
            found = await container_where(
                api, lambda c: c["ready"] and c["restartCount"] == 1, seconds=40
            )
            assert found["started"]
            await asyncio.sleep(1)
            pods, _ = await api.list("pods", "")
            assert {p["metadata"]["name"]: p["status"]["podIP"] for p in pods} == before
        finally:
            again.terminate()
            await again.wait()
            log.close()

    async def alone() -> None:
        async with cluster.client(world) as api:
            await story(api)

    asyncio.run(alone())


def _pid_of_node(world: World) -> int:
    wanted = [*NODE.process(world).argv]
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            argv = (folder / "cmdline").read_text(encoding="utf-8").split("\0")[:-1]
        except OSError:
            continue
        if argv == wanted:
            return int(folder.name)
    raise AssertionError("the node does not run")
