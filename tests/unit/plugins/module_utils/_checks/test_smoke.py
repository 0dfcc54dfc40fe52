"""All tests run to their end, and what they found together is one verdict in the runbook's words."""

import threading
import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._checks import webhook
from ansible_collections.easymo.deploy.plugins.module_utils._checks.health import REDIS
from ansible_collections.easymo.deploy.plugins.module_utils._checks.models import (
    Check,
    Finding,
    Kind,
    Kinds,
    Look,
    libraries,
)
from ansible_collections.easymo.deploy.plugins.module_utils._checks.smoke import (
    conclude,
    line,
    run_tests,
    to_result,
)
from ansible_collections.easymo.deploy.plugins.module_utils._checks.task import (
    SMOKE_TESTS,
    read_tests,
)
from ansible_collections.easymo.deploy.plugins.module_utils._checks.webhook import (
    ProbeResult,
)
from ansible_collections.easymo.deploy.plugins.module_utils._errors import (
    HoldError,
    InputError,
    UnreachableError,
    VerificationError,
)
from tests.tables import cases


def kinds_of(runners: t.Mapping[str, Look]) -> Kinds:
    return {name: Kind(look) for name, look in runners.items()}


def results_of(**runners: Look) -> list[Finding]:
    tests = [Check(name, name, {}, note="1% traffic") for name in runners]
    return run_tests(tests, kinds_of(runners), report=lambda _row: None)


def finding(status: t.Any, detail: str = "seen") -> Look:
    return lambda _options: Finding(status, detail)


def raising(error: Exception) -> Look:
    def run(_options: t.Any) -> Finding:
        raise error

    return run


def test_a_test_that_fails_does_not_keep_the_others_from_ending():
    found = results_of(
        bad=raising(VerificationError("The wallet is gone.", facts={"order_id": "7"})),
        unreachable=raising(UnreachableError("Nobody answers.")),
        good=finding("pass"),
    )
    assert [(one.name, one.status) for one in found] == [
        ("bad", "fail"),
        ("unreachable", "fail"),
        ("good", "pass"),
    ]
    assert to_result(found[0])["facts"] == {"order_id": "7"}


def test_a_question_that_is_wrong_in_itself_says_nothing_about_the_platform():
    (found,) = results_of(typo=raising(InputError("There is no such table.")))
    assert (found.status, found.detail) == (
        "hold",
        "its options are wrong: There is no such table.",
    )


def test_the_tests_run_side_by_side_and_each_is_told_as_it_ends():
    meeting = threading.Barrier(3, timeout=10)

    def meets(_options: t.Any) -> Finding:
        meeting.wait()
        return Finding("pass", "met the others")

    told: list[str] = []
    runners = dict.fromkeys(("a", "b", "c"), meets)
    tests = [Check(name, name, {}) for name in runners]
    found = run_tests(tests, kinds_of(runners), report=lambda row: told.append(row.name))
    assert [one.name for one in found] == ["a", "b", "c"]
    assert sorted(told) == ["a", "b", "c"]


def row(name: str, status: str, detail: str = "seen") -> dict[str, t.Any]:
    return {"name": name, "status": status, "detail": detail, "seconds": 0.314}


@cases(
    ("statuses", "verdict"),
    {
        "all well": (["pass", "pass"], "proceed"),
        "left out on purpose": (["pass", "skip", "planned"], "proceed"),
        "nobody can tell": (["pass", "hold"], "hold"),
        "one failed": (["hold", "fail", "pass"], "rollback"),
    },
)
def test_the_worst_result_is_the_verdict(statuses, verdict):
    assert conclude([row(one, one) for one in statuses], [])["verdict"] == verdict


def test_a_failure_names_every_test_that_failed_and_every_one_that_holds():
    rows = [row("A", "fail", "no answer"), row("B", "pass"), row("C", "hold", "Who knows?")]
    with pytest.raises(VerificationError) as failed:
        conclude(rows, ["hold", "rollback"])
    assert str(failed.value) == (
        "1 of 3 smoke tests failed. A: no answer. 1 of 3 smoke tests are unclear. C: Who knows?"
    )
    assert failed.value.details["results"] == rows
    with pytest.raises(HoldError):
        conclude(rows[1:], ["hold"])


@pytest.mark.parametrize(("result", "worded"), [
    ({"name": "Agent routing", "detail": "1% traffic"}, "✅ Agent routing: PASS (1% traffic)"),
    (row("Payment", "fail", "no order"), "❌ Payment: FAIL (no order; 0.31 s)"),
    (row("Metrics", "hold", "no data"), "⏸️ Metrics: HOLD (no data; 0.31 s)"),
    ({"name": "People", "status": "skip"}, "⏭️ People: SKIPPED"),
], ids=["as the runbook words it", "failed", "held", "left out"])  # fmt: skip
def test_a_line_says_what_came_of_a_test(result, worded):
    assert line(result) == worded


@pytest.mark.parametrize(
    ("unseen", "status"),
    [([True, True], "hold"), ([True, False], "fail")],
    ids=["only the log is late", "and something else is wrong"],
)
def test_a_log_that_is_late_alone_switches_nothing_off(monkeypatch, unseen, status):
    outcomes = [ProbeResult("m", False, 200, "not seen", "id", unseen=one) for one in unseen]
    monkeypatch.setattr(webhook, "check_webhook", lambda *_args, **_more: outcomes)
    assert webhook.play_webhook({}).status == status


def entry(name: str, kind: str = "payment", **options: t.Any) -> dict[str, t.Any]:
    return {"name": name, "kind": kind, "scenario": "", "note": "", kind: options}


@cases(
    ("entries", "said"),
    {
        "two of one name": ([entry("A", amount=1), entry("A", amount=1)], "share a name"),
        "nothing to pay": ([entry("A", amount=0)], "amount of 'A' is 0"),
    },
)
def test_bad_tests_are_refused_before_any_runs(entries, said):
    with pytest.raises(InputError, match=said):
        read_tests(entries)


def test_a_component_that_is_asked_wrongly_holds_its_own_test():
    component = {"name": "redis", "kind": "redis", "timeout": 0.0, "redis": {"host": "localhost"}}
    tests = read_tests([entry("Health", "health", checks=[component], wait_timeout=0)])
    assert libraries(tests, SMOKE_TESTS) == [REDIS]
    (row,) = run_tests(tests, SMOKE_TESTS, report=lambda _row: None)
    assert (row.status, "its options are wrong" in row.detail) == ("hold", True), row
