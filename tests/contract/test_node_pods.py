"""What operators see of pods: failures in the kubelet's words, logs, exec, and no lost request."""

import asyncio
import json
import os
import signal
import subprocess
import typing as t

import aiohttp
import psutil
import pytest

from sandbox.node.client import GROUPS, Client
from sandbox.node.component import COMPONENT as NODE
from tests.contract import rollout_cluster
from tests.contract.rollout_cluster import REPOSITORY, SERVICE, complete, running_cluster, service
from tests.contract.rollout_place import NEW, Stage, stage
from tests.waiting import until

Object = dict[str, t.Any]

GROUPS.setdefault("endpointslices", "/apis/discovery.k8s.io/v1")
ABSENT = f"easymo/{SERVICE}:v9-nopull"


def show(at: Stage, image: str = NEW) -> None:
    at.kubectl("set", "image", f"deployment/{SERVICE}", f"{SERVICE}={image}")


def container_where(at: Stage, holds: t.Callable[[Object], bool]) -> Object:
    """The status of the first main container for which `holds`."""
    matching: list[Object] = []

    def seen() -> bool:
        by_pod = [pod["status"].get("containerStatuses") for pod in pods(at)]
        matching.extend(statuses[0] for statuses in by_pod if statuses and holds(statuses[0]))
        return bool(matching)

    until(seen)
    return matching[0]


def pods(at: Stage) -> list[Object]:
    return at.cluster.list_objects("Pod")


def waits_for(reason: str) -> t.Callable[[Object], bool]:
    return lambda status: (status["state"].get("waiting") or {}).get("reason") == reason


@pytest.mark.parametrize(
    ("image", "reason", "words"),
    [
        (ABSENT, "ErrImagePull", ": not found"),
        (ABSENT, "ImagePullBackOff", f'Back-off pulling image "{ABSENT}"'),
        (f"{NEW}-crash", "CrashLoopBackOff", "restarting failed container"),
        ("Easymo/Wallet:v1", "InvalidImageName", "invalid reference format"),
    ],
)
def test_a_bad_image_is_told_in_the_kubelets_words(at, image, reason, words):
    show(at, image)
    assert words in container_where(at, waits_for(reason))["state"]["waiting"]["message"]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("image-not-found", "ImagePullBackOff"),
        ("bad-config-reference", "CreateContainerConfigError"),
    ],
)
def test_a_fault_hits_new_pods_and_old_ones_serve_on(at, fault, reason):
    with at.fault(f"node.{fault}", SERVICE):
        show(at)
        container_where(at, waits_for(reason))
        assert at.body()["status"]["availableReplicas"] == 3
    at.settle()


def test_a_container_killed_for_memory_says_so(at):
    with at.fault("node.oom", SERVICE):
        show(at)
        container = container_where(at, lambda status: "terminated" in status["lastState"])
    ended = container["lastState"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (137, "OOMKilled")
    assert container["restartCount"] >= 1


def test_a_pod_without_room_is_unschedulable(at):
    def messages() -> list[str]:
        conditions = [each for pod in pods(at) for each in pod["status"].get("conditions", ())]
        return [each["message"] for each in conditions if each.get("reason") == "Unschedulable"]

    with at.fault("node.unschedulable", SERVICE):
        show(at)
        until(lambda: bool(messages()))
        assert messages()[0].startswith("0/1 nodes are available: 1 Insufficient cpu.")


def test_no_request_is_lost_while_pods_are_replaced(cluster, at):
    """Routed by EndpointSlices, over connections that are kept.

    A pod may be gone once it is no endpoint any more: how late a load balancer learns of it is none of the node's.
    """
    namespace = at.place.namespace
    body = {**service(), "metadata": {"name": SERVICE, "labels": {"app": SERVICE}}}
    at.place.kubectl("create", "-f", "-", stdin=json.dumps(body))

    async def ask(api: Client) -> tuple[Object, list[object]]:
        async with asyncio.timeout(120):
            while len(await _endpoints(api, namespace)) < 3:
                await asyncio.sleep(0.02)
        await asyncio.to_thread(show, at)
        failures: list[object] = []
        requests = 0
        async with aiohttp.ClientSession() as session:
            while (
                not complete(deployment := await api.get("deployments", namespace, SERVICE))
                or requests < 60
            ):
                for address in await _endpoints(api, namespace):
                    requests += 1
                    try:
                        async with session.get(f"http://{address}:8080/livez") as answer:
                            failures += [answer.status] if answer.status != 200 else []
                    except aiohttp.ClientError as exc:
                        if address in await _endpoints(api, namespace):
                            failures.append(exc)
                await asyncio.sleep(0.02)
        return deployment, failures

    async def asked() -> tuple[Object, list[object]]:
        async with rollout_cluster.client(cluster) as api:
            return await ask(api)

    deployment, failures = asyncio.run(asked())
    assert deployment["status"]["availableReplicas"] == 3
    assert failures == []


async def _endpoints(api: Client, namespace: str) -> list[str]:
    """Addresses of the pods that requests may go to now."""
    slices, _version = await api.list("endpointslices", namespace)
    return [
        endpoint["addresses"][0]
        for each in slices
        for endpoint in each.get("endpoints") or ()
        if endpoint["conditions"]["ready"]
    ]


def test_logs_show_the_start_and_know_no_previous_instance(at):
    log = ("logs", pods(at)[0]["metadata"]["name"], f"--container={SERVICE}")
    assert at.kubectl(*log, "--tail=1") == "Wallet Service v1.9.0 started successfully\n"
    with pytest.raises(AssertionError, match=r"\(BadRequest\): previous terminated container"):
        at.kubectl(*log, "--previous")


@pytest.mark.parametrize("protocol", ["v5.channel.k8s.io", "v4.channel.k8s.io"])
def test_exec_runs_with_the_containers_environment_and_tells_the_exit_code(protocol, cluster, at):
    pod = pods(at)[0]["metadata"]["name"]
    url = f"{cluster.facts('node')['url']}/exec/{at.place.namespace}/{pod}/{SERVICE}"
    channels: dict[int, bytes] = {}

    async def execute() -> None:
        query = [("command", part) for part in ("sh", "-c", "env; echo no >&2; exit 3")]
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(url, protocols=[protocol], params=query) as socket,
        ):
            assert socket.protocol == protocol
            async for message in socket:
                channels[message.data[0]] = channels.get(message.data[0], b"") + message.data[1:]

    asyncio.run(execute())
    names = {line.partition("=")[0] for line in channels[1].decode().splitlines()}
    assert names - {"PWD", "SHLVL", "_", "OLDPWD"} == {"PATH", "HOSTNAME"}
    assert f"HOSTNAME={pod}" in channels[1].decode()
    assert channels[2] == b"no\n"
    causes = json.loads(channels[3])["details"]["causes"]
    assert causes == [{"reason": "ExitCode", "message": "3"}]


def test_a_browser_may_not_reach_exec(cluster):
    async def ask() -> int:
        url = f"{cluster.facts('node')['url']}/exec/a/b/c"
        async with (
            aiohttp.ClientSession() as session,
            session.get(url, headers={"Origin": "http://example.com"}) as answer,
        ):
            return answer.status

    assert asyncio.run(ask()) == 403


def test_pods_are_started_anew_after_the_node_was_killed(tmp_path):
    def addresses(at: Stage) -> dict[str, str]:
        return {pod["metadata"]["name"]: pod["status"]["podIP"] for pod in pods(at)}

    def anew(status: Object) -> bool:
        return status["ready"] and status["started"] and status["restartCount"] == 1

    with running_cluster(tmp_path) as world, stage(world) as at:
        before, argv = addresses(at), [*NODE.process(world).argv]
        (running,) = (
            each for each in psutil.process_iter(["cmdline"]) if each.info["cmdline"] == argv
        )
        os.kill(running.pid, signal.SIGKILL)
        with (world.folder("node") / "log.txt").open("ab") as log:
            again = subprocess.Popen(argv, stdout=log, stderr=log, cwd=REPOSITORY)
        try:
            until(lambda: all(anew(pod["status"]["containerStatuses"][0]) for pod in pods(at)))
            assert addresses(at) == before
        finally:
            again.terminate()
            again.wait()
