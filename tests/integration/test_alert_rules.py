"""Rules put where the real Prometheus takes them from, and seen to be loaded."""

import re
import threading
import typing as t
from pathlib import Path

import pytest
import requests
import yaml

from ansible_collections.easymo.deploy.plugins.module_utils._alerts.api import (
    AlertsApi,
    MonitoringServer,
)
from ansible_collections.easymo.deploy.plugins.modules import alert_rules
from tests.ansible_playbook import ROOT, run_playbook
from tests.integration.conftest import Result
from tests.waiting import until

OBJECT = "alerts-of-a-test"


def groups(**rule: t.Any) -> list[dict[str, t.Any]]:
    made = {
        "alert": "Tested",
        # Not as Prometheus writes it, which must make no difference.
        "expr": "sum(rate(http_requests_total[5m]))by(service)>1000000",
        "for": "2m",
        "labels": {"notify": "on-call-engineer"},
        "annotations": {"summary": "{{ $labels.service }} has {{ $value }}"},
        **rule,
    }
    return [{"name": OBJECT, "rules": [made]}]


@pytest.fixture
def monitoring(world) -> dict[str, str]:
    return {
        "prometheus": {"url": world.facts("prometheus")["url"]},
        "alertmanager": {"url": world.facts("alertmanager")["url"]},
    }


@pytest.fixture
def file(world, monitoring) -> t.Iterator[Path]:
    path = Path(world.facts("prometheus")["rules_folder"]) / f"{OBJECT}.yml"
    yield path
    path.unlink(missing_ok=True)
    AlertsApi(MonitoringServer(monitoring["prometheus"]["url"]), timeout=60).reload()


@pytest.fixture
def run(place, monitoring, file) -> t.Callable[..., Result]:
    def one(wanted: list[dict[str, t.Any]], *, check: bool = False, **more: t.Any) -> Result:
        given = {"destination": "file", "path": str(file), **more}
        given |= {"groups": wanted, "wait_sleep": 0.2, **monitoring}
        return place.run(alert_rules, check_mode=check, **given)

    return one


def test_a_file_is_written_loaded_changed_and_then_left_alone(run, file, monitoring):
    predicted = run(groups(), check=True)
    assert (predicted["changed"], predicted["lacking"]) == (True, {"Tested": "not loaded"})
    assert not file.exists()

    first = run(groups())
    assert (first["changed"], [a["health"] for a in first["alerts"]]) == (True, ["ok"])
    assert first["receivers"] == ["on-call-engineer", "engineering-manager", "#engineering-alerts"]
    assert first["diff"]["before"] == {"groups": []}
    assert yaml.safe_load(file.read_text("utf-8"))["groups"] == groups()
    assert run(groups())["changed"] is False
    assert run(groups(), check=True)["lacking"] == {}

    file.unlink()
    AlertsApi(MonitoringServer(monitoring["prometheus"]["url"]), timeout=60).reload()
    file.write_text(yaml.safe_dump({"groups": groups()}), "utf-8")
    stopped = run(groups())
    assert (stopped["changed"], [a["health"] for a in stopped["alerts"]]) == (True, ["ok"])

    longer = groups(**{"for": "3m"})
    predicted = run(longer, check=True)
    assert predicted["lacking"] == {"Tested": "loaded with 'for' 120 s and not 180 s"}
    second = run(longer)
    assert (second["changed"], second["diff"]["before"]["groups"]) == (True, groups())
    assert second["alerts"][0]["duration"] == 180

    info = run(groups(), check=True)
    assert info["lacking"] == {"Tested": "loaded with 'for' 180 s and not 120 s"}
    assert info["misrouted"] == {}


def test_bad_rules_and_unknown_receivers_are_refused_before_anything_is_written(run, file):
    bad = run(groups(expr="sum(rate(x[5m])"))
    assert (bad["failed"], bad["reason"]) == (True, "InvalidInput")
    assert "Prometheus does not understand the query" in bad["msg"]
    nobody = run(groups(labels={"notify": "nobody"}))
    assert "Alertmanager has no receiver 'nobody' for 'Tested'" in nobody["msg"]
    assert not file.exists()


def test_rules_are_given_over_the_pods_of_the_inventory(run, file):
    wanted = groups(expr='up{job="pods"} == 7', labels={})
    other = 'container!="",namespace="easymo-prod"'
    assert run(wanted, pods=other)["alerts"][0]["query"] == f"up{{{other}}} == 7"
    assert other in file.read_text("utf-8")
    assert run(wanted, pods=other, check=True)["changed"] is False


def test_what_prometheus_does_not_take_is_put_back_and_it_stays_with_what_it_had(run, file):
    run(groups())
    # Only the reload sees it: a template of an annotation that cannot be read.
    refused = run(groups(annotations={"summary": "{{ $value"}))
    assert refused["reason"] == "VerificationFailed"
    assert "rejects its files and keeps the old ones" in refused["msg"]
    assert yaml.safe_load(file.read_text("utf-8"))["groups"] == groups()
    assert run(groups())["changed"] is False


def test_an_object_is_applied_and_waited_for_until_the_operator_has_given_it(
    place, run, file, monitoring
):
    """The sandbox has no operator: a thread of this test does what it does, a moment later."""
    wanted = {"destination": "prometheus_rule", "name": OBJECT, "labels": {"release": "kube"}}
    assert run(groups(), check=True, **wanted)["changed"] is True
    assert "NotFound" not in place.kubectl("get", "prometheusrules", "--ignore-not-found")
    late = run(groups(), **wanted, wait_timeout=1)
    assert (late["reason"], late["lacking"]) == ("NotReady", {"Tested": "not loaded"})

    def operate() -> None:
        seen = place.read("prometheusrules", OBJECT)
        file.write_text(yaml.safe_dump({"groups": seen["spec"]["groups"]}), "utf-8")
        AlertsApi(MonitoringServer(monitoring["prometheus"]["url"]), timeout=60).reload()

    operator = threading.Timer(1, operate)
    operator.start()
    done = run(groups(), **wanted)
    operator.join()
    assert (done["changed"], done["alerts"][0]["health"]) == (False, "ok")
    assert place.read("prometheusrules", OBJECT)["metadata"]["labels"] == {"release": "kube"}
    assert run(groups(), **{**wanted, "labels": {"release": "other"}})["changed"] is True


def test_a_prometheus_that_is_away_fails_before_anything_is_written(
    world, run, file, place, monitoring
):
    gone = place.run(
        alert_rules,
        destination="file",
        path=str(file),
        groups=groups(),
        **{**monitoring, "prometheus": {"url": "http://127.0.0.1:9"}},
    )
    assert (gone["reason"], file.exists()) == ("Unreachable", False)
    until(lambda: run(groups()).get("failed") is None)


def test_the_playbook_loads_the_alerts_with_productions_windows(world, file, monitoring):
    source = ROOT / "inventories/shared/alerts.rules.yml"
    words = ("playbooks/alert_rules.yml", "-i", "inventories/sandbox")
    given = ("-e", f"alert_rules_source={source}", "-e", f"alert_rules_path={file}")
    for options, changed in ((("--check",), "1"), ((), "1"), ((), "0")):
        done = run_playbook(*words, *given, *options, EASYMO_SANDBOX_STATE=str(world.directory))
        assert done.returncode == 0, done.stdout + done.stderr
        assert re.findall(r"changed=(\d+)", done.stdout) == [changed], done.stdout
    rules = requests.get(f"{monitoring['prometheus']['url']}/api/v1/rules?type=alert", timeout=60)
    (loaded,) = (one for one in rules.json()["data"]["groups"] if one["file"] == str(file))
    assert {rule["name"]: (rule["duration"], rule["health"]) for rule in loaded["rules"]} == {
        "High Error Rate": (120, "ok"),
        "Service Down": (60, "ok"),
        "High Fallback Rate": (300, "ok"),
        "Slow Response": (300, "ok"),
    }
