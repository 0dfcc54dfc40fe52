"""A watch that is kept with its release: killed and taken up, in processes of their own; and lines of logs."""

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

GOOD = 0
INTERVAL = 0.2


@dataclass
class Gate:
    place: Place
    server: FakePrometheus

    def options(self, metric: dict[str, t.Any] | None = None, **given: t.Any) -> dict[str, t.Any]:
        bounds = {"pass": {"max": 1}, "rollback": {"above": 5}}
        watched = {"name": "m", "query": "q", **bounds, **(metric or {})}
        cluster = {"kubeconfig": self.place.kubeconfig, "namespace": self.place.namespace}
        quick = {"duration": 600, "interval": INTERVAL, "recover_for": 600, "max_gap": 600}
        kept = {"release": "2.0.0", "kubernetes": cluster, "prometheus": {"url": self.server.url}}
        return {**kept, **quick, "metrics": [watched], **given}

    def run(self, metric: dict[str, t.Any] | None = None, **given: t.Any) -> dict[str, t.Any]:
        return self.place.run_bare(metrics_gate, **self.options(metric, **given))

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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_watch_that_was_ended_by_a_signal_goes_on_where_it_stopped(gate, number):
    gate.server.says("q", GOOD)
    with started("metrics_gate", gate.options()) as process:
        until(lambda: gate.looks() >= 3)
        interrupted(process, number)
    before = gate.state()
    # Until looks were missed.
    missed = before["started"] + before["elapsed"] + 2 * INTERVAL
    until(lambda: time.time() > missed)
    seen = before["series"]["m"]["count"]
    result = gate.run({"count": seen + 2, "max_missing": 1})
    assert (result["verdict"], result["samples"][0]["count"]) == ("proceed", seen + 2)
    assert result["samples"][0]["missing"] > 0


def test_lines_of_a_deployments_logs_are_counted(gate, deployed):
    """Of all its pods, in the time that is asked for."""
    counted = {"kind": "kubernetes_log", "deployment": SERVICE, "window": 3600, "pass": {"max": 0}}
    lines = gate.place.kubectl("logs", "-l", f"app={SERVICE}", "--tail=-1").splitlines()
    result = gate.run({**counted, "query": ".", "count": 1}, fail_on=[])
    assert result["samples"][0]["last"] >= len(lines) > 0
    assert gate.run({**counted, "query": "never written", "count": 1})["verdict"] == "proceed"
    assert "not a regular expression" in gate.run({**counted, "query": "("})["msg"]
    assert "no Deployment 'absent'" in gate.run({**counted, "deployment": "absent"})["msg"]
