"""Everybody was told, once, though the role ran twice."""

import json
import typing as t
import urllib.request

RELEASE = "2.0.0-test-role-announcement"


def test_slack_got_the_message_once(received: t.Any, since: float) -> None:
    messages = [m for m in received["slack"]["v2-deployment"] if float(m["ts"]) >= since]
    told = [m["text"] for m in messages if "Deployment Starting" in m["text"]]
    assert len(told) == 1
    assert told[0].startswith("<!channel>")
    assert "Expected downtime: ZERO" in told[0]


def test_the_record_remembers_it(witness: t.Any) -> None:
    announced = witness.record(RELEASE)["announcements"]
    assert announced["start"]["undelivered"] in ([], {})


def test_the_dashboard_shows_the_banner(witness: t.Any) -> None:
    gateway = witness.facts["gateway"]
    asked = urllib.request.Request(
        f"{gateway['url']}/admin/banner",
        headers={"Authorization": f"Bearer {gateway['admin_token']}"},
    )
    with urllib.request.urlopen(asked, timeout=20) as answer:
        shown = json.load(answer)["banner"]
    assert shown == {
        "message": "System upgrade in progress. Service uninterrupted.",
        "type": "info",
    }
