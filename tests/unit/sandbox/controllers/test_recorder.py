"""Events over a real store: counted when repeated, combined from the tenth, gone after an hour."""

import typing as t

from sandbox.kubernetes.controllers.events import COMBINED, Recorder, expired_events
from sandbox.kubernetes.controllers.objects import Cluster
from sandbox.kubernetes.store import Store

Object = dict[str, t.Any]


class Clock:
    def __init__(self) -> None:
        self.now = 1_795_510_800.0

    def __call__(self) -> float:
        return self.now


def started() -> tuple[Cluster, Clock, Recorder, Object]:
    store, clock = Store(), Clock()
    store.create("namespaces", {"metadata": {"name": "n"}})
    about = store.create("configmaps", {"metadata": {"name": "rs", "namespace": "n"}})
    cluster = Cluster(store, clock)
    return cluster, clock, Recorder(cluster, "replicaset-controller"), about


def test_the_same_words_again_are_counted():
    cluster, clock, recorder, about = started()

    recorder.warning(about, "FailedCreate", "no")
    clock.now += 60
    recorder.warning(about, "FailedCreate", "no")

    (event,) = cluster.all("events", "n")
    assert (event["count"], event["message"]) == (2, "no")
    assert event["firstTimestamp"] < event["lastTimestamp"]


def test_from_the_tenth_different_message_on_they_are_combined():
    cluster, _, recorder, about = started()

    for number in range(12):
        recorder.warning(about, "FailedCreate", f"pod {number}")

    events = cluster.all("events", "n")
    combined = [event for event in events if event["message"].startswith(COMBINED)]
    assert len(events) == 10
    assert [(event["count"], event["message"]) for event in combined] == [(3, f"{COMBINED}pod 11")]
    assert combined[0]["reportingComponent"] == ""


def test_events_expire_an_hour_after_they_last_happened():
    cluster, clock, recorder, about = started()
    recorder.normal(about, "SuccessfulCreate", "made")

    assert expired_events(cluster.all("events"), clock.now + 3599) == []
    assert len(expired_events(cluster.all("events"), clock.now + 3601)) == 1
