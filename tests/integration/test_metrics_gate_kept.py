"""A watch that is kept with its release: killed and taken up, held and decided, in processes of their own."""

import base64
import gzip
import json
import os
import signal
import time
import typing as t
from dataclasses import dataclass

import pytest

from ansible_collections.easymo.deploy.plugins.modules import metrics_gate, release
from tests.fakes.prometheus import FakePrometheus, prometheus
from tests.integration.conftest import SERVICE, Place
from tests.integration.module_process import ModuleProcess, started
from tests.waiting import until

GOOD, BETWEEN, BAD = 0, 3, 9


@dataclass
class Gate:
    place: Place
    server: FakePrometheus

    def options(self, metric: dict[str, t.Any] | None = None, **given: t.Any) -> dict[str, t.Any]:
        bounds = {"pass": {"max": 1}, "rollback": {"above": 5}}
        watched = {"name": "m", "query": "q", **bounds, **(metric or {})}
        cluster = {"kubeconfig": self.place.kubeconfig, "namespace": self.place.namespace}
        quick = {"duration": 600, "interval": 0.2, "recover_for": 600, "max_gap": 600}
        kept = {"release": "2.0.0", "kubernetes": cluster, "prometheus": {"url": self.server.url}}
        return {**kept, **quick, "metrics": [watched], **given}

    def run(self, metric: dict[str, t.Any] | None = None, **given: t.Any) -> dict[str, t.Any]:
        return self.place.run_bare(metrics_gate, **self.options(metric, **given))

    def decide(self, decision: str, **given: t.Any) -> dict[str, t.Any]:
        version = given.pop("release", "2.0.0")
        decided = {"decision": decision, "by": "ann", "reason": "all seen", **given}
        return self.place.run(release, name=version, decision=decided)

    def opens(self) -> None:
        """The phase, as the playbook does before each watch."""
        opened = {"phase": "monitoring", "phase_status": "running"}
        assert not self.place.run(release, name="2.0.0", **opened).get("failed")

    def state(self) -> dict[str, t.Any]:
        """What is kept, read by another program."""
        found = self.place.kubectl(
            "get", "configmap", "release-2.0.0-watch", "--ignore-not-found", "-o", "json"
        )
        if not found:
            return {}
        content = gzip.decompress(base64.b64decode(json.loads(found)["data"]["content"]))
        return json.loads(content)["monitoring"]["state"]

    def holds(self) -> bool:
        return self.state().get("held") is not None

    def looks(self) -> int:
        return int(self.state().get("series", {}).get("m", {}).get("count", 0))


@pytest.fixture
def gate(place) -> t.Iterator[Gate]:
    with prometheus() as server:
        made = Gate(place, server)
        made.opens()
        yield made


def interrupted(process: ModuleProcess, number: signal.Signals) -> None:
    (itself, *_children) = process.family()
    os.kill(itself.pid, number)
    process.wait()
    # Long enough for looks to be missed.
    time.sleep(1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_watch_that_was_ended_by_a_signal_goes_on_where_it_stopped(gate, number):
    gate.server.says("q", GOOD)
    with started("metrics_gate", gate.options()) as process:
        until(lambda: gate.looks() >= 3)
        interrupted(process, number)
    before = gate.state()
    seen = before["series"]["m"]["count"]
    result = gate.run({"count": seen + 2, "max_missing": 1})
    assert (result["verdict"], result["samples"][0]["count"]) == ("proceed", seen + 2)
    assert result["samples"][0]["missing"] > 0


def test_a_hold_guards_on_until_a_person_approves(gate):
    gate.server.says("q", BETWEEN)
    assert "nothing was watched yet" in gate.decide("approve")["msg"]
    with started("metrics_gate", gate.options(duration=0.4, hold_for=600)) as process:
        until(gate.holds)
        assert "'by'" in gate.decide("approve", by=" ")["msg"]
        assert "'reason'" in gate.decide("approve", reason=" ")["msg"]
        assert "no watch 'ramp'" in gate.decide("approve", gate="ramp")["msg"]
        assert "no record of release '1.9.0'" in gate.decide("approve", release="1.9.0")["msg"]
        assert process.running
        decided = gate.decide("approve")
        asked = gate.server.times("q")
        assert (decided["changed"], decided["diff"]["before"]) == (True, {})
        result = process.result()
        # It sees the decision at its next look; one may have been under way.
        assert gate.server.times("q") - asked <= 2
    assert (result["verdict"], result["decision"]["by"]) == ("proceed", "ann")
    assert "should be at most 1" in result["reasons"][0]["text"]
    assert "should be at most 1" in result["held"]["reasons"][0]
    record = gate.place.run(release, name="2.0.0")["record"]
    (known,) = record["facts"]["decisions"].values()
    assert (known["gate"], known["decision"], known["by"], known["reason"]) == (
        "monitoring",
        "approve",
        "ann",
        "all seen",
    )
    assert gate.decide("approve")["changed"] is False
    assert "nothing to decide" in gate.decide("approve", by="bob")["msg"]


def test_a_reject_goes_back_and_a_watch_that_does_not_hold_cannot_be_approved(gate):
    gate.server.says("q", GOOD)
    with started("metrics_gate", gate.options(hold_for=600)) as process:
        until(lambda: gate.looks() >= 2)
        assert "does not hold" in gate.decide("approve")["msg"]
        assert gate.decide("reject", by="eve")["changed"]
        result = process.result()
    assert (result["reason"], result["verdict"], result["decision"]["by"]) == (
        "Rollback",
        "rollback",
        "eve",
    )


def test_lines_of_a_deployments_logs_are_counted(gate, deployed):
    """Of all its pods, in the time that is asked for."""
    counted = {"kind": "kubernetes_log", "deployment": SERVICE, "window": 3600, "pass": {"max": 0}}
    lines = gate.place.kubectl("logs", "-l", f"app={SERVICE}", "--tail=-1").splitlines()
    result = gate.run({**counted, "query": ".", "count": 1}, fail_on=[])
    assert result["samples"][0]["last"] >= len(lines) > 0
    assert gate.run({**counted, "query": "never written", "count": 1})["verdict"] == "proceed"
    assert "not a regular expression" in gate.run({**counted, "query": "("})["msg"]
    assert "no Deployment 'absent'" in gate.run({**counted, "deployment": "absent"})["msg"]


def test_a_hold_goes_back_on_a_breach_and_on_by_itself_when_good_again(gate):
    gate.server.says("q", BETWEEN)
    with started("metrics_gate", gate.options(duration=0.4, hold_for=600)) as process:
        until(gate.holds)
        gate.server.says("q", BAD)
        assert process.result()["verdict"] == "rollback"
    gate.server.says("q", *[BETWEEN] * 12, GOOD)
    result = gate.run(duration=0.4, hold_for=600, recover_for=0.5, max_gap=0)
    assert (result["verdict"], result["decision"]) == ("proceed", {})
    assert result["held"]["since"]
