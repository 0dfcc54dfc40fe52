"""What may be claimed of a release, for records of every kind, and that each channel says just that."""

import copy
import re
import typing as t
from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.easymo.deploy.plugins.module_utils._availability.plan import (
    Measured,
    Probe,
    at,
    close,
    fold,
    start,
)
from ansible_collections.easymo.deploy.plugins.module_utils._claims.claims import (
    REPORT_LINES,
    Claim,
    incidents_of,
    latest_cause,
    read_claims,
)
from ansible_collections.easymo.deploy.plugins.module_utils._gate.models import Reason, Verdict
from ansible_collections.easymo.deploy.plugins.module_utils._release.record import Record
from ansible_collections.easymo.deploy.plugins.module_utils._report.build import build_report
from ansible_collections.easymo.deploy.plugins.module_utils._report.models import ReportOptions
from ansible_collections.easymo.deploy.plugins.module_utils._report.render import as_text
from ansible_collections.easymo.deploy.plugins.module_utils._story.plan import Plan
from tests.fakes import release_records as records
from tests.unit.plugins.module_utils._story.announcements import texts_in

EAT = ZoneInfo("Africa/Nairobi")
Info = dict[str, t.Any]

GREEN = {
    "status": "LIVE (1% rollout)",
    "downtime": "0 minutes",
    "errors": "0 critical",
    "interruption": "Zero downtime",
    "tests": "All tests passing",
    "rollout": "1% rollout active",
    "monitoring": "Monitoring stable",
    "service": "Service was not interrupted.",
    "report_services": "Healthy",
    "report_database": "Migrations applied",
    "report_flags": "Active at 1%",
    "report_tests": "All passing",
    "report_metrics": "Within targets",
    "report_incidents": "0",
}
"""The runbook's own words."""


ROLLBACK = ("state", "impact", "verified", "users", "rollback_downtime")
"""Claims of a rollback, which test_rollback.py has."""
ENDS = 8220


def measured(failing: t.Container[int] = (), asks_from: int = 900) -> Measured:
    """Two addresses, asked once in five seconds from the first change to the end."""
    begun = records.BEGIN.timestamp()
    names = ("agent-core", "wallet-service")
    state = start(Measured(attempt=1, interval=5.0), names)
    for second in range(asks_from, ENDS, 5):
        for name in names:
            problem = "status 500" if second in failing and name == names[1] else ""
            state = fold(state, Probe(name, begun + second, problem))
    return at(state, begun + ENDS)


def facts(found: Measured) -> Info:
    return close(found, records.BEGIN.timestamp() + ENDS).to_json()


CLEAN = facts(measured())
FAILED = facts(measured(range(2760, 2781)))
"""Asked every five seconds; five of them failed from 09:31."""
LATE = facts(measured(asks_from=2400))


def green() -> Info:
    record = records.green()
    record["phases"]["microservices"]["earlier_failures"] = []
    record["facts"]["alerts"] = {"looked": True, "fired": []}
    flags = {"FEATURE_AI_AGENTS": "true", "FEATURE_AI_AGENTS_ROLLOUT_PERCENTAGE": "1"}
    flags_now = {"values": flags, "kill_switch": {}}
    return {"record": record, "availability": {"release": CLEAN}, "flags": flags_now}


def alert(name: str = "Service Down", severity: str = "critical", until: str = "") -> Info:
    # 09:31 in Nairobi.
    return {"name": name, "severity": severity, "since": records.at(46), "until": until}


def fired(*alerts: Info) -> t.Callable[[Info], None]:
    def change(info: Info) -> None:
        info["record"]["facts"]["alerts"]["fired"] = list(alerts)

    return change


def phase(name: str, status: str, **evidence: t.Any) -> t.Callable[[Info], None]:
    def change(info: Info) -> None:
        known = info["record"]["phases"][name]
        known["status"] = status
        if evidence:
            known["evidence"] = evidence

    return change


def next_flags(**asked: str) -> t.Callable[[Info], None]:
    """Those of a release that sets only these, and lets the agents of an earlier one be."""
    agents = {"FEATURE_AI_AGENTS": "true", "FEATURE_AI_AGENTS_ROLLOUT_PERCENTAGE": "50"}

    def change(info: Info) -> None:
        values = {**agents, **asked}
        phase("feature_flags", "done", flags={"asked": asked, "after": values})(info)
        info["flags"] = {"values": values, "kill_switch": {}}

    return change


def checks(**statuses: int) -> t.Callable[[Info], None]:
    def change(info: Info) -> None:
        info["record"]["phases"]["smoke_tests"]["evidence"]["checks"] = [
            {"name": f"{status} {n}", "status": status, "by": "Jane Doe"}
            for status, count in statuses.items()
            for n in range(count)
        ]

    return change


def without(*phases: str) -> t.Callable[[Info], None]:
    def change(info: Info) -> None:
        for name in phases:
            info["record"]["phases"].pop(name, None)

    return change


def available(found: Info | None) -> t.Callable[[Info], None]:
    def change(info: Info) -> None:
        info["availability"] = {"release": found} if found is not None else {}

    return change


def fact(**values: t.Any) -> t.Callable[[Info], None]:
    def change(info: Info) -> None:
        info["record"]["facts"].update(values)

    return change


def failed_before(info: Info) -> None:
    info["record"]["phases"]["microservices"]["earlier_failures"] = [
        {"finished": records.at(46), "evidence": {"failures": records.failed_by("a", "b", "c")}}
    ]


def held_before(info: Info) -> None:
    failures = records.failed_by("localhost", "Watch", "Hold: no data", "Hold")
    info["record"]["phases"]["monitoring"]["earlier_failures"] = [
        {"finished": records.at(90), "evidence": {"failures": failures}}
    ]


def approved(info: Info) -> None:
    decision = {
        "gate": "monitoring",
        "decision": "approve",
        "by": "Jane Doe",
        "reason": "one scrape",
    }
    reason = Reason("redis_hit_rate", Verdict.HOLD, "redis_hit_rate has no data", None)
    info["record"]["phases"]["monitoring"]["evidence"] |= {
        "decision": decision,
        "reasons": [reason.to_result()],
    }


def rolled_back_after(*left: str) -> t.Callable[[Info], None]:
    """A rollback when only these phases were done."""

    def change(info: Info) -> None:
        record = info["record"]
        record["status"] = "rolled_back"
        record["phases"] = {name: one for name, one in record["phases"].items() if name in left}
        for name in ("microservices", "feature_flags", "edge_functions"):
            if name in record["phases"]:
                record["phases"][name]["status"] = "rolled_back"

    return change


def flags_seen(percentage: str, **switch: str) -> t.Callable[[Info], None]:
    """As release_info looks at them."""
    values = {"FEATURE_AI_AGENTS": "true", "FEATURE_AI_AGENTS_ROLLOUT_PERCENTAGE": percentage}

    def change(info: Info) -> None:
        info["flags"] = {"values": values, "kill_switch": switch}

    return change


KILLED = {records.at(100): {"what": "set", "by": "Ann", "reason": "complaints"}}
KILL_TOLD = "off by the kill switch of Ann: complaints"
KILL_INCIDENT = "1: kill switch 10:25 by Ann"
NOT_RUN = {
    "smoke_tests": {"tests": "Tests: not run", "report_tests": "not run"},
    "monitoring": {"monitoring": "Monitoring: not watched", "report_metrics": "not watched"},
    "feature_flags": {
        "status": "deployed, feature flags not run",
        "rollout": "Rollout: flags not run",
        "report_flags": "flags not run",
    },
    "microservices": {"report_services": "not run"},
    "database": {"report_database": "Migrations not run"},
}
BACK = {
    "status": "rolled back",
    "rollout": "Rollout: flags rolled back",
    "report_flags": "flags rolled back",
    "report_services": "rolled back",
}
MEASURED_FAILURES = (
    "5 of 2,928 probes of 2 addresses failed: down for 25 s in all; wallet-service: 5 of 1,464 probes failed, "
    "09:31:00-09:31:20 (status 500)"
)


def downtime(words: str, service: str = "") -> Info:
    return {"downtime": words, "interruption": f"Downtime: {words}", "service": service}


def without_phase(title: str) -> Info:
    return {"status": f"LIVE (1% rollout), without {title} (waived)"}


def smoke(words: str) -> Info:
    return {"tests": f"Tests: {words}", "report_tests": words}


def watch(words: str) -> Info:
    return {"monitoring": f"Monitoring: {words}", "report_metrics": words}


def off(words: str) -> Info:
    return {
        "status": f"deployed, feature {words}",
        "rollout": f"Rollout: {words}",
        "report_flags": words,
    }


Case = tuple[str, t.Sequence[t.Callable[[Info], None]], Info]

CASES: list[Case] = [
    ("all is well", [], {}),
    # Availability
    ("probes failed", [available(FAILED)], downtime(MEASURED_FAILURES, "Some requests failed, for 25 s in all.")),
    ("not probed", [available(None)], downtime("not measured (the public addresses were not probed)")),
    (
        "asked too late",
        [available(LATE)],
        downtime("0 minutes where it was measured. No data 09:00:00-09:25:00: not probed yet"),
    ),
    # Alerts
    (
        "an alert fired and ended",
        [fired(alert(until=records.at(48)))],
        {"errors": "1 alert, Service Down 09:31-09:33", "report_incidents": "1: Service Down 09:31-09:33"},
    ),
    (
        "two alerts",
        [fired(alert(until=records.at(48)), alert("High Error Rate", until=records.at(50)))],
        {
            "errors": "2 alerts, Service Down 09:31-09:33, High Error Rate 09:31-09:35",
            "report_incidents": "2: Service Down 09:31-09:33, High Error Rate 09:31-09:35",
        },
    ),
    (
        "an alert still fires",
        [fired({**alert(), "subject": "wallet-service"})],
        {
            "errors": "1 alert, Service Down of wallet-service 09:31 and still firing",
            "report_incidents": "1: Service Down of wallet-service 09:31 and still firing",
        },
    ),
    (
        "a warning fired",
        [fired(alert("Slow Response", "warning", records.at(48)))],
        {"errors": "0 critical, 1 warning: Slow Response 09:31-09:33"},
    ),
    (
        "alerts were not checked",
        [fact(alerts={})],
        {
            "errors": "not measured (alerts were not checked)",
            "report_incidents": "none recorded, alerts not checked",
        },
    ),
    (
        "Prometheus was away",
        [fact(alerts={"looked": False, "why_not": "Prometheus did not answer 09:30-09:50"})],
        {
            "errors": "not measured (Prometheus did not answer 09:30-09:50)",
            "report_incidents": "none recorded, alerts not checked",
        },
    ),
    (
        "an alert fired while Prometheus was away at times",
        [fact(alerts={"looked": False, "fired": [alert(until=records.at(48))], "why_not": "a gap"})],
        {
            "errors": "1 alert, Service Down 09:31-09:33; the rest not measured (a gap)",
            "report_incidents": "1: Service Down 09:31-09:33",
        },
    ),
    # Tests
    ("a test was waived", [checks(**{"pass": 11, "waived": 1})], smoke("11 of 12 passed, 1 waived by Jane Doe")),
    ("a test failed", [checks(**{"pass": 11, "fail": 1})], smoke("11 of 12 passed, 1 failed")),
    ("nobody was asked", [checks(**{"pass": 10, "skip": 1})], smoke("10 of 11 passed, 1 not run")),
    ("tests hold", [checks(**{"pass": 8, "hold": 2})], smoke("8 of 10 passed, 2 not known")),
    ("no test is recorded", [phase("smoke_tests", "done", checks=[])], smoke("not known")),
    (
        "the tests were waived",
        [phase("smoke_tests", "waived", by="Jane Doe", reason="hotfix")],
        smoke("not run, waived by Jane Doe") | without_phase("smoke tests"),
    ),
    ("the tests' phase failed", [phase("smoke_tests", "running")], smoke("5 of 5 passed")),
    # The watch
    (
        "a hold was approved",
        [approved],
        watch("approved on hold (redis_hit_rate has no data) by Jane Doe: one scrape"),
    ),
    (
        "the watch was waived",
        [phase("monitoring", "waived", by="Jane Doe", reason="no Prometheus")],
        watch("not watched, waived by Jane Doe") | without_phase("monitoring"),
    ),
    ("the watch runs", [phase("monitoring", "running")], watch("not finished")),
    (
        "the watch failed",
        [phase("monitoring", "failed")],
        {**watch("failed"), "report_incidents": "1: Monitoring failed 11:05"},
    ),
    ("no metric was watched", [phase("monitoring", "done", verdict="proceed", metrics=[])], watch("not known")),
    (
        "a verdict that is none",
        [phase("monitoring", "done", verdict="hold", metrics=[{"name": "x"}])],
        watch("verdict hold"),
    ),
    ("a hold before the good watch", [held_before], {}),
    # Flags
    (
        "the ramp went on",
        [flags_seen("5")],
        {"status": "LIVE (5% rollout)", "rollout": "5% rollout active", "report_flags": "Active at 5%"},
    ),
    ("nobody looked at the flags", [lambda info: info.pop("flags")], off("not known")),
    (
        "flags without a percentage, beside another release's",
        [next_flags(FEATURE_LIMITS="true")],
        {"status": "LIVE", "rollout": "Feature active", "report_flags": "Active"},
    ),
    ("such flags are off", [next_flags(FEATURE_LIMITS="false")], off("off")),
    (
        "somebody switched one of them off since",
        [next_flags(FEATURE_LIMITS="true", FEATURE_AI_AGENTS="true"), flags_seen("1")],
        off("partly on, FEATURE_LIMITS off"),
    ),
    *(
        (f"seen {name}, whatever the record says", [fact(kill_switches=record, ramp={"percentage": 5}), seen], wanted)
        for name, record, seen, wanted in (
            ("on, after a reset that no record has", KILLED, flags_seen("1"), {"report_incidents": KILL_INCIDENT}),
            ("off, by a failed smoke test", {}, flags_seen("0", by="Ann", reason="complaints"), off(KILL_TOLD)),
            (
                "on again, though the switch is set",
                {},
                flags_seen("1", by="Ann", reason="complaints"),
                off("on, against the kill switch of Ann: complaints"),
            ),
            ("without its percentage", {}, flags_seen(""), off("not known")),
        )
    ),
    ("flags nobody knows", [phase("feature_flags", "done", flags={})], off("not known")),
    # Services and databases
    (
        "a failed try of the services",
        [failed_before],
        {"report_incidents": "1: Microservices failed 09:31"},
    ),
    (
        "a service is not healthy",
        [phase("microservices", "done", services={"a": {"result": "rolled_back"}, "b": {"result": "no_change"}})],
        {"report_services": "a not healthy"},
    ),
    (
        "a service nobody looked at",
        [phase("microservices", "done", services={"a": {}, "b": {"result": "succeeded"}})],
        {"report_services": "a not known"},
    ),
    (
        "migrations are pending",
        [phase("database", "done", migrations={"prisma": {"pending": ["a", "b"]}})],
        {"report_database": "2 migrations pending"},
    ),
    ("no migration is recorded", [phase("database", "done", backups={})], {"report_database": "Migrations not known"}),
    *((f"{name} was not run", [without(name)], NOT_RUN[name]) for name in NOT_RUN),
    # Rolled back after each phase
    (
        "rolled back after the flags",
        [rolled_back_after("preflight", "database", "edge_functions", "microservices", "feature_flags")],
        {**NOT_RUN["smoke_tests"], **NOT_RUN["monitoring"], **BACK},
    ),
    (
        "rolled back after the database",
        [rolled_back_after("preflight", "database")],
        {**NOT_RUN["feature_flags"], **NOT_RUN["smoke_tests"], **NOT_RUN["monitoring"], **NOT_RUN["microservices"],
         "status": "rolled back"},
    ),
]  # fmt: skip


def claims_in(info: Info, *context: t.Any, **more: t.Any) -> dict[str, Claim]:
    """As of what release_info returns."""
    record = Record.read(info["record"])
    return read_claims(
        record, info.get("availability") or {}, info.get("flags") or {}, *context, **more
    )


def info_of(changes: t.Sequence[t.Callable[[Info], None]]) -> Info:
    info = copy.deepcopy(green())
    for change in changes:
        change(info)
    return info


@pytest.mark.parametrize(
    ("change", "plan", "status"),
    [
        (lambda _info: None, ["database", "microservices"], ("deployed", True)),
        (lambda _info: None, ["database"], ("deployed", True)),
        (without("microservices"), ["microservices"], ("deployed, services not run", None)),
        (phase("microservices", "failed"), ["microservices"], ("deployed, services failed", False)),
        (
            lambda info: info["record"].update(status="rolled_back"),
            ["database"],
            ("rolled back", False),
        ),
    ],
)
def test_of_a_release_without_flags_nothing_is_said_of_flags(
    change: t.Callable[[Info], None], plan: list[str], status: tuple[str, bool | None]
) -> None:
    info = green()
    without("feature_flags")(info)
    change(info)
    claims = claims_in(info, plan=plan)
    assert (claims["status"].words, claims["status"].good) == status
    assert {claims[name].words for name in ("rollout", "report_flags")} == {"no feature flags"}


def test_of_a_release_with_flags_it_is_said_that_they_were_not_run() -> None:
    info = green()
    without("feature_flags")(info)
    assert (
        claims_in(info, plan=["microservices", "feature_flags"])["status"].words
        == "deployed, feature flags not run"
    )


@pytest.mark.parametrize(
    ("changes", "otherwise"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_every_claim_of_every_record(
    changes: t.Sequence[t.Callable[[Info], None]], otherwise: Info
) -> None:
    claims = claims_in(info_of(changes), EAT)
    for name in ROLLBACK:
        assert claims.pop(name).good is None
    assert {name: claim.words for name, claim in claims.items()} == {**GREEN, **otherwise}
    good = {name for name, claim in claims.items() if claim.good}
    warned = {"errors"} if "warning" in claims["errors"].words else set()
    raised = {"rollout", "report_flags"} if claims["rollout"].good else set()
    raised |= set() if "(waived)" in claims["status"].words else raised and {"status"}
    assert good == {*GREEN} - {*otherwise} | warned | raised


@pytest.fixture(scope="module")
def texts() -> Info:
    return texts_in("inventories/shared/messages.yml")


def spoken(texts: Info, info: Info) -> dict[str, str]:
    """What each channel says, as Ansible makes it of the inventory's texts."""
    claims = {name: claim.to_json() for name, claim in claims_in(info, EAT).items()}
    claims["cause"] = {"words": latest_cause(Record.read(info["record"])).sentence(EAT)}
    ramp = [
        {"day": 1, "percentage": 1},
        {"day": 2, "percentage": 5},
        {"day": 10, "percentage": 100},
    ]
    variables = {
        **texts,
        "sign_off_claims": claims,
        "release_ramp": ramp,
        "release_highlights": ["🤖 AI Agents (1 types)"],
        "sign_off_duration": "2 h",
        "release_title": "EasyMO v2.0",
        "release_codename": "Intelligent Mobility",
        **dict.fromkeys(
            ("environment_name", "release_notes_url", "release_war_room", "release_dashboard_url"),
            "x",
        ),
        "release_on_call_name": "Jane Doe",
        "sign_off_maintenance": "in_progress",
        "sign_off_rolled_back": "was rolled back",
    }
    templar = Templar(DataLoader(), variables=variables)
    return {
        "slack": templar.template(texts["message_success"]),
        "mail": templar.template(texts["message_mail_text"]),
        "html": templar.template(texts["message_mail_html"]),
        "status page": templar.template(texts["message_status_page"])["body"],
        **{
            name: templar.template(texts[f"message_status_page_{name}"])["body"]
            for name in ("stopped", "resumed", "rolled_back", "partly_rolled_back")
        },
        "rollback": templar.template(texts["message_rolled_back"]),
        "report": as_text(
            build_report(
                info["record"],
                ReportOptions(
                    plan=Plan.read(records.PLAN),
                    zone=EAT,
                    availability=info["availability"],
                    flags=info.get("flags") or {},
                ),
            )
        ),
    }


@pytest.mark.parametrize("changes", [case[1] for case in CASES], ids=[case[0] for case in CASES])
def test_every_channel_says_what_may_be_claimed_and_nothing_else(
    texts: Info, changes: t.Sequence[t.Callable[[Info], None]]
) -> None:
    info = info_of(changes)
    claims = claims_in(info, EAT)
    said = spoken(texts, info)
    for line in (
        f"Status: {claims['status'].words}",
        f"Downtime: {claims['downtime'].words}",
        f"Errors: {claims['errors'].words}",
    ):
        assert line in said["slack"]
    for name in ("tests", "monitoring"):
        assert (claims[name].words in said["slack"]) is (not claims[name].good)
    for name in ("interruption", "tests", "rollout", "monitoring"):
        assert f"{claims[name].mark} {claims[name].words}" in said["mail"]
        assert claims[name].mark in said["html"]
    # Of what users do not have, nothing is promised.
    assert ("Increase rollout to 5% on Day 2" in said["slack"]) is bool(claims["status"].good)
    for words in ("Key Features Live", "Gradual Rollout Schedule"):
        assert [words in said[one] for one in ("mail", "html")] == [bool(claims["status"].good)] * 2
    assert said["status page"] == f"The upgrade is complete. {claims['service'].words}"
    assert said["stopped"] == f"The upgrade has stopped before its end. {claims['service'].words}"
    assert said["resumed"] == f"The upgrade goes on. {claims['service'].words}"
    assert (
        said["partly_rolled_back"] == f"We took a part of the upgrade back. {claims['users'].words}"
    )
    marks = {True: "✅", False: "⚠️", None: "❔"}
    for label, name, _phase in REPORT_LINES:
        assert f"- {label}: {marks[claims[name].good]} {claims[name].words}" in said["report"]
    assert (
        f"- Downtime: {marks[claims['downtime'].good]} {claims['downtime'].words}" in said["report"]
    )
    # What was not seen to be so is nowhere said to be so.
    for claim, words in GREEN.items():
        if claims[claim].words != words and claim not in ("report_incidents", "downtime"):
            channels = [
                one
                for one, text in said.items()
                if re.search(rf"(^|\W){re.escape(words)}\s*$", text, re.M)
            ]
            assert channels == []


def test_where_all_is_well_the_runbooks_words_stand(texts: Info) -> None:
    said = spoken(texts, green())
    assert (
        "Status: LIVE (1% rollout)\nDuration: 2 h\nDowntime: 0 minutes\nErrors: 0 critical\n"
        in said["slack"]
    )
    assert (
        "Deployment Summary:\n✅ Zero downtime\n✅ All tests passing\n✅ 1% rollout active\n✅ Monitoring stable\n"
    ) in said["mail"]


def test_while_a_release_goes_on_nothing_is_claimed_of_the_time_since_the_last_probe() -> None:
    info = green()
    info["availability"]["release"] = measured().to_json()
    last = records.BEGIN + timedelta(seconds=ENDS)
    told = [
        claims_in(info, at=last + timedelta(seconds=seconds))["service"].words
        for seconds in (5, 300)
    ]
    assert told == ["Service was not interrupted.", ""]


@pytest.mark.parametrize(
    ("state", "problem", "status", "words"),
    [
        ("set", {}, "monitoring", "We have switched a feature off for everybody."),
        ("set", {"reason": "NotReached"}, "identified", "Some may still have it."),
        ("reset", {}, "resolved", "The feature stays off until a later upgrade."),
    ],
)
def test_the_status_page_says_of_the_kill_switch_what_the_pods_showed(
    texts: Info, state: str, problem: Info, status: str, words: str
) -> None:
    wiring = texts_in("playbooks/group_vars/all/wiring.yml")
    variables = {
        "release_title": "EasyMO v2.0",
        "kill_switch_state": state,
        "kill_switch_result": problem,
        "switch_incident": wiring["switch_incident"],
    }
    templar = Templar(DataLoader(), variables=variables)
    for told in (
        texts["message_status_page_kill_switch"],
        wiring["default_message_status_page_kill_switch"],
    ):
        assert templar.template(told)["status"] == status
    assert templar.template(texts["message_status_page_kill_switch"])["body"].endswith(words)


def cause(**record: t.Any) -> str:
    return latest_cause(Record.read(record)).sentence(EAT)


def test_the_cause_of_a_rollback_is_the_latest_with_who_and_when() -> None:
    failed = records.phase(
        "failed", 40, 46, failures=records.failed_by("wallet", "roll", "no image")
    )
    mended = {**records.phase("done", 50, 60), "earlier_failures": [failed]}
    kills = {records.at(62): {"what": "set", "by": "Ann", "reason": "errors at 12 percent"}}
    reject = {"a": {"decision": "reject", "by": "Joe", "reason": "no", "at": records.at(65)}}
    breach = {
        "history": [{"what": "breached", "at": records.at(70), "reason": "fallbacks at 40 %"}]
    }
    asked = {"by": "Jane", "reason": "a wrong price", "at": records.at(75)}
    assert cause(phases={"microservices": mended}) == "no reason was given"
    assert cause(phases={"microservices": failed}) == "wallet: no image (09:31 EAT)"
    facts: Info = {"kill_switches": kills}
    assert (
        cause(facts=facts, phases={"m": mended})
        == "kill switch: errors at 12 percent (Ann, 09:47 EAT)"
    )
    assert cause(facts={**facts, "decisions": reject}) == "rejected: no (Joe, 09:50 EAT)"
    facts |= {"decisions": reject, "ramp": breach}
    assert cause(facts=facts) == "the ramp's metrics were in breach: fallbacks at 40 % (09:55 EAT)"
    assert cause(facts={**facts, "rollback_asked": asked}) == "a wrong price (Jane, 10:00 EAT)"


def test_incidents_stand_in_the_order_of_time_with_the_acts_of_the_guard_and_the_ramp() -> None:
    failed = records.phase("failed", 40, 46, failures=records.failed_by("wallet", "roll", "no"))
    lowered = {"from": 10, "to": 1}
    facts: Info = {
        "ramp": {"history": [{"what": "breached", "at": records.at(30), **lowered}]},
        "guard": {"acts": [{"what": "lowered", "at": records.at(24 * 60), "from": 1, "to": 0}]},
    }
    record = Record.read({"facts": facts, "phases": {"microservices": failed}})
    same_day = replace(record, facts=replace(record.facts, guard_acts=()))
    words = incidents_of(same_day, EAT).words
    assert words == "2: ramp 10 % to 1 % 09:15, Microservices failed 09:31"
    assert incidents_of(record, EAT).words == (
        "3: 2026-11-24 ramp 10 % to 1 % 09:15, 2026-11-24 Microservices failed 09:31, "
        "2026-11-25 guard 1 % to 0 % 08:45"
    )


def test_a_good_watch_says_which_harm_it_could_have_seen():
    seen = {
        "verdict": "proceed",
        "metrics": [{"name": "x"}],
        "sensitivity": "x could have seen 2 times.",
    }
    claim = claims_in(info_of([phase("monitoring", "done", **seen)]), EAT)["report_metrics"]
    assert (claim.words, claim.good) == ("Within targets; x could have seen 2 times", True)
