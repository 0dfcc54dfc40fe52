"""What may be said of a release's availability."""

import typing as t
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._availability.claims import (
    Availability,
    availability_of,
)
from ansible_collections.easymo.deploy.plugins.module_utils._availability.plan import (
    Measured,
    Probe,
    as_json,
    at,
    close,
    fold,
    start,
    switch_off,
    to_text,
)
from ansible_collections.easymo.deploy.plugins.module_utils._time import UTC

BEGAN = datetime(2026, 11, 26, 9, 30, tzinfo=UTC)
NAMES = ("agent-core", "wallet-service")


def facts(
    seconds: int = 630, failing: t.Container[int] = (), *, closed: bool = True
) -> dict[str, t.Any]:
    """Each address asked once a second; `failing` are seconds in which the wallet's is answered 500."""
    began, state = BEGAN.timestamp(), start(Measured(attempt=1), (*NAMES, "a control address"))
    for second in range(seconds):
        for name in NAMES:
            problem = "status 500" if name == NAMES[1] and second in failing else ""
            state = fold(state, Probe(name, began + second, problem))
    found = at(state, began + seconds)
    return (close(found, began + seconds) if closed else found).to_json()


def later(seconds: float) -> datetime:
    return datetime.fromtimestamp(BEGAN.timestamp() + seconds, UTC)


def test_all_was_asked_without_a_gap_and_never_failed() -> None:
    found = availability_of(facts(), changed=later(-2), at=later(5000))
    assert (found.verdict, found.downtime, found.failures) == ("complete", 0, 0)
    assert found.summary == ("0 of 1,260 probes of 2 addresses failed",)


def test_what_failed_is_told_with_its_times() -> None:
    found = availability_of(facts(failing=range(62, 85)))
    assert found.verdict == "partial"
    assert found.summary == (
        "23 of 1,260 probes of 2 addresses failed: down for 23 s in all",
        "wallet-service: 23 of 630 probes failed, 09:31:02-09:31:24 (status 500)",
    )
    (wallet,) = found.failed
    assert (wallet["seconds"], wallet["first_failure"]) == (22, "2026-11-26T09:31:02.000Z")


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.2, "less than 1 s"), (1, "1 s"), (59.4, "59 s"), (59.9, "1 min"), (61, "1 min 1 s")],
)
def test_how_long_it_was_down_is_told_in_words(seconds: float, told: str) -> None:
    found = availability_of({**facts(failing=[62]), "downtime": seconds})
    assert found.summary[0].endswith(f"failed: down for {told} in all")


def test_times_are_told_in_the_zone_of_the_release() -> None:
    found = availability_of(facts(failing=[62]), zone=ZoneInfo("Africa/Kigali"))
    assert (
        found.failed[0]["sentence"]
        == "wallet-service: 1 of 630 probes failed, at 11:31:02 (status 500)"
    )


OFF = switch_off(None, BEGAN.timestamp(), attempt=1, reason="a rehearsal").to_json()


@pytest.mark.parametrize(
    ("known", "reason"),
    [
        pytest.param(None, "the public addresses were not probed", id="none"),
        pytest.param({}, "the public addresses were not probed", id="empty"),
        pytest.param({"damaged": "It is damaged."}, "It is damaged.", id="damaged"),
        pytest.param(
            {"attempt": 1},
            "is not written as it should be (it has no closed and no downtime",
            id="shortened",
        ),
        pytest.param({**facts(10), "downtime": -3}, "is not written as it should", id="edited"),
        pytest.param(
            {**facts(10), "targets": []}, "is not written as it should", id="another shape"
        ),
        pytest.param(
            {**facts(10), "targets": {"a": {**facts(10)["targets"][NAMES[0]], "failures": 11}}},
            "11 of 10 probes failed",
            id="more failures than probes",
        ),
        pytest.param(OFF, "switched off: a rehearsal", id="switched off"),
        pytest.param(Measured(attempt=1).to_json(), "no probe was counted", id="no probes"),
    ],
)
def test_what_is_not_known_is_not_measured(known: t.Any, reason: str) -> None:
    found = availability_of(known)
    assert found.verdict == "not_measured"
    assert reason in found.reason
    assert found.summary == ()


def verdict(found: Availability) -> tuple[str, list[str]]:
    return found.verdict, [gap.why for gap in found.gaps]


def test_asked_too_late_is_a_gap() -> None:
    found = availability_of(facts(), changed=later(-120))
    assert verdict(found) == ("partial", ["not probed yet"])
    assert found.summary[1] == "No data 09:28:00-09:30:00: not probed yet"
    assert found.unseen == 120


def test_a_gap_before_the_first_change_is_none() -> None:
    """A run that was refused before it changed anything may have begun to ask."""
    gaps = [
        {
            "start": to_text(BEGAN.timestamp() + 10),
            "end": to_text(BEGAN.timestamp() + 30),
            "why": "not probed",
        }
    ]
    known = {**facts(), "gaps": gaps}
    assert availability_of(known, changed=later(31)).verdict == "complete"
    assert availability_of(known, changed=later(20)).unseen == 10


def test_a_prober_that_is_silent_is_a_gap_up_to_now() -> None:
    assert verdict(availability_of(facts(closed=False), at=later(640))) == ("complete", [])
    assert verdict(availability_of(facts(closed=False), at=later(700))) == (
        "partial",
        ["not probed"],
    )
    assert verdict(availability_of(facts(closed=True), at=later(700))) == ("complete", [])


def test_the_result_can_be_written_as_json() -> None:
    found = as_json(availability_of(facts(failing=[62, 63])))
    assert found["failed"][0]["name"] == "wallet-service"
    assert found["outages"] == [
        {
            "start": "2026-11-26T09:31:02.000Z",
            "end": "2026-11-26T09:31:04.000Z",
            "targets": ["wallet-service"],
        }
    ]
