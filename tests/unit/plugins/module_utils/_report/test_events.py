"""What happened stands in the order of time, and each phase with its tries against its plan."""

from ansible_collections.easymo.deploy.plugins.module_utils._report.build import build_report
from ansible_collections.easymo.deploy.plugins.module_utils._report.models import ReportOptions
from ansible_collections.easymo.deploy.plugins.module_utils._report.phases import took_words
from ansible_collections.easymo.deploy.plugins.module_utils._report.render import as_html
from ansible_collections.easymo.deploy.plugins.module_utils._story.plan import Plan
from tests.fakes import release_records as records


def took(record, title):
    rows = build_report(record, ReportOptions(plan=Plan.read(records.PLAN))).phases
    return next(took_words(row) for row in rows if row.title == title)


def test_a_phase_is_told_with_its_time_its_plan_and_its_tries():
    assert took(records.green(), "Database") == "22 min of 15 min planned, 47 % late"
    assert took(records.green(), "Microservices") == "12 min of 20 min planned, 2 tries"
    assert took(records.dead(), "Microservices") == "no end recorded of 20 min planned"


def test_what_happened_stands_in_the_order_of_time():
    record = records.rolled_back()
    record["facts"]["rollback_asked"] = {"by": "Jane", "reason": "payments", "at": records.at(51)}
    report = build_report(record, ReportOptions(plan=Plan.read(records.PLAN)))
    assert [one.text.partition(":")[0] for one in report.events] == [
        "Jane Doe overrode the launch window",
        "Jane rolled back",
        "Microservices failed",
        "amina@ops-1 set the kill switch",
        "Jane Doe rejected at release",
        "The rollback was done.",
        "Ramp raised by amina@ops-1, 0 % to 1 %.",
    ]
    assert "set the kill switch: wallets cannot pay." in as_html(report)


def test_an_interruption_stands_where_somebody_took_the_phase_up():
    record = records.green()
    record["phases"]["database"]["interruptions"] = [{"by": "joe@ops-2", "at": records.at(20)}, "?"]
    report = build_report(record, ReportOptions(plan=Plan.read(records.PLAN)))
    (told,) = [one for one in report.events if "resumed phase" in one.text]
    assert told.text == "joe@ops-2 resumed phase database, in which the previous run ended."
    assert told.at.strftime("%H:%M") == "06:05"
