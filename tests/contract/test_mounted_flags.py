"""ConfigMap volumes as the kubelet keeps them, and a service that has its flags from one while it runs."""

import json
import re
import typing as t

import pytest

from sandbox.services.manifests import FLAGS
from sandbox.world import World
from tests.agent_core_pods import (
    AGENTS,
    FLAGS_FOLDER,
    NAME,
    PERCENTAGE,
    agent_core,
    start,
    told,
)
from tests.contract.rollout_cluster import running_cluster
from tests.integration.conftest import Place
from tests.waiting import until

OFF, ON = {AGENTS: "false", PERCENTAGE: "0"}, {AGENTS: "true", PERCENTAGE: "10"}
NEVER = 3600


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> t.Iterator[World]:
    """Its kubelet syncs a pod when it is told to, and not by itself."""
    folder = tmp_path_factory.mktemp("volumes")
    with running_cluster(folder, kubelet_sync=NEVER) as world:
        yield world


def write(place: Place, data: t.Mapping[str, str]) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": FLAGS}, "data": data}
    place.kubectl("apply", "-f", "-", stdin=json.dumps(body))


def sync(place: Place, pod: str, why: str) -> None:
    place.kubectl("annotate", "pod", pod, f"why={why}", "--overwrite")


def files(place: Place, pod: str, *words: str) -> str:
    return place.kubectl("exec", pod, "--", *words)


def test_a_volume_changes_at_a_sync_whole_and_nothing_else_does(at):
    place = at.place
    write(place, OFF)
    body = agent_core("files")
    (container,) = body["spec"]["template"]["spec"]["containers"]
    alone = {"name": FLAGS, "mountPath": "/etc/one", "subPath": AGENTS}
    container["volumeMounts"].append(alone)
    container["envFrom"] = [{"configMapRef": {"name": FLAGS}}]
    (pod,) = start(place, body)
    listed = files(place, pod, "ls", "-lA", FLAGS_FOLDER)
    assert re.search(r"\.\.data -> \.\.\d{4}(_\d\d){5}\.\d+", listed)
    assert f"{AGENTS} -> ..data/{AGENTS}" in listed

    write(place, {AGENTS: "true", "NEW": "1"})
    assert files(place, pod, "cat", f"{FLAGS_FOLDER}/{AGENTS}") == "false"
    sync(place, pod, "changed")
    until(lambda: files(place, pod, "cat", f"{FLAGS_FOLDER}/{AGENTS}") == "true")
    assert sorted(files(place, pod, "ls", FLAGS_FOLDER).split()) == [AGENTS, "NEW"]
    assert len(files(place, pod, "ls", "-A", FLAGS_FOLDER).split()) == 4, "one folder of data"
    assert files(place, pod, "cat", "/etc/one") == "false", "a subPath stays as it was"
    assert f"{AGENTS}=false" in files(place, pod, "env").splitlines()


def test_a_pod_waits_for_a_volume_that_is_not_there(at):
    place = at.place
    body = agent_core("files")
    body["spec"]["template"]["spec"]["volumes"][0]["configMap"].pop("optional")
    place.kubectl("apply", "-f", "-", stdin=json.dumps(body))

    def warned() -> bool:
        events = place.read("events")["items"]
        return any(one["reason"] == "FailedMount" for one in events)

    until(warned)
    write(place, ON)
    place.rolled_out(NAME)


def test_the_service_runs_what_its_volume_has(at):
    place = at.place
    write(place, OFF)
    pod, well = start(place, agent_core("files", replicas=2))
    assert (told(place, pod)[AGENTS], told(place, pod)[PERCENTAGE]) == (False, 0)
    write(place, ON)
    sync(place, pod, "on")
    until(lambda: told(place, pod)[PERCENTAGE] == 10)
    assert told(place, pod)[AGENTS] is True

    with at.fault("node.volumes-stale", pod):
        write(place, OFF)
        for each in (pod, well):
            sync(place, each, "off")
        until(lambda: told(place, well)[PERCENTAGE] == 0)
        assert told(place, pod)[PERCENTAGE] == 10
    sync(place, pod, "well again")
    until(lambda: told(place, pod)[PERCENTAGE] == 0)


def test_what_cannot_be_read_leaves_what_held(at):
    place = at.place
    write(place, ON)
    (pod,) = start(place, agent_core("files"))
    write(place, {**ON, PERCENTAGE: "many"})
    sync(place, pod, "rubbish")
    until(lambda: "flags could not be read" in place.kubectl("logs", pod))
    assert told(place, pod)[PERCENTAGE] == 10
