"""What is folded into the record of a release's availability, and what was only not seen."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.easymo.deploy.plugins.module_utils._availability.plan import (
    GAPS_KEPT,
    NOT_ASKED,
    NOT_SEEN,
    OUTAGES_KEPT,
    STOOD_STILL,
    Measured,
    Probe,
    ProberState,
    at,
    begin,
    close,
    fold,
    start,
    switch_off,
)
from tests.tables import cases

NOON = 1_795_608_000.0
NAMES = ("wallet", "agent")
CONTROLS = ("api", "outside")
ALL = (*NAMES, *CONTROLS)
NEW = Measured(attempt=1)


def asked(state: ProberState, seconds: range, failing: dict[str, range]) -> ProberState:
    """Everything is asked once in each second, one after the other."""
    for second, (place, name) in itertools.product(seconds, enumerate(ALL)):
        problem = "status 500" if second in failing.get(name, ()) else ""
        moment = NOON + second + place / 10
        state = fold(state, Probe(name, moment, problem, control=name in CONTROLS))
    return state


def measured(failing: dict[str, range], seconds: int = 60) -> Measured:
    state = asked(start(NEW, ALL), range(seconds), failing)
    return at(state, NOON + seconds)


@cases(("failing", "failures", "downtime", "unseen"), {
    "nothing fails": ({}, {}, 0, 0),
    "one probe fails": ({"wallet": range(5, 6)}, {"wallet": 1}, 1, 0),
    "an address fails": ({"wallet": range(5, 25)}, {"wallet": 20}, 20, 0),
    "all addresses fail and the controls do not": (dict.fromkeys(NAMES, range(5, 25)),
        {"wallet": 20, "agent": 20}, 20.1, 0),
    "the API server fails too, what is outside does not": (dict.fromkeys((*NAMES, "api"),
        range(5, 25)), {"wallet": 20, "agent": 20}, 20.1, 0),
    "what is outside fails too, the API server does not": (dict.fromkeys((*NAMES, "outside"),
        range(5, 25)), {"wallet": 20, "agent": 20}, 20.1, 0),
    "everything fails: nothing was seen": (dict.fromkeys(ALL, range(5, 25)), {}, 0, 20),
    "an address fails before nothing is seen": ({**dict.fromkeys(ALL, range(5, 25)),
        "wallet": range(3, 25)}, {"wallet": 2}, 2, 20),
    "an address fails on when something is seen again": ({**dict.fromkeys(ALL, range(5, 25)),
        "wallet": range(5, 27)}, {"wallet": 1}, 1, 20),
    "what overlaps is down once": ({"wallet": range(5, 15), "agent": range(10, 20)},
                                   {"wallet": 10, "agent": 10}, 15.1, 0),
    "it fails to the end": ({"wallet": range(50, 60)}, {"wallet": 10}, 10, 0),
    "unseen to the end": (dict.fromkeys(ALL, range(50, 60)), {}, 0, 10),
    "a control address is no address": ({"api": range(5, 25)}, {}, 0, 0),
})  # fmt: skip
def test_what_failed_is_told_from_what_was_not_seen(failing, failures, downtime, unseen):
    found = measured(failing)
    assert {name: one.failures for name, one in found.targets.items() if one.failures} == failures
    assert found.downtime == pytest.approx(downtime, abs=0.2)
    assert sum(gap.end - gap.start for gap in found.gaps) == pytest.approx(unseen, abs=0.2)
    assert {gap.why for gap in found.gaps} <= {NOT_SEEN}
    assert set(found.targets) == set(NAMES)


def test_an_address_remembers_its_first_and_last_failure():
    wallet = measured({"wallet": range(30, 91)}, seconds=200).targets["wallet"]
    assert (wallet.first_failure, wallet.last_failure) == (NOON + 30, NOON + 90)
    assert (wallet.probes, wallet.failures) == (200, 61)


def test_a_machine_that_stands_still_leaves_a_gap_and_no_downtime():
    state = asked(start(NEW, ALL), range(10), {"wallet": range(8, 10)})
    state = asked(state, range(40, 50), {})
    found = at(state, NOON + 50)
    assert [(round(gap.end - gap.start), gap.why) for gap in found.gaps] == [(31, STOOD_STILL)]
    assert found.downtime < 3


def test_a_resumed_run_goes_on_and_tells_the_time_between():
    before = measured({"wallet": range(5, 7)})
    state = start(begin(before, NOON + 100, attempt=1, interval=1.0), ALL)
    found = at(asked(state, range(100, 110), {}), NOON + 110)
    assert found.targets["wallet"].probes == 70
    assert found.targets["wallet"].failures == 2
    (gap,) = found.gaps
    assert (round(gap.end - gap.start), gap.why) == (41, NOT_ASKED)


def test_the_next_attempt_begins_anew():
    assert not begin(measured({}), NOON + 100, attempt=2, interval=1.0).targets


def test_what_was_switched_off_is_a_gap_with_its_reason():
    off = switch_off(measured({}), NOON + 60, attempt=1, reason="no way out")
    (gap,) = begin(off, NOON + 61, attempt=1, interval=1.0).gaps
    assert gap.why == "switched off: no way out"


def test_a_prober_that_was_killed_leaves_a_gap_to_the_end():
    found = close(measured({}), NOON + 90)
    assert [round(gap.end - gap.start) for gap in found.gaps] == [31]
    assert close(found, NOON + 900) == found


def test_one_that_ended_a_moment_ago_leaves_none():
    assert close(measured({}), NOON + 61).gaps == ()


@given(
    st.lists(
        st.tuples(
            st.sampled_from((*NAMES, "more")), st.floats(0, 300), st.booleans(), st.booleans()
        ),
        max_size=300,
    )
)
def test_the_record_is_bounded_and_reads_back(probes):
    state, moment = start(NEW, ALL), NOON
    for name, pause, failed, control in probes:
        moment += pause
        state = fold(state, Probe(name, moment, "down" if failed else "", control))
    found = at(state, moment)
    assert len(found.gaps) <= GAPS_KEPT
    assert len(found.outages) <= OUTAGES_KEPT
    for one in found.targets.values():
        assert one.failures <= one.probes
    assert sum(one.probes for one in found.targets.values()) <= len(probes)
    assert found.downtime >= sum(one.end - one.start for one in found.outages) - 1e-3
    assert found.downtime <= max(0.0, moment - NOON) + 1e-3
    again = Measured.from_json(json.loads(json.dumps(found.to_json())))
    assert again.to_json() == found.to_json()


def test_what_never_answers_does_not_fill_the_memory():
    state = start(NEW, (*ALL, "a control address that nobody set"))
    state = asked(state, range(1000), dict.fromkeys(ALL, range(1000)))
    assert len(state.pending) < 100
    assert at(state, NOON + 1000).targets["wallet"].failures == 1000
