"""A report says how a release stands, whatever its record holds, and believes nothing in it."""

import re

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._decode import decode
from ansible_collections.easymo.deploy.plugins.module_utils._formats import lasting, size
from ansible_collections.easymo.deploy.plugins.module_utils._release.record import Evidence, Record
from ansible_collections.easymo.deploy.plugins.module_utils._report.build import build_report
from ansible_collections.easymo.deploy.plugins.module_utils._report.files import incident_facts
from ansible_collections.easymo.deploy.plugins.module_utils._report.models import (
    Cell,
    ReportOptions,
)
from ansible_collections.easymo.deploy.plugins.module_utils._report.phases import causes
from ansible_collections.easymo.deploy.plugins.module_utils._report.render import (
    as_html,
    as_text,
)
from ansible_collections.easymo.deploy.plugins.module_utils._story.plan import Plan
from tests.fakes import release_records as records
from tests.fakes.report_lines import everything


def plan_of(**minutes):
    return Plan.read([{"name": name, "minutes": spent} for name, spent in minutes.items()])


PLAN = ReportOptions(plan=Plan.read(records.PLAN))


def phase(status, minute, minutes, **evidence):
    started, finished = f"2026-11-24T06:{minute:02}:00Z", f"2026-11-24T06:{minute + minutes:02}:00Z"
    return {"status": status, "started": started, "finished": finished, "evidence": evidence}


def test_a_complete_release_is_deployed_and_nothing_is_missing():
    record = records.green()
    for name, part in (("database", "migrations"), ("edge_functions", "functions")):
        record["facts"][part] = record["phases"][name]["evidence"].pop(part)
    report = build_report(record, PLAN)
    assert (report.verdict.word, report.verdict.tone) == ("Deployed", "good")
    assert (report.missing, report.problems) == ((), ())
    text = everything(report)
    for told in ("wallet-service | 2 | succeeded", "v1.9.0", "v2.0.0", "3 of 3", "102.3 MB", "9f86d0",
                 "20251105090000_agent_preferences", "wa-webhook | changed", "error rate | proceed | ",
                 "Database connectivity | pass | 2 databases", "2 h 32 min (planned 2 h 30 min)",
                 "updated by hand"):  # fmt: skip
        assert told in text
        assert told.partition(" | ")[0] in as_html(report)


def services_alone():
    """Of a team without a database, functions, flags, tests, a watch and channels."""
    record = records.green()
    phases = {name: record["phases"][name] for name in ("microservices", "sign_off")}
    return {**record, "phases": phases, "backups": {}, "announcements": {}}


def test_nothing_is_missing_that_the_release_does_not_have():
    plan = plan_of(microservices=20, sign_off=10)
    report = build_report(services_alone(), ReportOptions(plan=plan, announced=False))
    assert report.missing == ()
    assert "Announcements" not in (text := everything(report))
    names = [label for label, _cell in report.claims]
    assert names == ["Versions", "All services", "Incidents", "Downtime"]
    assert "wallet-service | 2 | succeeded" in text


def test_what_the_release_has_is_missing_where_the_record_does_not_know_it():
    plan = plan_of(
        database=9, edge_functions=9, microservices=9, feature_flags=9, smoke_tests=9, monitoring=9
    )
    told = " ".join(build_report(services_alone(), ReportOptions(plan=plan)).missing)
    for what in ("backup", "migration", "edge function", "flag", "test", "announcement"):
        assert f"No {what} is recorded." in told
    assert "watched" in told


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"status": "failed"}, "Not finished"),
        ({"status": "rolled_back"}, "Rolled back"),
        ({"status": "running"}, "Not finished"),
        ({"status": ""}, "Not finished"),
        ({"phases": {}}, "Incomplete"),
        ({"phases": {"database": phase("failed", 0, 1)}}, "Failed"),
        ({"backups": {}}, "Deployed"),
        ({"facts": {"rollback_asked": {"at": records.at(160), "open": True}}}, "Interrupted"),
    ],
)
def test_the_verdict_is_never_better_than_the_record(change, word):
    assert build_report({**records.green(), **change}, PLAN).verdict.word == word


def test_what_a_rollback_brought_back_stands_in_the_report_and_what_failed_in_the_incident():
    rows = [
        {"name": "Payments", "status": "failed", "detail": "HTTP 500"},
        {"name": "Every pod runs", "status": "verified", "detail": "36 pods ready"},
        {"name": "Error rate", "status": "not looked at", "detail": "no data"},
    ]
    record = {**records.green(), "status": "rolled_back", "facts": {"rollback_verified": rows}}
    report = build_report(record, PLAN)
    lines = {label: (cell.text, cell.tone) for label, cell in report.claims}
    words = "1 of 3; Payments failed (HTTP 500), Error rate not looked at (no data)"
    assert lines["After the rollback"] == (words, "bad")
    assert "Payments | failed | HTTP 500" in everything(report)
    incident = incident_facts(report, Record.read(record))
    assert "1 of 3 things were verified after the rollback: not Payments, Error rate" in incident
    assert "After the rollback, Payments failed" in incident
    assert "rollback" not in as_text(build_report(records.green(), PLAN)).lower()


def test_rehearsals_tell_how_long_migrations_took_which_locks_they_held_and_why_there_was_none():
    lock = {"relation": "public.orders", "mode": "ACCESS EXCLUSIVE"}
    rehearsed = {"status": "passed", "durations": {"a.sql": 1.4}, "locks": {"a.sql": [lock]}}
    waived = {"status": "waived", "waiver": "no room", "waived_by": "Jane Doe"}
    record = records.green()
    record["phases"]["database"]["evidence"] = {"rehearsals": {"one": rehearsed, "two": waived}}
    text = everything(build_report(record, PLAN))
    assert "one | passed | a.sql | 1.4 s | ACCESS EXCLUSIVE on public.orders" in text
    assert "two | waived" in text
    assert "no room (Jane Doe)" in text
    record["phases"]["database"]["evidence"] = {}
    assert "Rehearsals" not in everything(build_report(record, PLAN))


def test_what_migrations_were_warned_of_is_told_and_nothing_where_nobody_looked():
    warned = {"file": "a.sql", "line": 3, "what": "it refuses rows", "rule": "rows-refused"}
    record = records.green()
    record["migrations"] = {
        "one": {"guard_warnings": [warned]},
        "two": {"guard_warnings": []},
        "old": {},
    }
    text = everything(build_report(record, PLAN))
    assert "one | none | none | none | a.sql, line 3: it refuses rows" in text
    assert "two | none | none | none | none" in text
    assert "old | none | none | none | not known" in text


def test_a_failed_release_quotes_its_first_cause_on_top():
    cause = {"supabase_db": {"task": "Apply", "message": "it drops a column"}}
    record = {**records.green(), "phases": {"database": phase("failed", 0, 1, failures=cause)}}
    report = build_report(record, PLAN)
    assert report.verdict.sentence == (
        "Release 2.0.0 in Database (2 of 8) since 2026-11-24 06:00:00 UTC: supabase_db: it drops a column."
    )


def test_a_hold_is_no_failure_and_says_what_it_waits_for():
    report = build_report(records.held(), PLAN)
    assert (report.verdict.word, report.verdict.tone) == ("On hold", "warn")
    assert report.verdict.sentence.startswith(
        "Release 2.0.0 in Monitoring (7 of 8) since 2026-11-24 07:05:06 UTC: response_time_p95 is 1.34 seconds"
    )
    assert [row.status for row in report.phases if row.name == "monitoring"] == ["on hold"]
    assert dict(report.claims)["Metrics"] == Cell("on hold", "warn")


def test_a_rolled_back_release_says_why_and_that_its_services_went_back():
    report = build_report(records.rolled_back(), PLAN)
    assert "rejected: the ledger is down (Jane Doe, 06:39 UTC)" in report.verdict.sentence
    (services,) = (table for table in report.tables if table.title == "Services")
    assert {row[2].text for row in services.rows} == {"rolled back", "not started"}
    back = [row for row in services.rows if row[2].text == "rolled back"]
    assert {(row[3].text, row[4].text) for row in back} == {("v1.9.0", "v1.9.0")}
    assert (
        dict(report.claims)["Versions"].text
        == "v1.9.0: agent-core ranking-service wallet-service vendor-service · not known: the other 8"
    )


def test_what_a_way_back_took_of_another_hand_is_told_of_its_service():
    record = records.rolled_back()
    field = "spec.containers[agent-core].lifecycle"
    record["facts"]["services_returned"]["agent-core"]["taken_away"] = [{"field": field}]
    (services,) = (t for t in build_report(record, PLAN).tables if t.title == "Services")
    told = [row[7].text for row in services.rows if "other people's changes" in row[7].text]
    assert len(told) == 1
    assert told[0].endswith(f"changes: {field}.")


def test_services_stand_in_their_waves_with_the_reason_of_what_failed():
    record = records.many(100)
    (services,) = (t for t in build_report(record, PLAN).tables if t.title == "Services")
    assert [row[1].text for row in services.rows[:2]] == ["1", "2"]
    assert services.fold


def test_metrics_are_told_with_bounds_and_of_every_watch_apart():
    record = records.held()
    record["facts"]["ramp_watches"] = {
        "5 % since x": {"verdict": "rollback", "samples": records.metrics()[:1]}
    }
    record["phases"]["monitoring"]["earlier_failures"] = [
        {"finished": records.at(90), "evidence": {"metrics": records.metrics()[:2]}}
    ]
    tables = [one for one in build_report(record, PLAN).tables if one.title.startswith("Metrics")]
    own, earlier, ramp = tables
    assert (own.fold, earlier.fold, ramp.fold) == (False, True, True)
    assert own.lead == "6 of 8 metrics were good: not response time p95, redis hit rate."
    assert own.rows[0][6].text == "passes up to 1 %; rolls back above 5 %"
    assert ramp.title == "Metrics at 5 % since x: rollback"


def test_what_the_guard_did_stands_among_the_events():
    record = records.green()
    act = {"what": "step_down", "at": records.at(90), "before": 5, "to": 1, "why": "it fires"}
    record["facts"]["guard"] = {"acts": [act]}
    texts = [event.text for event in build_report(record, PLAN).events]
    assert "Guard step down, 5 % to 1 %: it fires." in texts


def test_a_comparison_shows_the_users_of_both_cohorts_and_what_it_could_have_seen():
    record = records.green()
    compared = {
        "treated": {"seen": 812.0, "failed": 9.0},
        "control": {"seen": 15420.0, "failed": 180.0},
        "could_have_seen": "could have seen 3.1 times as many failing users, nine times of ten",
    }
    record["phases"]["monitoring"]["evidence"]["metrics"] = [
        {**records.metrics()[0], "comparison": compared}
    ]
    (own,) = [one for one in build_report(record, PLAN).tables if one.title == "Metrics"]
    remarks = own.rows[0][7].text
    assert "Failing users: 9 of 812 treated, 180 of 15,420 of the control." in remarks
    assert "could have seen 3.1 times" in remarks


def test_a_signature_for_another_commit_or_by_nobody_is_none():
    record = records.green()
    record["facts"]["sign_offs"]["qa"]["git_sha"] = "f" * 40
    record["facts"]["sign_offs"]["product"]["by"] = ""
    report = build_report(
        record, ReportOptions(plan=Plan.read(records.PLAN), sign_offs=("qa", "security"))
    )
    (table,) = (table for table in report.tables if table.title == "Sign-offs")
    told = {row[0].text: row[1].text for row in table.rows}
    assert told == {
        "qa": "signed for another attempt or commit",
        "product": "signed without a name",
        "security": "missing",
    }


def test_a_try_that_failed_before_is_told_as_such_and_not_as_evidence():
    cause = {"supabase_db": {"task": "Apply", "message": "it drops a column"}}
    record = records.green()
    record["phases"]["database"]["earlier_failures"] = [
        {
            "started": "2026-11-24T06:00:00Z",
            "finished": "2026-11-24T06:01:00Z",
            "evidence": {"failures": cause},
        }
    ]
    report = build_report(record, PLAN)
    assert report.verdict.word == "Deployed"
    assert "2026-11-24 06:01:00 Database failed: supabase_db: it drops a column" in everything(
        report
    )


def test_an_empty_record_makes_a_report_that_says_what_is_missing():
    report = build_report({}, PLAN)
    assert report.verdict.word == "No release"
    assert report.missing[0].startswith("Phases that were not run: Pre-Deploy, Database, Edge")
    assert "No backup is recorded." in report.missing
    assert "not run" in as_html(report)


def test_what_could_not_be_read_is_told():
    report = build_report({**records.green(), "backups": {"x": "s3://x"}}, PLAN)
    assert "1 entries of 'backups' are no dictionaries." in report.problems
    assert "Problems of the record" in as_html(report)
    (problem,) = build_report({**records.green(), "phases": ["database"]}, PLAN).problems
    assert problem == "'phases' is no dictionary."


def test_a_phase_that_nobody_planned_is_shown_and_a_late_one_is_marked():
    record = records.green()
    record["phases"]["cleanup"] = phase("done", 40, 2)
    report = build_report(record, PLAN)
    assert [row.name for row in report.phases][-2:] == ["sign_off", "cleanup"]
    assert [row.name for row in report.phases if row.late] == ["database"]
    assert "22 min of 15 min planned, 47 % late" in as_html(report)


def test_the_page_needs_nothing_from_outside():
    page = as_html(build_report(records.green(), PLAN))
    for outside in ("http://", "https://", "<link", "<img", "@import", "url("):
        assert outside not in page


def test_times_and_sizes_for_people():
    assert [lasting(s) for s in (None, 0.4, 5, 60, 185, 7080)] == [
        "", "400 ms", "5 s", "1 min", "3 min 5 s", "1 h 58 min",
    ]  # fmt: skip
    assert [size(s) for s in (None, 12, 1500, 102_301_444)] == ["", "12 B", "1.5 kB", "102.3 MB"]


def test_what_people_said_of_users_is_told_of_every_watch():
    said = {"name": "critical_issues", "status": "fail", "answer": "bad", "by": "Jane Doe",
            "at": "2026-11-24T10:02:00Z", "note": "payments are lost", "question": "Which?"}  # fmt: skip
    unsaid = {"name": "support_tickets", "status": "hold", "answer": "none", "by": "", "at": "",
              "note": "", "question": "How many?"}  # fmt: skip
    record = records.green()
    record["phases"]["monitoring"] = phase("done", 40, 2)
    record["phases"]["monitoring"]["evidence"] = {"feedback": {"answers": [unsaid]}}
    record["facts"] = {"ramp_watches": {"5 % since noon": {"feedback": {"answers": [said]}}}}
    (table,) = [one for one in build_report(record, PLAN).tables if one.title == "What users say"]
    rows = [[cell.text for cell in row] for row in table.rows]
    assert rows[0][:3] + rows[0][5:] == ["monitoring", "support tickets", "none", "How many?"]
    assert rows[1][:4] == ["5 % since noon", "critical issues", "bad", "Jane Doe"]
    assert [row[2].tone for row in table.rows] == ["warn", "bad"]


@pytest.mark.parametrize(
    "record",
    [records.green(), records.held(), records.rolled_back(), records.dead(), records.many(), records.hostile(), {}],
    ids=["green", "held", "rolled back", "dead", "many", "hostile", "empty"],
)  # fmt: skip
def test_the_text_is_one_screen_and_begins_with_the_verdict(record):
    report = build_report(record, PLAN)
    lines = as_text(report).splitlines()
    assert len(lines) <= 40
    assert report.verdict.word.upper() in lines[0]
    assert max(len(line) for line in lines[2:]) <= 250


def test_a_held_text_names_the_phase_and_its_cause_once():
    text = as_text(build_report(records.held(), PLAN))
    assert "!   7/8 Monitoring      on hold     1 h of 1 h planned" in text
    assert "·   8/8 Sign-Off        not run     10 min planned" in text


def test_the_same_deviation_is_told_once_with_how_often():
    record = records.green()
    item = "3 Infrastructure Readiness: Production environment healthy"
    record["phases"]["preflight"]["evidence"]["preflight"] = [
        {"name": f"certificate {n}", "status": "skip", "item": item, "detail": f"{n} has no TLS"}
        for n in ("api", "supabase", "admin")
    ]
    (told,) = (one for one in build_report(record, PLAN).deviations if item in one.what)
    assert told.sentence() == (
        f"The check '{item}' was left out (3 times). Why: api has no TLS; supabase has no TLS; admin has no TLS."
    )


def test_no_table_has_a_column_without_a_word():
    for record in (records.green(), records.rolled_back(), records.held()):
        html = as_html(build_report(record, PLAN))
        for table in re.findall(r"<table class=\"stack\".*?</table>", html, re.S):
            rows = re.findall(r"<tr role=\"row\">(.*?)</tr>", table, re.S)[1:]
            cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.S) for row in rows]
            assert all(any(cell.strip() for cell in column) for column in zip(*cells, strict=True))


def test_the_checklist_stands_by_its_sections_with_what_did_not_pass_open():
    report = build_report(records.green(), PLAN)
    sections = [one for one in report.tables if one.part == "checklist"]
    assert [one.title for one in sections] == [
        "1 Staging Validation", "3 Infrastructure Readiness", "4 Code Readiness",
    ]  # fmt: skip
    assert [row[0].text for one in sections for row in one.standing_out()] == ["Changelog updated"]
    assert all(one.fold for one in sections)


def test_a_service_that_an_earlier_run_rolled_out_did_not_take_no_time():
    record = records.green()
    services = record["phases"]["microservices"]["evidence"]["services"]
    image = {"image": "easymo/agent-core:v2.0.0"}
    services["agent-core"] |= {
        "result": "no_change",
        "before": image,
        "after": image,
        "duration": 0,
    }
    pins = {"agent-core": {"images": {"agent-core": "easymo/agent-core:v1.9.0"}}}
    report = build_report(record, ReportOptions(plan=Plan.read(records.PLAN), pins=pins))
    (table,) = (one for one in report.tables if one.title == "Services")
    assert [cell.text for cell in table.rows[0]][2:7] == [
        "rolled out earlier", "v1.9.0", "v2.0.0", "3 of 3", "",
    ]  # fmt: skip


def test_what_runs_now_is_what_was_seen_last_and_else_not_known():
    """A failed phase keeps results of those that failed, and how the platform stood then."""
    record = {**records.rolled_back(), "status": "failed"}
    del record["facts"]["services_returned"]
    names = [name for wave in records.SERVICES for name in wave]
    old = {name: f"easymo/{name}:v1.9.0" for name in names}
    pins = {name: {"images": {name: image}} for name, image in old.items()}
    evidence = record["phases"]["microservices"]["evidence"]
    evidence["services"] = {"wallet-service": evidence["services"]["wallet-service"]}

    def now(**asked) -> str:
        report = build_report(
            record, ReportOptions(plan=Plan.read(records.PLAN), pins=pins, **asked)
        )
        return dict(report.claims)["Versions"].text

    assert now() == "v1.9.0: wallet-service · not known: the other 11"
    evidence["settlement"]["standing"] = old | {"agent-core": "easymo/agent-core:v2.0.0@sha256:0"}
    assert now() == "v2.0.0: agent-core · v1.9.0: the other 11"
    later = dict.fromkeys(names, "v1.9.0")
    assert now(versions=later) == "v1.9.0: all 12"
    report = build_report(record, ReportOptions(plan=Plan.read(records.PLAN), pins=pins))
    rolled = next(row for table in report.tables for row in table.rows if row[0].text == names[0])
    assert [cell.text for cell in rolled[2:5]] == ["rolled out earlier", "v1.9.0", "v2.0.0"]


def test_a_release_of_one_service_names_it():
    record = records.green()
    evidence = record["phases"]["microservices"]["evidence"]
    evidence["services"] = {"wallet-service": evidence["services"]["wallet-service"]}
    record["facts"]["waves"] = [["wallet-service"]]
    report = build_report(record, PLAN)
    assert dict(report.claims)["Versions"].text == "v2.0.0: wallet-service"


def test_a_phase_tells_the_texts_that_it_left():
    record = records.green()
    more = {"gaps": [], "sensitivity": "", "decision": {"by": "Jane"}, "sentence": "Proceed."}
    record["phases"]["monitoring"]["evidence"] |= more
    told = everything(build_report(record, PLAN))
    assert "gaps" not in told
    assert "sensitivity" not in told
    assert '{"by"' not in told
    assert "sentence: Proceed." in told


def caused_by(failures):
    return [*causes(decode(Evidence, {"failures": failures}, "evidence", []))]


def test_a_host_that_stopped_for_another_is_no_cause_beside_it():
    elsewhere = records.failed_by(
        "booking_db", "a task on another host", "it failed on another host", "Elsewhere"
    )
    cause = records.failed_by("seats_db", "Migrate", "P3005: the schema is not empty")
    told = "seats_db: P3005: the schema is not empty"
    assert caused_by({**elsewhere, **cause}) == [told]
    assert len(caused_by(elsewhere)) == 1


def test_who_signed_an_image_stands_beside_it():
    signed = {"digest": "sha256:1", "signed_by": "ci of https://ci.example"}
    record = {**records.rolled_back(), "facts": {"images": {"a:1": signed, "b:1": {"digest": "x"}}}}
    report = build_report(record, ReportOptions(plan=Plan.read(records.PLAN)))
    (table,) = (one for one in report.tables if one.title == "Images")
    assert table.columns == ("Image", "Digest", "Signed by", "Provenance")
    assert [row[2].text for row in table.rows] == ["ci of https://ci.example", ""]
