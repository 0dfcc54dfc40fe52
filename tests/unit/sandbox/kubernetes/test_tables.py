"""What `kubectl get` prints of a pod, and ages."""

import pytest

from sandbox.kubernetes.quantities import human_duration, since
from sandbox.kubernetes.tables import pod_cells, summary


def pod(*states: dict, phase: str = "Running", **metadata: str) -> dict:
    statuses = [
        {"name": f"c{n}", "state": state, "ready": "running" in state, "restartCount": 0}
        for n, state in enumerate(states)
    ]
    return {
        "metadata": {"name": "web"} | metadata,
        "spec": {"containers": [{"name": f"c{n}"} for n in range(len(states))]},
        "status": {"phase": phase, "containerStatuses": statuses},
    }


RUNNING = {"running": {}}


@pytest.mark.parametrize(("found", "words"), [
    (pod(RUNNING), "Running"),
    (pod(phase="Pending"), "Pending"),
    (pod(RUNNING, {"waiting": {"reason": "CrashLoopBackOff"}}), "CrashLoopBackOff"),
    (pod({"waiting": {"reason": "ImagePullBackOff"}}, RUNNING), "ImagePullBackOff"),
    (pod({"terminated": {"reason": "OOMKilled"}}), "OOMKilled"),
    (pod({"terminated": {"exitCode": 3}}), "ExitCode:3"),
    (pod({"terminated": {"signal": 9}}), "Signal:9"),
    (pod(RUNNING, deletionTimestamp="2026-11-24T10:00:00Z"), "Terminating"),
], ids=lambda value: value if isinstance(value, str) else "")  # fmt: skip
def test_the_one_word_for_a_pod(found, words):
    assert summary(found) == words


def test_restarts_tell_when_the_last_one_was():
    found = pod(RUNNING)
    found["status"]["containerStatuses"][0] |= {
        "restartCount": 4,
        "lastState": {"terminated": {"finishedAt": "2020-01-01T00:00:00Z"}},
    }

    cells = pod_cells(found)

    assert cells[0] == "1/1"
    assert cells[2].startswith("4 (")
    assert cells[2].endswith("d ago)")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0s"), (119, "119s"), (120, "2m"), (150, "2m30s"), (630, "10m"), (10799, "179m"),
        (10800, "3h"), (12000, "3h20m"), (100000, "27h"), (200000, "2d7h"), (800000, "9d"),
    ],
)  # fmt: skip
def test_durations(seconds, words):
    assert human_duration(seconds) == words


def test_no_time_is_unknown():
    assert since(None) == "<unknown>"
