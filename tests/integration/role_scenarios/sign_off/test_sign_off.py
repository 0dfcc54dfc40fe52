"""Everybody was told once, the release is closed, and its report says what a release without the other phases lacks."""

import typing as t

from sandbox.world import World

RELEASE = "2.0.0-test-role-sign-off"


def test_slack_was_told_once_though_the_role_ran_twice(received: t.Any, since: float) -> None:
    messages = [m for m in received["slack"]["v2-deployment"] if float(m["ts"]) >= since]
    assert sum("Deployment SUCCESSFUL" in m["text"] for m in messages) == 1


def test_mail_and_status_page_were_told(received: t.Any) -> None:
    assert "EasyMO v2.0 Successfully Deployed" in [mail["subject"] for mail in received["mail"]]
    assert "completed" in [one["status"] for one in received["statuspage"]["incidents"]]


def test_the_release_is_closed(witness: t.Any) -> None:
    record = witness.record(RELEASE)
    assert (record["status"], record["phases"]["sign_off"]["status"]) == ("done", "done")


def test_the_report_says_that_the_other_phases_are_missing(world: World) -> None:
    folder = world.directory / "report" / RELEASE
    told = (folder / "report.txt").read_text(encoding="utf-8")
    assert told.startswith(f"! INCOMPLETE  Release {RELEASE} · ")
    assert "Phases that were not run: Pre-Deploy, Database" in told
    assert "</html>" in (folder / "report.html").read_text(encoding="utf-8")
    assert "## What went well" in (folder / "lessons.md").read_text(encoding="utf-8")
    assert not (folder / "incident.md").exists()
