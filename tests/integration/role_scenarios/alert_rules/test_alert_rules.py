"""Prometheus has the alerts as production gets them, beside the sandbox's own."""

import json
import urllib.request


def test_prometheus_evaluates_the_alerts_with_productions_windows(witness):
    url = f"{witness.facts['prometheus']['url']}/api/v1/rules?type=alert"
    with urllib.request.urlopen(url, timeout=20) as answer:
        found = json.load(answer)["data"]["groups"]
    mine = [group for group in found if group["file"].endswith("/test_role.yml")]
    loaded = {
        rule["name"]: (rule["duration"], rule["health"])
        for group in mine
        for rule in group["rules"]
    }
    assert loaded == {
        "High Error Rate": (120, "ok"),
        "Service Down": (60, "ok"),
        "High Fallback Rate": (300, "ok"),
        "Slow Response": (300, "ok"),
    }
