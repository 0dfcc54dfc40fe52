"""What the kubelet reports of a pod, when probes count, what logs show, and how exec says its end."""

import asyncio
import typing as t
from pathlib import Path

import pytest

from sandbox.faults import Fault, Faults
from sandbox.node import exec as execution
from sandbox.node import status
from sandbox.node.behaviour import Behaviour
from sandbox.node.component import Subnet, pick_octet
from sandbox.node.images import parse_image
from sandbox.node.probes import Probe, ThresholdCounter, parse_probe
from sandbox.node.process import ContainerLog, LogOptions, chosen, rendered
from sandbox.node.settle import collection
from sandbox.node.status import ContainerState, phase, pod_status

NOW = 1_795_510_800.0
EXITED = status.terminated(1, "Error", started=NOW, finished=NOW)


def container(state: dict[str, t.Any], last: dict[str, t.Any] | None = None) -> ContainerState:
    return ContainerState("c", "easymo/metrics:v1", state=state, last_state=last or {})


@pytest.mark.parametrize(
    ("states", "policy", "expected"),
    [
        ([status.waiting("ContainerCreating")], "Always", "Pending"),
        ([status.waiting("ImagePullBackOff"), status.running(NOW)], "Always", "Pending"),
        ([status.running(NOW)], "Always", "Running"),
        ([EXITED, status.running(NOW)], "Always", "Running"),
        ([EXITED], "Always", "Running"),
        ([EXITED], "OnFailure", "Running"),
        ([EXITED], "Never", "Failed"),
    ],
)
def test_the_phase_follows_from_the_containers(states, policy, expected):
    assert phase([container(state) for state in states], policy) == expected


def test_a_crash_loop_is_still_a_running_pod():
    assert phase([container(status.waiting("CrashLoopBackOff"), EXITED)], "Always") == "Running"


def test_conditions_keep_their_time_while_they_stay_the_same():
    pod: dict[str, t.Any] = {"metadata": {"name": "p", "uid": "u"}, "spec": {}}
    state = container(status.running(NOW))

    pod["status"] = pod_status(pod, [state], ip="127.20.0.2", started=NOW, now=NOW)
    later = pod_status(pod, [state], ip="127.20.0.2", started=NOW, now=NOW + 60)
    state.ready = True
    ready = pod_status(pod, [state], ip="127.20.0.2", started=NOW, now=NOW + 60)

    assert later == pod["status"]
    found = {c["type"]: c for c in ready["conditions"]}
    assert found["Ready"]["status"] == "True"
    assert found["Ready"]["lastTransitionTime"] > found["Initialized"]["lastTransitionTime"]
    told = {c["type"]: c.get("message") for c in later["conditions"]}
    assert told["ContainersReady"] == "containers with unready status: [c]"


def test_probes_have_the_apis_defaults_and_named_ports():
    spec = {"ports": [{"name": "http", "containerPort": 8080}]}
    probe = parse_probe({"httpGet": {"path": "/health", "port": "http"}}, spec)

    assert probe == Probe(port=8080, path="/health", period=10, timeout=1)
    assert parse_probe(None, spec) is None


def test_a_verdict_turns_only_at_its_threshold():
    probe = Probe(port=1, success_threshold=2, failure_threshold=3)
    counter = ThresholdCounter(probe, passing=False)

    answers = [True, True, False, False, True, False, False, False, True]
    assert [counter.observe(answer) for answer in answers] == [
        False, True, True, True, True, True, True, False, False,
    ]  # fmt: skip


def test_logs_are_bounded_and_shown_from_the_end():
    log = ContainerLog(clock=lambda: NOW)
    for number in range(3000):
        log.write(f"line {number}")

    assert len(log.lines()) == 2000
    shown = chosen(log.lines(), LogOptions.of({"tailLines": "2", "timestamps": "true"}), NOW)
    assert [line.text for line in shown] == ["line 2998", "line 2999"]
    assert rendered(shown[0], LogOptions(timestamps=True)).endswith(b"Z line 2998\n")
    assert chosen(log.lines(), LogOptions(since_seconds=5), NOW + 6) == []
    with pytest.raises(ValueError, match="tailLines"):
        LogOptions.of({"tailLines": "-1"})


def test_a_reader_that_follows_is_woken_by_a_line():
    async def follow() -> list[str]:
        log = ContainerLog()
        waiting = asyncio.create_task(log.wait())
        await asyncio.sleep(0)
        log.write("one\ntwo")
        await asyncio.wait_for(waiting, 1)
        return [line.text for line in log.lines()]

    assert asyncio.run(follow()) == ["one", "two"]


def test_an_exit_code_is_told_as_the_real_server_tells_it():
    assert execution.exit_status(["true"], 0) == {"metadata": {}, "status": "Success"}
    failed = execution.exit_status(["sh", "-c", "exit 3"], 3)
    assert failed["reason"] == "NonZeroExitCode"
    assert failed["details"]["causes"] == [{"reason": "ExitCode", "message": "3"}]
    assert (execution.exit_code(-9), execution.exit_code(2)) == (137, 2)


def faults(tmp_path: Path, *given: Fault) -> Faults:
    made = Faults(tmp_path / "faults.json")
    made.write(given)
    return made


def test_a_fault_strikes_new_containers_and_passes_when_it_is_cleared(tmp_path):
    image = parse_image("easymo/wallet-service:v2.0.0")
    quiet = faults(tmp_path)
    running = Behaviour(quiet, image, main=True)
    quiet.write([Fault("node", "never-ready", "wallet-service")])
    new = Behaviour(quiet, image, main=True)

    assert (running.does("unready"), new.does("unready")) == (False, True)
    assert not Behaviour(quiet, image, main=False).does("unready")
    quiet.write([])
    assert not new.does("unready")


def test_a_fault_can_reach_existing_containers_too(tmp_path):
    image = parse_image("easymo/wallet-service:v2.0.0")
    quiet = faults(tmp_path)
    running = Behaviour(quiet, image, main=True)
    quiet.write([Fault("node", "crash-loop", parameters={"existing": "true"})])

    assert running.does("crash")


def test_addresses_are_handed_out_in_turn_and_reclaimed():
    subnet = Subnet(20, is_free=lambda address: not address.endswith(".4"))

    assert [subnet.claim() for _ in range(3)] == ["127.20.0.3", "127.20.0.5", "127.20.0.6"]
    subnet.release("127.20.0.3")
    assert subnet.claim() == "127.20.0.7"
    assert subnet.claim("127.20.0.3") == "127.20.0.3"
    assert subnet.claim("127.20.0.3") == "127.20.0.8"
    assert subnet.claim("10.0.0.1") == "127.20.0.9"


def test_a_run_takes_a_network_nobody_uses():
    assert pick_octet(lambda address: address == "127.77.0.1") == 77
    with pytest.raises(OSError, match=r"127\.16-250"):
        pick_octet(lambda _address: False)


@pytest.mark.parametrize(
    ("version", "kind", "namespace", "path"),
    [
        ("v1", "Namespace", None, "/api/v1/namespaces"),
        ("apps/v1", "Deployment", "n", "/apis/apps/v1/namespaces/n/deployments"),
        ("policy/v1", "PodDisruptionBudget", "n",
         "/apis/policy/v1/namespaces/n/poddisruptionbudgets"),
    ],
)  # fmt: skip
def test_a_manifest_is_posted_to_its_collection(version, kind, namespace, path):
    metadata = {"name": "x", **({"namespace": namespace} if namespace else {})}

    assert collection({"apiVersion": version, "kind": kind, "metadata": metadata}) == path
