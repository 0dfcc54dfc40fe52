"""What people read in Slack of a release, from its start to its end, whoever runs which part of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.easymo.deploy.plugins.module_utils._messages import headline
from ansible_collections.easymo.deploy.plugins.module_utils._messages.headline import (
    Release,
    ReleaseStatus,
)
from ansible_collections.easymo.deploy.plugins.module_utils._messages.slack import WORD_JOINER
from ansible_collections.easymo.deploy.plugins.module_utils._release.record import (
    Record,
    RecordedMetric,
)
from ansible_collections.easymo.deploy.plugins.module_utils._story.plan import Plan, Planned
from ansible_collections.easymo.deploy.plugins.module_utils._terminal.models import (
    PlayBegun,
    RunFailure,
)
from ansible_collections.easymo.deploy.plugins.module_utils._time import epoch
from tests.examples import examples

START = epoch("2026-11-24T06:00:00Z")
PLAN = Plan(
    (
        Planned("preflight", "Pre-Deploy", 15),
        Planned("microservices", "Microservices", 20),
        Planned("monitoring", "Monitoring", 60),
    )
)
RELEASE = Release(
    title="EasyMO v2.0",
    playbook="deploy_v2.yml",
    environment="production",
    on_call="U0ONCALL01",
    on_call_name="Amina",
    plan=PLAN,
)
PREFLIGHT = PlayBegun("Phase 1: preflight", "preflight", ("localhost",))
TWELVE = ("agent-core", "wallet-service", *(f"service-{number}" for number in range(10)))
SERVICES = PlayBegun("Phase 4: microservices", "microservices", TWELVE)
MONITORING = PlayBegun("Phase 7: monitoring", "monitoring", ("localhost",))


def record(status="running", attempt=1, **phases):
    return {
        "attempt": attempt,
        "status": status,
        "started": "2026-11-24T06:00:00Z",
        "finished": "2026-11-24T07:00:00Z" if status == "done" else "",
        "phases": phases,
    }


def phase(status, started="06:00:00", finished="", **evidence):
    return {
        "status": status,
        "started": f"2026-11-24T{started}Z",
        "finished": f"2026-11-24T{finished}Z" if finished else "",
        "evidence": evidence,
    }


def board_of(release=RELEASE, seen=None):
    release = ReleaseStatus(release, START)
    release.touched = True
    if seen:
        release.record_seen(Record.read(seen))
    return release


def begin(release, play, at=0.0):
    release.begin(play, START + at)


def read(release, at):
    return headline.render(release, START + at).replace(WORD_JOINER, "")


def test_a_release_that_runs_shows_what_is_done_what_runs_and_what_is_to_come():
    release = board_of(seen=record(preflight=phase("done", finished="06:03:10")))
    begin(release, SERVICES, 190)
    release.stages[-1].rolled.add("agent-core")
    assert read(release, 320).split("\n") == [
        "🚀 *EasyMO v2.0* is being deployed · production",
        "attempt 1 · `5:20` of 1 h 35 min · on call: Amina",
        "✅ Pre-Deploy · 3 min 10 s of 15 min planned",
        "⏳ *Microservices* · 2 min 10 s of 20 min planned",
        "▫️ Monitoring · 1 h planned",
        "*Services* 1 of 12",
        "✅ agent-core",
    ]


def test_what_takes_longer_than_planned_is_marked_while_it_runs_and_afterwards():
    release = board_of(seen=record(preflight=phase("done", finished="06:20:00")))
    begin(release, SERVICES, 1020)
    shown = read(release, 1020 + 30 * 60)
    assert "✅ Pre-Deploy · 20 min of 15 min planned, 33 % late" in shown
    assert "⏳ *Microservices* · 30 min of 20 min planned, 50 % late" in shown


def test_a_release_that_went_well_is_live():
    every = {one.name: phase("done", finished="06:10:00") for one in PLAN}
    release = board_of(seen=record("done", **every))
    begin(release, MONITORING)
    release.close(START + 4000, "done")
    shown = read(release, 9999)
    assert shown.startswith(
        "✅ *EasyMO v2.0* is deployed · production\nattempt 1 · `1:00:00` of 1 h 35 min"
    )
    assert "✅ Microservices · 10 min of 20 min planned" in shown
    assert headline.alarm(release) == ""


def test_a_rerun_by_tag_shows_the_other_phases_as_the_record_has_them():
    release = board_of(
        seen=record(
            preflight=phase("done", finished="06:03:10"),
            microservices=phase(
                "failed", "06:04:00", "06:06:00", failures={"a": {"message": "no"}}
            ),
        )
    )
    begin(release, MONITORING, 600)
    release.close(START + 660, "done")
    shown = read(release, 700)
    assert shown.startswith("☑️ *EasyMO v2.0* run finished: 1 of 3 phases are done")
    assert "❌ Microservices · 2 min of 20 min planned · failed" in shown
    assert "❔ Monitoring · not finished" in shown


@pytest.mark.parametrize(
    "failure",
    [{"reason": "Hold", "message": "no answer"}, {"message": "Hold: no answer"}],
    ids=["by its reason", "in a record from before reasons were kept"],
)
def test_a_phase_that_was_on_hold_stays_so_until_it_is_run_again(failure):
    held = phase("failed", finished="06:30:00", failures={"a": failure})
    release = board_of(seen=record(monitoring=held))
    assert "⏸️ Monitoring · 30 min of 1 h planned · on hold" in read(release, 1900)
    begin(release, MONITORING, 1900)
    assert "⏳ *Monitoring* · 10 s of 1 h planned" in read(release, 1910)


def test_a_hold_calls_the_engineer_and_quotes_the_cause_with_what_to_do():
    release = board_of()
    begin(release, MONITORING)
    cause = "fallback_rate has no data."
    said = f"Phase monitoring failed on localhost: {cause} Resume with --tags monitoring."
    watched = RunFailure("localhost", cause, reason="Hold")
    assert release.failed(watched) is True
    assert release.failed(RunFailure("localhost", said)) is False
    release.close(START + 60, "failed")
    assert read(release, 60).startswith("⏸️ *EasyMO v2.0* is on hold in Monitoring")
    assert "⏸️ Monitoring · 1 min of 1 h planned · on hold" in read(release, 60)
    assert f"```{said}```" in read(release, 60)
    assert headline.alarm(release) == (
        f"⏸️ <@U0ONCALL01> *EasyMO v2.0* is on hold in Monitoring · production\n```{said}```"
    )


@pytest.mark.parametrize("reason", ["Hold", "NotReadyToRelease"])
def test_a_release_that_is_not_ready_calls_nobody_for_nothing_was_touched(reason):
    release = board_of()
    begin(release, PREFLIGHT)
    release.failed(RunFailure("localhost", "qa has not signed", reason=reason))
    release.close(START + 60, "failed")
    assert "qa has not signed" in headline.alarm(release)
    assert "U0ONCALL01" not in headline.alarm(release)


def test_a_failure_quotes_all_causes_and_nothing_in_it_has_an_effect():
    release = board_of()
    begin(release, SERVICES)
    first = RunFailure("wallet-service", "<!channel> ```no``` image")
    release.failed(first)
    release.failed(RunFailure("vendor-service", "another"))
    release.close(START + 20, "failed")
    assert headline.detail(first) == ("❌ ```wallet-service: &lt;!channel&gt; '''no''' image```")
    alarm = headline.alarm(release)
    assert alarm.startswith("🛑 <@U0ONCALL01> *EasyMO v2.0* stopped in Microservices")
    assert "image" in alarm
    assert alarm.endswith("\nvendor-service: another")
    assert "```wallet-service: &lt;!channel&gt;" in read(release, 20)


def test_the_host_of_the_task_that_stops_the_phase_did_not_fail():
    """It ends on the leading service, which is rolled and well."""
    release = board_of()
    begin(release, SERVICES)
    release.failed(RunFailure("wallet-service", "The image is not found."))
    stop = "Phase microservices failed on wallet-service: The image is not found."
    release.failed(RunFailure("agent-core", stop), stops=True)
    release.close(START + 20, "failed")
    assert "❌ wallet-service" in read(release, 20)


def test_who_has_only_a_name_is_named_and_the_message_says_that_nobody_was_notified():
    release = board_of(Release("R", "deploy_v2.yml", on_call="@amina"))
    release.close(START + 5, "failed")
    assert (
        headline.alarm(release)
        .replace(WORD_JOINER, "")
        .startswith("🛑 @amina (only a name: not notified) *R* stopped")
    )


def test_a_run_that_is_interrupted_calls_nobody():
    """Who typed Ctrl-C knows it."""
    release = board_of()
    begin(release, SERVICES)
    release.close(START + 5, "interrupted")
    alarm = headline.alarm(release)
    assert ("was interrupted" in alarm, "U0ONCALL01" in alarm) == (True, False)


def test_an_interrupted_run_is_no_finished_phase():
    release = board_of(seen=record(monitoring=phase("running")))
    begin(release, MONITORING)
    release.close(START + 20, "interrupted")
    assert "❔ Monitoring · not finished" in read(release, 30)


@pytest.mark.parametrize(("reading", "shown"), [
    (RecordedMetric("error_rate", "ratio", status="good", newest=0.004), "🟢 error rate 0.4 %"),
    (RecordedMetric("p95", "seconds", status="between", newest=1.234), "🟡 p95 1.23 s"),
    (RecordedMetric("kafka_lag", "messages", status="breach", newest=1200), "🔴 kafka lag 1,200 messages"),
    (RecordedMetric("kafka_lag", "messages", status="missing", newest=None), "⚪ kafka lag no data"),
    (RecordedMetric("p95", "seconds", status="good", newest=0.0122), "🟢 p95 12.2 ms"),
    (RecordedMetric("x", newest=1.0), "x 1"),
])  # fmt: skip
def test_metrics_have_a_mark_and_a_unit_and_are_of_their_attempt(reading, shown):
    release = board_of(seen=record())
    begin(release, MONITORING)
    release.measured([reading])
    for attempt in (1, 2):
        release.record_seen(Record.read(record(attempt=attempt)))
        assert (f"{shown}\n" in read(release, 5) + "\n") is (attempt == 1)


def test_metrics_of_an_earlier_run_are_judged_by_their_bounds():
    metrics = [
        {"name": "error_rate", "unit": "ratio", "last": 0.2, "rollback": {"above": 0.05}},
        {"name": "p95", "unit": "seconds", "last": 1.5, "pass": {"max": 1}},
        {"name": "gone", "last": None},
    ]
    release = board_of(seen=record(monitoring=phase("done", finished="06:59:00", metrics=metrics)))
    assert "🔴 error rate 20 % · ⚪ gone no data · 🟡 p95 1.5 s" in read(release, 9)


@pytest.mark.parametrize(("playbook", "outcome", "status", "words"), [
    ("rollback.yml", None, "running", "↩️ *EasyMO v2.0* · Rollback is running"),
    ("ramp.yml", None, "done", "📈 *EasyMO v2.0* · Ramp is running"),
    ("kill_switch.yml", True, "done", "🛑 *EasyMO v2.0* · Kill switch: run finished"),
    ("own.yml", True, "done", "⚙️ *EasyMO v2.0* · own.yml: run finished"),
])  # fmt: skip
def test_another_run_appears_as_what_it_is_and_the_phases_stay(playbook, outcome, status, words):
    done = phase("done", finished="06:03:10")
    back = phase("rolled_back", finished="06:30:00")
    seen = record(status, preflight=done, microservices=back)
    release = board_of(Release("EasyMO v2.0", playbook, plan=PLAN), seen)
    begin(release, PlayBegun("Way back 1: flags off", "", ("localhost",)))
    if outcome is not None:
        release.close(START + 12, "done" if outcome else "failed")
    shown = read(release, 12)
    assert shown.startswith(words)
    assert "✅ Pre-Deploy · 3 min 10 s of 15 min planned" in shown
    assert "↩️ Microservices · in place for 30 min, 20 min planned · rolled back" in shown
    assert "Way back 1: flags off" in shown.rpartition("\n")[2]


def test_the_batches_of_a_phase_are_one():
    release = board_of()
    for host in ("agent-core", "wallet-service"):
        begin(release, SERVICES)
        release.stages[-1].rolled.add(host)
    begin(release, PlayBegun("Phase 4: all together", "microservices", ("agent-core",)))
    assert [stage.phase for stage in release.stages] == ["microservices"]
    assert "*Services* 2 of 12" in read(release, 1)


def test_the_message_never_outgrows_what_slack_takes():
    release = board_of(Release("R" * 200, "rollback.yml", plan=PLAN))
    for number in range(200):
        begin(release, PlayBegun(f"Play {number} with a long name " * 3, "", ("localhost",)))
    shown = headline.render(release, START)
    assert len(shown) < 4_000
    assert "Play 199" in shown
    assert "Monitoring" in shown
    begin(release, MONITORING)
    cause = RunFailure("localhost", "`<!channel> & " * 20_000)
    release.failed(cause)
    release.close(START + 20, "failed")
    assert len(headline.render(release, START)) < 4_000
    assert max(len(headline.detail(cause)), len(headline.alarm(release))) < 12_000


@pytest.mark.parametrize(
    "odd",
    [
        None,
        "x",
        {},
        {"attempt": "1"},
        {"attempt": 1, "phases": []},
        {"attempt": 1, "phases": {"a": None, "b": {"started": "soon"}, "c": {"started": 5}}},
        record(monitoring=phase("done", metrics={"a": 1}, failures=[1], services=[])),
        record(monitoring=phase("done", metrics=[1, {"name": 2, "last": "x"}])),
    ],
)
def test_an_odd_record_breaks_nothing(odd):
    release = board_of()
    attempt = Record.read(odd)
    if attempt.attempt:
        release.record_seen(attempt)
    assert "Monitoring" in read(release, 1)


def test_two_hundred_services_and_the_links_fit():
    links = (("Live page", "https://page.easymo.com:8443/2.0.0/"), ("Long", "https://" + "x" * 400))
    release = board_of(Release("R", "deploy_v2.yml", plan=PLAN, links=links))
    begin(release, SERVICES)
    names = [f"service-{number}-with-quite-a-long-name" for number in range(200)]
    release.stages[-1].hosts, release.stages[-1].rolled = {*names}, {*names[:150]}
    shown = read(release, 5)
    assert "*Services* 150 of 200" in shown
    assert "and 138 more" in shown
    assert shown.endswith("\nLive page: https://page.easymo.com:8443/2.0.0/")


def test_of_many_metrics_the_worst_come_first_and_a_later_look_at_some_leaves_the_others():
    release = board_of()
    begin(release, MONITORING)
    release.measured(
        [
            *(RecordedMetric(f"m{number}", "", status="good", newest=1.0) for number in range(20)),
            RecordedMetric("bad", "", status="breach", newest=9.0),
        ]
    )
    (shown,) = [line for line in read(release, 5).split("\n") if "🔴" in line]
    assert shown.startswith("🔴 bad 9 · 🟢 m0 1 · ")
    assert shown.endswith("and 12 more")
    release.measured([RecordedMetric("bad", "", status="good", newest=1.0)])
    assert len(release.readings) == 21
    assert "🔴" not in read(release, 5)


ANYTHING = st.text(max_size=400) | st.sampled_from(
    ["&" * 4_000, "<!channel>" * 900, "\x1b[31m" * 300, "🚗" * 3_000, "x" * 9_000, "`" * 2_000, ""]
)


@examples(60)
@given(
    title=ANYTHING,
    host=ANYTHING,
    sentence=ANYTHING,
    names=st.lists(ANYTHING, max_size=12),
    plays=st.integers(0, 150),
    links=st.lists(st.tuples(ANYTHING, ANYTHING), max_size=30),
)
def test_slack_would_take_it_whatever_is_in_it(title, host, sentence, names, plays, links):
    plan = Plan(Planned(f"phase_{number}", name, 5.0) for number, name in enumerate(names))
    addresses = tuple((text, f"https://x.example/{url}") for text, url in links)
    release = board_of(Release(title, "rollback.yml", title, plan=plan, links=addresses))
    begin(release, SERVICES)
    release.stages[-1].hosts |= {*names}
    release.stages[-1].rolled |= {*names[::2]}
    release.failed(RunFailure(host, sentence))
    release.measured([RecordedMetric(name, sentence, status="good", newest=1.0) for name in names])
    for number in range(plays):
        begin(release, PlayBegun(f"{title} {number}", "", ("localhost",)))
    release.close(START + 20, "failed")
    text = headline.render(release, START + 20)
    assert "<!channel>" not in text
    assert 0 < len(text) < 4_000
