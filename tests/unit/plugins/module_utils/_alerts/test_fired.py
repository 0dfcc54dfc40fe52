"""What fired, from Prometheus's series to the record and back."""

import json

from ansible_collections.easymo.deploy.plugins.module_utils._alerts.api import (
    MOST_FIRED,
    describe,
    fired,
    to_record,
)
from ansible_collections.easymo.deploy.plugins.module_utils._alerts.plan import (
    Alerts,
    FiredAlert,
    joined,
)
from ansible_collections.easymo.deploy.plugins.module_utils._release.record import Record
from tests.tables import cases

WALLET = {
    "__name__": "ALERTS",
    "alertname": "Service Down",
    "alertstate": "firing",
    "notify": "engineering-manager",
    "service": "wallet-service",
    "severity": "critical",
}
T = 1795685400.0
"""2026-11-26T09:30:00Z"""


def down(since: str, until: str = "", subject: str = "service=wallet-service") -> FiredAlert:
    at = [f"2026-11-26T{one}Z" if one else "" for one in (since, until)]
    return FiredAlert("Service Down", "critical", at[0], at[1], subject)


@cases(
    ("seconds", "firing", "expected"),
    {
        "ended": ([0, 15, 30], False, [down("09:30:00", "09:30:30")]),
        "fires": ([0, 15, 30], True, [down("09:30:00")]),
        "one evaluation": ([0], False, [down("09:30:00", "09:30:00")]),
        "twice": ([0, 15, 600, 615], True, [down("09:30:00", "09:30:15"), down("09:40:00")]),
        "evaluated once a minute": ([0, 60, 120], False, [down("09:30:00", "09:32:00")]),
    },
)
def test_times_at_which_an_alert_fired_become_spans(seconds, expected, *, firing):
    still = {("Service Down", "service=wallet-service")} if firing else set()
    course = [(WALLET, [T + one for one in seconds])]
    assert list(fired(course, still, 90)) == expected


def test_an_alert_is_told_by_what_its_query_gave_it():
    assert describe("Service Down", WALLET, "09:31") == (
        "Service Down (service=wallet-service) since 09:31"
    )
    assert describe("High Error Rate", {"severity": "critical"}, "") == "High Error Rate"


def test_a_later_look_ends_what_was_firing_and_forgets_nothing():
    other = down("08:00:00", "08:01:00", "service=agent-core")
    known = Alerts(True, (other, down("09:30:00")))
    seen = Alerts(True, (down("09:30:00", "09:33:00"), down("10:00:00")))
    assert joined(known, seen).fired == (other, down("09:30:00", "09:33:00"), down("10:00:00"))


def test_a_look_over_less_time_keeps_when_it_began():
    known = Alerts(True, (down("09:30:00"),))
    assert joined(known, Alerts(True, (down("09:31:00"),))).fired == (down("09:30:00"),)


def test_the_last_look_says_whether_all_was_seen():
    blind = Alerts(False, (), "Prometheus cannot be reached")
    known = Alerts(True, (down("09:30:00", "09:31:00"),))
    assert joined(known, blind) == Alerts(False, known.fired, blind.why_not)


def test_what_the_record_keeps_is_read_back_and_bounded():
    many = Alerts(True, tuple(down(f"{n // 60:02}:{n % 60:02}:00") for n in range(MOST_FIRED + 7)))
    body = json.loads(json.dumps(to_record(many)))
    assert Record.read({"facts": {"alerts": body}}).alerts == Alerts(True, many.fired[7:])
    assert len(json.dumps(body)) < 10_000


def test_the_record_tells_of_the_release_and_of_its_ramp():
    ramp = {
        "5 % since x": {
            "verdict": "proceed",
            "alerts": to_record(Alerts(True, (down("12:00:00"),))),
        }
    }
    release = to_record(Alerts(True, (down("09:30:00", "09:31:00"),)))
    found = Record.read({"facts": {"alerts": release, "ramp_watches": ramp}}).alerts
    assert found == Alerts(True, (down("09:30:00", "09:31:00"), down("12:00:00")))
