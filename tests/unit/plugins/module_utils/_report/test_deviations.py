"""Whatever left the runbook is a sentence of the report, with who and why where the record tells."""

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._report.build import build_report
from ansible_collections.easymo.deploy.plugins.module_utils._report.models import ReportOptions
from ansible_collections.easymo.deploy.plugins.module_utils._story.plan import Plan
from tests.fakes import release_records as records


def told(record):
    report = build_report(record, ReportOptions(plan=Plan.read(records.PLAN)))
    return [one.sentence() for one in report.deviations]


def calm():
    """A release that kept to the runbook."""
    record = records.green()
    phases = record["phases"]
    phases["database"] = records.phase("done", 15, 30)
    phases["microservices"]["earlier_failures"] = []
    phases["preflight"]["evidence"] = {}
    phases["database"]["evidence"] = {}
    record["announcements"] = {}
    return record


def test_a_release_by_the_book_has_none():
    assert told(calm()) == []


def with_facts(**facts):
    record = calm()
    record["facts"] |= facts
    return record


def with_phase(name, **phase):
    record = calm()
    record["phases"][name] = {**record["phases"][name], **phase}
    return record


def with_check(**check):
    return with_phase("smoke_tests", evidence={"checks": [{"name": "phone", **check}]})


def without_phase(name):
    record = calm()
    del record["phases"][name]
    return record


def watch_that_waited_for_an_answer(watched):
    return {
        "started": records.at(80),
        "finished": records.at(140),
        "evidence": {"feedback": {"watched": watched}},
    }


ANN = {"by": "ann", "reason": "errors"}
JANE = {"by": "Jane", "reason": "known"}
MOVED = {"from": 5, "to": 1, "at": records.at(9), **ANN}
UNTOLD = {"channel": "slack", "msg": "token revoked"}
UNREHEARSED = {"status": "waived", "waiver": "no room", "waived_by": "Jane"}
LOCKED = records.failed_by("db", "Apply", "it is locked")
BEFORE = {"attempt": 1, "status": "rolled_back", "actor": "joe", "started": records.at(0)}
CASES = {
    "late": (with_phase("database", finished=records.at(36)),
             "Database took 21 min, 40 % more than the planned 15 min."),
    "the whole is late": ({**calm(), "finished": records.at(190)},
        "The whole release took 3 h 10 min, 27 % more than the planned 2 h 30 min."),
    "waived": (with_phase("monitoring", status="waived", evidence=JANE),
               "Monitoring was waived. By Jane. Why: known."),
    "waived at first": (with_phase("preflight",
                        earlier_runs=[{"status": "waived", "evidence": JANE}]),
                        "Pre-Deploy was waived at first. By Jane. Why: known."),
    "a short watch": (with_phase("monitoring", started=records.at(80), finished=records.at(80.5)),
                      "Monitoring took 30 s of the planned 1 h."),
    "a short look after a watch that held": (with_phase("monitoring", started=records.at(200),
        finished=records.at(200.5), earlier_failures=[watch_that_waited_for_an_answer("hold")]),
        "Monitoring took 30 s of the planned 1 h."),
    "passed over": (without_phase("smoke_tests"),
                    "Smoke Tests was skipped: later phases ran without it."),
    "tried again": (with_phase("database", earlier_failures=[{"evidence": {"failures": LOCKED}}]),
                    "Database needed 2 tries. Why: db: it is locked."),
    "window": (with_facts(overrides={"launch_window": {**JANE, "at": records.at(0), "what": "it is closed"}}),
        "The launch window was overridden at 2026-11-24 05:45:00 UTC: it is closed. By Jane. Why: known."),
    "forced lock": (with_facts(forced_locks={"7": {**ANN, "stolen_from": "joe@b"}}),
                    "The deploy lock was taken by force from joe@b. By ann. Why: errors."),
    "kill switch": (with_facts(kill_switches={records.at(9): {"what": "set", **ANN}}),
                    "The kill switch was set at 2026-11-24 05:54:00 UTC. By ann. Why: errors."),
    "images": (with_facts(images={"a:1": "digest not checked", "b:1": {"digest": "x"}}),
               "The registry was not checked for 1 image of 2."),
    "held and approved": (with_facts(decisions={"x": {"gate": "monitoring", "decision": "approve",
                          **JANE}}), "The hold of monitoring was approved. By Jane. Why: known."),
    "ramp released": (with_facts(ramp={"history": [{**MOVED, "what": "released"}]}),
                      "The ramp at 5 % was released from its hold. By ann. Why: errors."),
    "ramp lowered": (with_facts(ramp={"history": [{**MOVED, "what": "lowered"}]}),
                     "The ramp at 5 % was lowered to 1 %. By ann. Why: errors."),
    "restored": (with_facts(database_restores={"supabase": {"r": {"approved_by": "Jane",
                 "reason": "data lost", "backup": "b"}}}),
                 "Database supabase was restored from its backup b. By Jane. Why: data lost."),
    "not rehearsed": (with_phase("database", evidence={"rehearsals": {"one": UNREHEARSED}}),
                      "The migrations of one were not rehearsed. By Jane. Why: no room."),
    "left out": (with_check(status="skip", detail="nobody was asked"),
                 "The check 'phone' was left out. Why: nobody was asked."),
    "nobody answered": (with_check(status="hold", facts={"how": "nobody",
                        "question": "Does MENU work?"}), "No answer came to 'Does MENU work?'."),
    "not told": ({**calm(), "announcements": {"start": {"undelivered": [UNTOLD]}}},
                 "The announcement 'start' did not reach slack. Why: token revoked."),
    "an attempt before": ({**calm(), "previous_attempts": [BEFORE]},
        "Attempt 1, begun 2026-11-24 05:45:00 UTC, ended as rolled back. By joe."),
}  # fmt: skip


@pytest.mark.parametrize(("record", "sentence"), CASES.values(), ids=CASES)
def test_it_is_told(record, sentence):
    assert sentence in told(record)


def test_a_waived_migration_and_a_waived_check_are_told():
    sentences = told(records.green())
    assert (
        "Migration 20251105090000_agent_preferences/migration.sql of prisma ran although it is not additive. "
        "Why: the column was never read." in sentences
    )
    assert (
        "The check '4 Code Readiness: Changelog updated' was waived. Why: the entry follows with the tag."
        in sentences
    )


def test_a_quarter_late_is_not_late_yet():
    assert told(with_phase("database", finished=records.at(15 + 15 * 1.25))) == []


def test_a_waived_check_is_told_once_with_who_waived_it_and_why():
    record = records.green()
    record["facts"]["overrides"] = {"changelog": {**JANE, "at": records.at(0), "what": "no entry"}}
    found = [one for one in told(record) if "hangelog" in one]
    assert found == [
        "The check '4 Code Readiness: Changelog updated' was waived. By Jane. Why: known."
    ]


def test_a_phase_that_was_rolled_back_was_not_late_until_then():
    back = with_phase("feature_flags", status="rolled_back", finished=records.at(200))
    assert not [one for one in told(back) if one.startswith("Feature")]
    late = with_phase("feature_flags", finished=records.at(200))
    assert [one for one in told(late) if one.startswith("Feature")]


def test_a_watch_that_only_waited_for_an_answer_was_not_short():
    record = with_phase(
        "monitoring",
        started=records.at(200),
        finished=records.at(200.5),
        earlier_failures=[watch_that_waited_for_an_answer("proceed")],
    )
    assert not any(sentence.startswith("Monitoring took") for sentence in told(record))
