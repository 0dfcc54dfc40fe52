import json
import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._errors import (
    InputError,
    VerificationError,
)
from ansible_collections.easymo.deploy.plugins.module_utils._ramp_step import blocked_by
from ansible_collections.easymo.deploy.plugins.module_utils._release.order import standing
from ansible_collections.easymo.deploy.plugins.module_utils._release.plan import (
    RecordChange,
    plan_record,
)
from ansible_collections.easymo.deploy.plugins.module_utils._release.record import Act, Record


def change(now: str = "09:00", **fields: t.Any) -> RecordChange:
    return RecordChange(**{"version": "2.0.0", "actor": "ann", "now": now, **fields})


def after(*changes: RecordChange) -> Record:
    record: Record | None = None
    for change in changes:
        record = plan_record(record, change)
    assert record is not None
    return record


def stored(record: Record, name: str = "database") -> dict[str, t.Any]:
    return t.cast("dict[str, t.Any]", record.body["phases"][name])


def loaded(record: Record, without: str = "nothing") -> Record:
    return Record.load(json.dumps(record.body).replace(without, ""), "here")


def phase(
    phase_status: str, now: str = "09:00", name: str = "database", **fields: t.Any
) -> RecordChange:
    return change(now, phase=name, phase_status=phase_status, **fields)


def test_opening_a_phase_begins_the_record():
    record = after(phase("running", git_sha="abc"))
    assert (record.attempt, record.status, record.git_sha) == (1, "running", "abc")
    assert record.phases["database"].status == "running"


@pytest.mark.parametrize(("settled", "again"), [
    ("done", "running"), ("done", "done"), ("done", "waived"), ("waived", "done"), ("waived", "waived"),
])  # fmt: skip
def test_a_settled_phase_stays_as_it_is(settled, again):
    record = after(phase("running"), phase(settled, "09:10", evidence={"migrations": 4}))
    assert plan_record(record, phase(again, "10:00", evidence={"migrations": 9})) == record


def test_a_phase_that_another_run_left_running_tells_who_took_it_up():
    killed = after(
        phase("running", fence=3, evidence={"wave": 1}), phase("running", "09:02", fence=3)
    )
    assert killed.phases["database"].interruptions == ()
    taken_up = plan_record(killed, phase("running", "09:05", fence=4, actor="eve"))
    database = taken_up.phases["database"]
    assert (database.interruptions, database.started) == (
        (Act("?", by="eve", at="09:05"),),
        "09:00",
    )
    assert database.evidence.all == {"wave": 1}
    assert plan_record(taken_up, phase("running", "09:06", fence=4)) == taken_up
    failed = after(*([phase("running", fence=3), phase("failed", "09:01")]))
    again = plan_record(failed, phase("running", "09:05", fence=4))
    assert again.phases["database"].interruptions == ()
    before_this_version = after(phase("running"))
    assert (
        plan_record(before_this_version, phase("running", fence=4)).phases["database"].interruptions
        == ()
    )


def test_a_second_run_over_a_finished_release_changes_nothing():
    steps = [
        phase("running"),
        phase("done", evidence={"tables": 4}),
        phase("running", name="sign_off"),
        phase("done", name="sign_off", status="done"),
    ]
    record = after(*steps)
    assert (record.status, record.finished) == ("done", "09:00")
    for step in steps:
        assert plan_record(record, RecordChange(**{**vars(step), "now": "12:00"})) == record


def test_a_failed_phase_fails_the_release_and_is_opened_again():
    failed = after(phase("running"), phase("failed", "09:05", evidence={"cause": "x"}))
    assert (failed.status, failed.finished) == ("failed", "09:05")
    again = plan_record(failed, phase("running", "10:00"))
    assert (again.status, again.finished) == ("running", "")
    assert again.phases["database"].started == "10:00"


CAUSE = {"failures": {"wallet": {"message": "no such image"}}}


@pytest.mark.parametrize("wanted", ["running", "done"])
def test_what_a_failed_try_left_becomes_history_and_proves_nothing_of_the_next(wanted):
    failed = after(phase("running"), phase("failed", "09:05", evidence=CAUSE))
    assert stored(failed)["evidence"] == CAUSE
    again = stored(plan_record(failed, phase(wanted, "10:00", evidence={"tables": 4})))
    assert again["evidence"] == {"tables": 4}
    assert again["earlier_failures"] == [
        {"started": "09:00", "finished": "09:05", "evidence": CAUSE}
    ]


def test_one_try_keeps_the_failures_of_all_its_hosts():
    other = {"failures": {"vendor": {"message": "it crashes"}}}
    record = after(
        phase("running"), phase("failed", evidence=CAUSE), phase("failed", evidence=other)
    )
    assert stored(record)["evidence"] == {"failures": {**CAUSE["failures"], **other["failures"]}}
    assert record.phases["database"].earlier_failures == ()


def test_failed_tries_do_not_fill_the_record():
    tries = [
        attempt
        for number in range(30)
        for attempt in (phase("running"), phase("failed", evidence={"try": number}))
    ]
    failures = stored(after(*tries, phase("running")))["earlier_failures"]
    assert [attempt["evidence"]["try"] for attempt in failures] == list(range(20, 30))


def test_a_record_that_knows_of_no_earlier_failures_is_read():
    record = after(phase("running"))
    assert loaded(record, '"earlier_failures": [],') == record


def test_a_deploy_after_a_rollback_is_the_next_attempt():
    record = after(
        phase("running"),
        phase("done", announcements={"start": {"ok": True}}, facts={"flags": 1}),
        phase("running", "09:20", name="rollback"),
        phase("done", "09:30", name="rollback", status="rolled_back", notes=("errors",)),
    )
    assert (record.attempt, record.status) == (1, "rolled_back")
    assert plan_record(record, change(facts={"seen": 1})).attempt == 1
    again = plan_record(record, phase("running", "11:00", git_sha="def"))
    assert (again.attempt, again.status, again.git_sha) == (2, "running", "def")
    assert list(again.phases) == ["database"]
    assert (again.body["announcements"], again.body["facts"]) == ({}, {})
    assert again.notes == ("errors",)
    assert again.body["previous_attempts"][0]["phases"] == {"database": "done", "rollback": "done"}


def test_the_next_attempt_keeps_restore_points_of_what_stays_migrated():
    points = {"shop": {"key": "before", "restores": 0}, "back": {"key": "b", "restores": 0}}
    facts = {"restore_points": points, "database_restores": {"back": {"word": {"by": "Jane"}}}}
    record = after(phase("done", facts=facts), change(status="rolled_back"))
    again = plan_record(record, phase("running", "11:00"))
    assert again.body["facts"] == {"restore_points": {"shop": points["shop"]}}
    third = plan_record(plan_record(again, change(status="rolled_back")), phase("running", "12:00"))
    assert third.body["facts"] == again.body["facts"]


def test_opening_the_rollback_phase_again_stays_in_its_attempt():
    record = after(phase("running"), change(status="rolled_back"))
    again = plan_record(record, phase("running", name="rollback"))
    assert (again.attempt, again.status) == (1, "rolled_back")


def test_facts_are_merged_and_notes_are_added_once():
    record = after(
        change(facts={"flags": {"before": 1}}, notes=("a",)),
        change(facts={"flags": {"after": 2}}, notes=("a", "b")),
    )
    assert record.body["facts"] == {"flags": {"before": 1, "after": 2}}
    assert record.notes == ("a", "b")


def test_evidence_needs_an_opened_phase():
    with pytest.raises(InputError, match="never opened"):
        after(change(phase="database", evidence={"x": 1}))


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"version": "2.0.0", "phases": {}}'])
def test_a_damaged_record_is_named_as_such(text):
    with pytest.raises(VerificationError, match="has no valid release record"):
        Record.load(text, "ConfigMap 'release-2.0.0'")


def test_what_of_a_damaged_record_is_json_comes_with_the_failure():
    with pytest.raises(VerificationError) as caught:
        Record.load('{"version": "2.0.0", "phases": {}}', "here")
    assert caught.value.details == {"record": {"version": "2.0.0", "phases": {}}}


DONE_ONCE = (phase("running"), phase("done", "09:10", evidence={"migrations": 4}))
FIRST_RUN = {
    "status": "done",
    "started": "09:00",
    "finished": "09:10",
    "evidence": {"migrations": 4},
}


def test_a_run_that_changed_something_puts_its_own_times_and_results_in_place_of_the_old_ones():
    again = phase(
        "done", "10:05", evidence={"migrations": 1}, phase_started="10:00", phase_changed=True
    )
    database = stored(after(*DONE_ONCE, phase("running", "10:00"), again))
    times = [database[name] for name in ("status", "started", "finished")]
    assert times == ["done", "10:00", "10:05"]
    assert (database["evidence"], database["earlier_runs"]) == ({"migrations": 1}, [FIRST_RUN])


@pytest.mark.parametrize(("fence", "known"), [(5, 5), (0, 3)], ids=["a lock", "no lock"])
def test_a_phase_that_was_run_again_is_of_the_run_that_did(fence, known):
    done = after(phase("running", fence=3), phase("done", "09:10", fence=3))
    again = plan_record(done, phase("done", "10:10", phase_changed=True, fence=fence))
    assert (again.phases["database"].fence, again.phases["database"].interruptions) == (known, ())
    failed = plan_record(done, phase("failed", "10:10", fence=fence))
    assert failed.phases["database"].fence == known


def test_a_failure_of_a_phase_that_was_done_is_of_the_new_run_alone():
    first = phase("failed", "10:05", evidence={"failures": {"a": 1}}, phase_started="10:00")
    second = phase("failed", "10:06", evidence={"failures": {"b": 2}}, phase_started="10:00")
    database = stored(after(*DONE_ONCE, phase("running", "10:00"), first, second))
    assert (database["status"], database["started"]) == ("failed", "10:00")
    assert database["evidence"] == {"failures": {"a": 1, "b": 2}}
    assert database["earlier_runs"] == [FIRST_RUN]


@pytest.mark.parametrize("how", ["rolled_back", "partly_rolled_back"])
def test_what_was_taken_back_is_not_called_done_and_is_run_anew(how):
    back = after(*DONE_ONCE, phase(how, "10:00"))
    assert (back.phases["database"].status, back.phases["database"].finished) == (how, "10:00")
    assert plan_record(back, phase(how, "11:00")) == back
    opened = plan_record(back, phase("running", "12:00")).phases["database"]
    assert (opened.status, opened.started, opened.finished) == ("running", "12:00", "")
    assert opened.evidence.all == {}
    assert [run.status for run in opened.earlier_runs] == [how]


def test_what_was_never_done_or_failed_is_not_called_taken_back():
    failed = after(phase("running"), phase("failed"))
    assert plan_record(failed, phase("rolled_back", "10:00")) == failed
    assert plan_record(failed, phase("rolled_back", "10:00", name="edge_functions")) == failed


def test_a_release_that_is_done_stays_so_while_a_phase_of_it_is_run_again():
    done = after(*DONE_ONCE, phase("done", name="sign_off", status="done"))
    back = plan_record(done, phase("rolled_back", "10:00"))
    again = plan_record(plan_record(back, phase("running", "10:01")), phase("done", "10:02"))
    assert (again.status, again.finished) == (done.status, done.finished)


def test_a_release_that_is_done_and_failed_in_a_phase_is_done_again_once_that_phase_is() -> None:
    done = after(*DONE_ONCE, phase("done", name="sign_off", status="done"))
    failed = plan_record(done, phase("failed", "10:00"))
    assert (failed.status, standing(failed)) == ("done", "failed")
    assert "failed in phase database after its sign-off" in blocked_by("2.0.0", failed)
    mended = plan_record(plan_record(failed, phase("running", "10:01")), phase("done", "10:02"))
    assert (mended.status, standing(mended), blocked_by("2.0.0", mended)) == ("done", "done", "")


def test_a_record_keeps_ten_earlier_runs_and_reads_them_back():
    runs = [
        phase("done", f"10:{n:02}", evidence={"n": n}, phase_changed=True) for n in range(1, 14)
    ]
    record = after(*DONE_ONCE, *runs)
    runs = stored(record)["earlier_runs"]
    assert [run["evidence"] for run in runs] == [{"n": n} for n in range(3, 13)]
    assert loaded(record) == record
