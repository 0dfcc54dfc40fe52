# SPDX-License-Identifier: GPL-3.0-or-later
"""Three days of a ramp under guard: a quiet day, a night with an alert, guards that meet and die, and a morning.

The tests are the chapters of one story and stand in its order. What a cause is, and which one waits for which, units
tell; here kubectl does, and who was paged.
"""

from __future__ import annotations

import json
import time
import typing as t

import pytest

from tests.firing_alerts import Fire
from tests.stories.people import Operator, Run, Witness
from tests.stories.ramp import PERCENTAGE, begin_release, ramp_of, runs_with, words
from tests.waiting import until

ALERTS = {"name": "alerts", "kind": "alerts", "query": "Errors|Down", "pass": {"max": 0}}
QUIET = {
    "release_metrics": [
        {"name": "complaints", "query": "vector(0)", "pass": {"max": 1}},
        ALERTS,
    ],
    "release_guard": {"settle": 0, "quiet": 1, "blind_after": 60, "max_silence": 0},
    "release_watch_interval": 1,
    "release_watch_delay": 0,
    "release_ramp_watch_duration": 1,
}


def told(**variables: t.Any) -> list[str]:
    return ["-e", json.dumps({**QUIET, **variables})]


def looks(operator: Operator) -> Run:
    return operator.plays("guard", *told())


def ramps(operator: Operator, *arguments: str, **variables: t.Any) -> Run:
    return operator.plays("ramp", *told(**variables), *arguments)


def acts(witness: Witness) -> list[t.Any]:
    """What the guard wrote beside the flags."""
    found = witness.reads("configmaps", "feature-flags")
    return t.cast(
        "list[t.Any]", json.loads(found["metadata"]["annotations"].get("easymo.com/guard", "[]"))
    )


def posted(witness: Witness) -> list[str]:
    """What the guard said in Slack."""
    channels = witness.received()["slack"].values()
    return [one["text"] for channel in channels for one in channel if ", guard: " in one["text"]]


def incidents(witness: Witness) -> list[str]:
    """How each incident of the guard stands in PagerDuty."""
    found = witness.received()["pagerduty"]
    return [one["status"] for one in found if one["dedup_key"].startswith("guard/sandbox/")]


@pytest.fixture(scope="module", autouse=True)
def release(witness: Witness) -> None:
    begin_release(witness)


def test_a_quiet_day_writes_only_that_it_looked_and_tells_nobody(
    operator: Operator, witness: Witness, fire: Fire
) -> None:
    fire(Errors=("rollback", False), Down=("kill_switch", False))
    first = looks(operator)
    assert first.rc == 0, first.tail()
    before = witness.resource_versions()
    second = looks(operator)
    assert "At 1 %, step 1 of 8. Nothing calls for the guard." in words(second)
    assert second.changed() == {"localhost": 0}
    moved = {one.partition("=")[0] for one in {*before} ^ {*witness.resource_versions()}}
    assert moved == {"release-2.0.0-guard"}
    assert (posted(witness), incidents(witness)) == ([], [])


def test_nothing_goes_up_while_nobody_looks(
    operator: Operator, witness: Witness, fire: Fire
) -> None:
    fire(Errors=("rollback", False), Down=("kill_switch", False))
    unguarded = {**QUIET["release_guard"], "max_silence": 0.5}
    silent = ramps(operator, release_guard=unguarded)
    assert silent.rc != 0
    assert "the guard looked last at " in words(silent)
    assert witness.flags()[PERCENTAGE] == "1"
    up = ramps(operator, release_guard={**unguarded, "max_silence": 600})
    assert up.rc == 0, up.tail()
    assert runs_with(witness) == {"5"}


def test_at_night_two_guards_meet_over_one_alert_and_one_step_goes_down(
    operator: Operator, witness: Witness, fire: Fire
) -> None:
    fire(Errors=("rollback", True), Down=("kill_switch", False))
    guards = [operator.begins("guard", *told()) for _guard in range(2)]
    until(lambda: all(one.process.poll() is not None for one in guards), 120)
    assert (runs_with(witness), len(acts(witness))) == ({"1"}, 1)
    down = [one for one in ramp_of(witness)["history"] if one["what"] == "breached"]
    assert [(one["from"], one["to"]) for one in down] == [(5, 1)]
    assert incidents(witness) == ["triggered"]
    assert any(
        "5 % went back to 1 %, for Errors (service=s) since 20" in one for one in posted(witness)
    )


def test_a_guard_that_dies_after_its_write_is_finished_by_the_next(
    operator: Operator, witness: Witness, fire: Fire
) -> None:
    fire(Errors=("rollback", True), Down=("kill_switch", True))
    victim = operator.begins("guard", *told())
    until(lambda: witness.flags()[PERCENTAGE] == "0", 90)
    victim.kill("everything")
    assert not any("kill switch" in one for one in posted(witness))
    run = looks(operator)
    assert run.rc == 0, run.tail()
    assert runs_with(witness) == {"0"}
    assert [one["what"] for one in acts(witness)] == ["step_down", "kill_switch"]
    assert [one for one in posted(witness) if "the kill switch is set at 1 %" in one]
    up = ramps(operator)
    assert up.rc != 0
    assert "set the kill switch automatically" in words(up)


def test_in_the_morning_it_is_over_and_people_are_told_that_too(
    operator: Operator, witness: Witness, fire: Fire
) -> None:
    fire(Errors=("rollback", False), Down=("kill_switch", False))
    looks(operator)
    time.sleep(1)
    run = looks(operator)
    assert run.rc == 0, run.tail()
    assert len([one for one in posted(witness) if "guard: over since 20" in one]) == 2
    assert incidents(witness) == ["resolved", "resolved"]
    said = len(posted(witness))
    assert looks(operator).rc == 0
    assert (len(posted(witness)), len(acts(witness))) == (said, 2)
