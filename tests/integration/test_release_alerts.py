"""The alerts that ship, by Prometheus's own tool: what makes them fire, and what does not."""

import json
import os
import re
import subprocess
import sys
import typing as t
import urllib.request
from pathlib import Path

import pytest
import yaml

from ansible_collections.easymo.deploy.plugins.module_utils._alerts.api import (
    AlertsApi,
    MonitoringServer,
    counted,
)
from ansible_collections.easymo.deploy.plugins.module_utils._alerts.apply import Routing
from sandbox.prometheus import RULES, shortened
from sandbox.world import CACHE_VARIABLE
from tests.integration.rolling_update import Rollout, promtool_test
from tests.waiting import until

ROOT = Path(__file__).parents[2]
CACHE = os.environ.get(CACHE_VARIABLE) or str(ROOT / ".sandbox" / "cache")


def promtool(*words: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "sandbox", "promtool", *words],
        cwd=ROOT,
        env={**os.environ, CACHE_VARIABLE: CACHE},
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("values", "series"),
    [("1 1 stale", 1), ("1 1 stale _x12", 0), ("_", 0)],
    ids=["restarted just now", "gone for minutes", "never there"],
)
def test_the_series_of_pods_that_restart_are_known_until_they_are_scraped_again(
    values, series, tmp_path
):
    """By Prometheus's own engine, with a scrape each 15 s."""
    expected = [{"labels": "{}", "value": series}] if series else []
    query = {"expr": counted('n{job="pods"}'), "eval_time": "4m", "exp_samples": expected}
    padding = "_x13" if series else ""
    body = {
        "tests": [
            {
                "interval": "15s",
                "input_series": [{"series": 'n{job="pods"}', "values": f"{padding} {values}"}],
                "promql_expr_test": [query],
            }
        ]
    }
    file = tmp_path / "series.test.yml"
    file.write_text(yaml.safe_dump(body), "utf-8")
    status, said = promtool("test", "rules", str(file))
    assert status == 0, said


def test_every_alert_fires_above_its_threshold_and_not_below():
    status, said = promtool("test", "rules", "tests/integration/release_alerts.test.yml")
    assert status == 0, said


@pytest.mark.parametrize(
    "rollout",
    [
        Rollout(pods=1, surge=1, unavailable=0, start=40, drain=30),
        Rollout(pods=1, surge=1, unavailable=0, start=400, drain=600),
        Rollout(pods=2, surge=1, unavailable=0, start=40, drain=60),
        Rollout(pods=3, surge=0, unavailable=1, start=100, drain=60),
        Rollout(pods=3, surge=1, unavailable=0, start=400, drain=300),
        Rollout(pods=3, surge=3, unavailable=0, start=90, drain=120),
        Rollout(pods=12, surge=3, unavailable=3, start=60, drain=60),
        Rollout(pods=40, surge=10, unavailable=10, start=200, drain=200),
        Rollout(pods=40, surge=1, unavailable=1, start=20, drain=90),
    ],
    ids=lambda one: f"{one.pods}+{one.surge}-{one.unavailable}, {one.start} s, {one.drain} s",
)
def test_no_clean_rolling_update_wakes_anybody(rollout, tmp_path):
    path = tmp_path / "rolling.test.yml"
    path.write_text(json.dumps(promtool_test(str(RULES), rollout)), "utf-8")
    status, said = promtool("test", "rules", str(path))
    assert status == 0, said


@pytest.mark.nightly
def test_the_tests_would_notice_another_threshold(tmp_path):
    """Each threshold a little lower or later: what must not fire fires, or what must fire does not."""
    shipped, test = (
        RULES.read_text("utf-8"),
        (ROOT / "tests/integration/release_alerts.test.yml").read_text("utf-8"),
    )
    (tmp_path / "test.yml").write_text(
        re.sub(r"rule_files: .*", "rule_files: [rules.yml]", test), "utf-8"
    )
    for now, then in (
        ("> 0.05", "> 0.03"),
        ("2 * count", "1 * count"),
        ("(0.9,", "(0.5,"),
        ("for: 1m", "for: 5m"),
        ("> 0.30", "> 0.28"),
        ("> 2\n", "> 1\n"),
    ):
        assert now in shipped
        (tmp_path / "rules.yml").write_text(shipped.replace(now, then), "utf-8")
        status, said = promtool("test", "rules", str(tmp_path / "test.yml"))
        assert status != 0, f"{now} as {then}: {said}"


def test_the_rules_are_right_as_they_ship_and_as_the_sandbox_has_them(tmp_path):
    (tmp_path / "short.yml").write_text(shortened(RULES.read_text("utf-8")), "utf-8")
    status, said = promtool("check", "rules", str(RULES), str(tmp_path / "short.yml"))
    assert status == 0, said


def test_the_sandbox_has_the_same_alerts_but_sooner():
    shipped, short = (
        yaml.safe_load(text)["groups"][0]["rules"]
        for text in (RULES.read_text("utf-8"), shortened(RULES.read_text("utf-8")))
    )
    windows = {"[5m]": "[1m]", "[4m]": "[1m]", "offset 4m": "offset 1m", "[3h:1m]": "[10m:10s]"}
    assert {rule["for"] for rule in short} == {"10s"}
    for ours, theirs in zip(short, shipped, strict=True):
        expected = theirs["expr"]
        for there, here in windows.items():
            expected = expected.replace(there, here)
        assert ours["expr"] == expected != theirs["expr"]
        assert {**ours, "expr": "", "for": ""} == {**theirs, "expr": "", "for": ""}


def test_who_is_paged_and_which_channel_is_told(world):
    """Alertmanager's own routes, by alerts as Prometheus would send them."""
    sent = [
        {
            "labels": {"alertname": f"Rehearsed {who}", "notify": who},
            "annotations": {"summary": f"for {who}"},
        }
        for who in ("on-call-engineer", "engineering-manager", "#engineering-alerts")
    ]
    _ask(f"{world.facts('alertmanager')['url']}/api/v2/alerts", sent)

    def told() -> dict[str, list[str]]:
        seen = _ask(f"{world.facts('sinks')['url']}api/messages.json")
        posted = [m["attachments"] for m in seen["slack"]["engineering-alerts"]]
        return {
            "paged": sorted(i["service"] for i in seen["pagerduty"] if "Rehearsed" in i["summary"]),
            "posted": [a[0]["title"] for a in posted if a and "Rehearsed" in a[0]["title"]],
        }

    until(lambda: len(told()["paged"]) == 2 and bool(told()["posted"]))
    assert told() == {
        "paged": ["engineering-manager", "on-call-engineer"],
        "posted": ["FIRING: Rehearsed #engineering-alerts"],
    }


def test_prometheus_has_the_alerts_and_knows_its_alertmanager(world):
    url = world.facts("prometheus")["url"]
    api = AlertsApi(
        MonitoringServer(url), MonitoringServer(world.facts("alertmanager")["url"]), timeout=20
    )
    routing = Routing.read(api)
    names = {"High Error Rate", "Service Down", "High Fallback Rate", "Slow Response"}
    assert {rule.name for rule in api.rules()} == names
    assert [why for rule in api.rules() if (why := routing.problem(rule))] == []

    def known() -> bool:
        return bool(_ask(f"{url}/api/v1/alertmanagers")["data"]["activeAlertmanagers"])

    until(known)


def _ask(url: str, body: object = None) -> t.Any:
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        text = answer.read()
    return json.loads(text) if text else None
