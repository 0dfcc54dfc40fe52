"""Which phase may begin when: in order, in this attempt, or waived by name and reason."""

from dataclasses import replace

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._cluster import (
    KILL_SWITCH_ANNOTATION,
    Object,
)
from ansible_collections.easymo.deploy.plugins.module_utils._errors import InputError
from ansible_collections.easymo.deploy.plugins.module_utils._flags.apply import KillSwitch
from ansible_collections.easymo.deploy.plugins.module_utils._release.order import (
    PhaseOrder,
    PhaseOrderError,
    Waiver,
    below_later,
    missing_phases,
    ramped_since,
    read_order,
    superseded,
    switched_off,
)
from ansible_collections.easymo.deploy.plugins.module_utils._release.plan import (
    RecordChange,
    plan_record,
)
from ansible_collections.easymo.deploy.plugins.module_utils._release.record import (
    Act,
    Facts,
    Phase,
    Record,
)
from tests.tables import cases

PHASES = ("preflight", "database", "microservices", "sign_off")
ORDER = PhaseOrder(PHASES)
JANE = {"by": "Jane Doe", "reason": "hotfix"}


def opens(phase: str, order: PhaseOrder = ORDER, now: str = "09:00") -> RecordChange:
    return RecordChange("2.0.0", "ann", now, phase=phase, phase_status="running", order=order)


def ends(phase: str, status: str, now: str = "09:05") -> RecordChange:
    return RecordChange("2.0.0", "ann", now, phase=phase, phase_status=status)


def record_of(**statuses: str) -> Record | None:
    record: Record | None = None
    for phase, status in statuses.items():
        record = plan_record(record, opens(phase, PhaseOrder()))
        if status != "running":
            record = plan_record(record, ends(phase, status))
    return record


@cases(("record", "phase", "missing"), {
    "the-first-waits-for-nothing": ({}, "preflight", {}),
    "a-way-back-waits-for-nothing": ({}, "rollback", {}),
    "untouched-platform": ({}, "microservices", {"preflight": "was not begun",
                           "database": "was not begun"}),
    "in-order": ({"preflight": "done", "database": "done"}, "microservices", {}),
    "failed-before": ({"preflight": "done", "database": "failed"}, "microservices",
                      {"database": "failed"}),
    "interrupted": ({"preflight": "running"}, "database", {"preflight": "is not finished"}),
    "taken-back": ({"preflight": "done", "database": "rolled_back"}, "microservices",
                   {"database": "was taken back"}),
    "a-word-that-somebody-wrote-by-hand": ({"preflight": "done", "database": "all good"},
                                           "microservices", {"database": "was not begun"}),
    "an-earlier-one-again": ({"preflight": "done", "database": "done", "microservices": "done"},
                             "database", {}),
})  # fmt: skip
def test_a_phase_waits_for_those_before_it(record, phase, missing):
    assert missing_phases(record_of(**record), phase, ORDER) == missing


def test_the_refusal_says_what_is_missing_and_how_to_go_on():
    with pytest.raises(PhaseOrderError) as refused:
        plan_record(record_of(preflight="done"), opens("sign_off"))
    assert str(refused.value) == (
        "Phase sign_off cannot begin: database was not begun, microservices was not begun. "
        "Deploy what is missing first, or waive a phase by name: "
        """-e '{"release_phases_waived": {"database": {"by": "your name", "reason": "why"}}}'."""
    )
    assert refused.value.details == {"missing_phases": ["database", "microservices"]}


ON = {"metadata": {}, "data": {"AI": "true", "PERCENTAGE": "5"}}
OFF = {"metadata": {}, "data": {"AI": "false", "PERCENTAGE": "0"}}


def held(*, automatic: bool) -> Object:
    """Off, by a kill switch."""
    switch = KillSwitch("09:10", "ann", "errors", automatic, {"AI": "false"})
    return {**OFF, "metadata": {"annotations": {KILL_SWITCH_ANNOTATION: switch.to_annotation()}}}


@cases(
    ("flags", "missing"),
    {
        "on": (ON, []),
        "lower": ({**ON, "data": {"AI": "true", "PERCENTAGE": "1"}}, []),
        "held-off-by-a-failed-phase": (held(automatic=True), ["flags"]),
        "off-after-a-reset": (OFF, ["flags"]),
        "held-off-by-a-person": (held(automatic=False), []),
        "not-there": (None, []),
    },
)
def test_a_phase_whose_flags_are_off_since_is_missing_again(flags, missing):
    order = PhaseOrder(("flags", "watch", "sign_off"))
    set_by = {"flags": {"asked": {"AI": "True", "PERCENTAGE": 1, "OLD": "false"}}}
    record = plan_record(None, replace(ends("flags", "done"), evidence=set_by))
    current_order = replace(order, switched_off=switched_off(record, flags))
    assert [*missing_phases(record, "sign_off", current_order)] == [*missing, "watch"]
    assert missing_phases(record, "flags", current_order) == {}
    assert (
        missing_phases(record, "watch", replace(current_order, passed=frozenset({"flags"}))) == {}
    )


@cases(
    ("status", "flags", "standing"),
    {
        "set-and-moved-since": ("done", ON, {"PERCENTAGE": 5}),
        "not-set-yet": ("running", ON, {}),
        "off": ("done", OFF, {}),
        "held-off": ("done", held(automatic=True), {}),
        "not-there": ("done", None, {}),
    },
)
def test_a_percentage_is_others_to_move_once_it_is_set(status, flags, standing):
    record = record_of(feature_flags=status)
    assert ramped_since(record, flags, ["PERCENTAGE", "GONE"]) == standing
    again = record and plan_record(
        record, RecordChange("2.0.0", "ann", "10:00", status="rolled_back")
    )
    opened = plan_record(again, opens("feature_flags", PhaseOrder(("feature_flags",)), "11:00"))
    assert ramped_since(opened, flags, ["PERCENTAGE"]) == {}, (
        "the next attempt begins at the first step"
    )


def test_in_check_mode_what_this_run_went_through_counts():
    order = read_order({"phases": [*PHASES], "passed": ["preflight", "database"]})
    assert missing_phases(None, "microservices", order) == {}


def test_the_next_attempt_begins_with_the_first_phase():
    record = record_of(preflight="done", database="done")
    assert record
    back = plan_record(record, RecordChange("2.0.0", "ann", "10:00", status="rolled_back"))
    with pytest.raises(PhaseOrderError, match="preflight was not begun, database was not begun"):
        plan_record(back, opens("microservices"))


def waived(*phases: str, **who: str) -> PhaseOrder:
    return read_order({"phases": [*PHASES], "waived": {phase: {**JANE, **who} for phase in phases}})


def test_a_waiver_is_recorded_and_counts_from_then_on():
    record = plan_record(None, opens("database", waived("preflight")))
    assert record.phases["preflight"].status == "waived"
    assert record.phases["preflight"].evidence.all == JANE
    done = plan_record(record, ends("database", "done"))
    assert plan_record(done, opens("microservices")).phases["microservices"].status == "running"


def test_only_what_is_named_is_waived():
    with pytest.raises(PhaseOrderError, match=r"begin: database was not begun\. Deploy"):
        plan_record(None, opens("microservices", waived("preflight")))


def test_a_waiver_nobody_needs_leaves_no_trace():
    record = record_of(preflight="done")
    assert plan_record(record, opens("database", waived("preflight"))) == plan_record(
        record, opens("database")
    )


def test_a_phase_waived_twice_keeps_who_was_first():
    once = plan_record(None, opens("database", waived("preflight")))
    twice = plan_record(once, opens("microservices", waived("preflight", "database", by="Ann")))
    assert twice.phases["preflight"].evidence.all == JANE
    assert twice.phases["database"].evidence.all == {"by": "Ann", "reason": "hotfix"}


def test_a_failed_phase_that_is_waived_keeps_its_failure():
    record = record_of(preflight="failed")
    phase = plan_record(record, opens("database", waived("preflight"))).phases["preflight"]
    assert (phase.status, len(phase.earlier_failures)) == ("waived", 1)


def test_a_waived_phase_can_still_be_run_and_the_waiver_stays_known():
    record = plan_record(None, opens("database", waived("preflight")))
    again = plan_record(record, opens("preflight", now="09:30"))
    assert again.phases["preflight"].status == "running"
    done = plan_record(again, ends("preflight", "done", "09:40")).phases["preflight"]
    assert (done.status, done.started, done.finished) == ("done", "09:30", "09:40")
    assert [run.status for run in done.earlier_runs] == ["waived"]


@pytest.mark.parametrize(
    "given",
    [
        {"preflight": "hurry"},
        {"preflight": {"by": "Ann"}},
        {"preflight": {"reason": "hurry", "by": " "}},
        {"preflight": {"by": "your name", "reason": "hurry"}},
        {"preflight": {"by": "Ann", "reason": "why"}},
    ],
)
def test_a_waiver_needs_a_name_and_a_reason(given):
    with pytest.raises(InputError, match="must say for 'preflight' who decided it and why"):
        read_order({"phases": [*PHASES], "waived": given})


def test_a_mistyped_phase_is_no_waiver():
    with pytest.raises(InputError, match="no phase 'prefligth' to waive: the phases are preflight"):
        plan_record(None, opens("database", waived("preflight", "prefligth")))


def other(version: str = "1.9.5", **statuses: str) -> Record:
    record = record_of(**statuses)
    assert record
    return replace(record, version=version)


def test_a_release_does_not_begin_beside_one_that_is_half_done():
    half = other(preflight="done", database="failed")
    with pytest.raises(
        PhaseOrderError, match=r"1\.9\.5 is failed, begun 09:00.*from a checkout of release 1\.9\.5"
    ):
        superseded("2.0.0", [half], ORDER)
    partly = replace(other(database="partly_rolled_back"), status="done")
    with pytest.raises(PhaseOrderError, match=r"1\.9\.5 is partly rolled back, begun 09:00"):
        superseded("2.0.0", [partly], ORDER)
    order = PhaseOrder(PHASES, supersedes={"1.9.5": Waiver(**JANE)})
    assert superseded("2.0.0", [half], order) == {"1.9.5": Waiver(**JANE)}


@cases(
    "beside",
    {
        "it-only-looked": other(preflight="failed"),
        "done": replace(other(database="done"), status="done"),
        "back": replace(other(database="done"), status="rolled_back"),
        "itself": other("2.0.0", database="running"),
    },
)
def test_a_release_begins_beside_one_that_ended_or_changed_nothing(beside):
    assert superseded("2.0.0", [beside], ORDER) == {}


def release(version: str, *phases: str, fence: int, status: str = "done") -> Record:
    opened = {name: Phase(status="done", fence=fence) for name in phases}
    began = "2026-11-24T09:00:00Z"
    return Record(version=version, attempt=1, status=status, started=began, phases=opened)


OURS = release("2.0.0", "preflight", "database", fence=4)


@pytest.mark.parametrize(
    ("record", "other", "order"),
    [
        (OURS, release("1.9.0", *PHASES, fence=3), ORDER),
        (OURS, release("2.1.0", *PHASES, fence=5, status="rolled_back"), ORDER),
        (OURS, release("2.1.0", "preflight", fence=5), ORDER),
        (OURS, release("2.1.0", *PHASES, fence=5), replace(ORDER, supersedes={"2.1.0": Waiver("jane", "why")})),
        (None, release("2.1.0", "preflight", fence=5), ORDER),
    ],
    ids=["earlier", "went back", "only looked", "somebody lets it", "nothing stands"],
)  # fmt: skip
def test_what_stands_in_no_ways_back(record, other, order):
    assert set(below_later("2.0.0", record, [other], order, "rollback")) <= {*order.supersedes}


@cases(("record", "other", "reason"), {
    "later": (OURS, release("2.1.0", *PHASES, fence=5), "2.1.0, which is done, began after it"),
    "later and half done": (OURS, release("2.1.0", "preflight", "database", fence=5,
                            status="failed"), "2.1.0, which is failed, began after it"),
    "no record": (None, release("1.9.0", *PHASES, fence=3), "1.9.0, which is done, stands"),
    "only looked": (release("2.0.0", "preflight", fence=9, status="failed"),
                    release("1.9.0", *PHASES, fence=3), "1.9.0, which is done, stands"),
})  # fmt: skip
def test_no_release_goes_back_below_a_later_one(record, other, reason):
    with pytest.raises(
        PhaseOrderError, match=f"Release 2.0.0 cannot go back: release {reason}"
    ) as error:
        below_later("2.0.0", record, [other], ORDER, "rollback")
    assert f"from a checkout of release {other.version} " in str(error.value)


def test_none_goes_on_below_a_later_one_and_is_told_the_ways_out():
    with pytest.raises(PhaseOrderError) as error:
        below_later("2.0.0", OURS, [release("2.1.0", *PHASES, fence=5)], ORDER, "microservices")
    assert str(error.value) == (
        "Release 2.0.0 cannot go on with phase microservices: release 2.1.0, which is done, began after it. What "
        "that one set would be lost. Roll that one back from a checkout of release 2.1.0 (this inventory would "
        "switch off its own feature), or go on by name: "
        """add -e '{"release_supersedes": {"2.1.0": {"by": "your name", "reason": "why"}}}'."""
    )


def test_the_last_of_those_that_nobody_named_is_told():
    later = [release(f"2.{minor}.0", *PHASES, fence=4 + minor) for minor in (1, 3, 2)]
    named = replace(ORDER, supersedes={"2.3.0": Waiver(**JANE)})
    with pytest.raises(PhaseOrderError, match=r"release 2\.2\.0, which is done"):
        below_later("2.0.0", OURS, later, named, "database")
    assert below_later("2.0.0", OURS, later[1:2], named, "database") == named.supersedes


def test_records_without_epochs_are_told_apart_by_their_begin():
    ours, later = release("2.0.0", *PHASES, fence=0), release("2.1.0", *PHASES, fence=0)
    after = replace(ours, started="2026-11-25T00:00:00Z")
    assert below_later("2.0.0", after, [later], ORDER, "rollback") == {}
    before = replace(ours, started="2026-11-23T00:00:00Z")
    with pytest.raises(PhaseOrderError):
        below_later("2.0.0", before, [later], ORDER, "rollback")


def superseding(status: str, *, fence: int = 5, name: str = "release 2.0.0") -> Record:
    """The release after OURS, which was half done."""
    named = Facts(overrides=(Act(name, **JANE),))
    return replace(release("2.1.0", *PHASES, fence=fence, status=status), facts=named)


def test_a_half_done_release_that_a_done_one_superseded_by_name_holds_no_third_one_up():
    half = replace(OURS, status="failed")
    assert superseded("2.2.0", [half, superseding("done")], ORDER) == {}


@cases("other", {
    "which went back": superseding("rolled_back"),
    "which is older": superseding("done", fence=3),
    "which superseded another": superseding("done", name="release 1.9.0"),
    "by nobody": superseding("done", name="launch_window"),
})  # fmt: skip
def test_it_holds_up_when_the_other_does_not_stand_over_it(other):
    half = replace(OURS, status="failed")
    with pytest.raises(PhaseOrderError, match=r"release 2\.0\.0 is failed"):
        superseded("2.2.0", [half, other], ORDER)
