"""What a result says in the terminal, module by module; and what none may say, for the result does not prove it."""

import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._terminal.facts import facts_of
from ansible_collections.easymo.deploy.plugins.module_utils._terminal.facts.messages import (
    still_told,
)
from ansible_collections.easymo.deploy.plugins.module_utils._terminal.models import Group, Item

ROW = {"name": "pods", "status": "pass", "detail": "38 pods ready"}
BAD = {"name": "redis", "status": "fail", "detail": "refused"}
OPAQUE = {"name": "token", "status": "skipped", "detail": "it is opaque"}
SERVICE = {
    "changed": True,
    "result": "succeeded",
    "before": {"image": "r/easymo/wallet:v1.9.0"},
    "after": {"image": "r/easymo/wallet:v2.0.0@sha256:0"},
    "replicas": {"desired": 3, "available": 3},
}
AT_ITS_PIN = {
    "before": {"image": "r/easymo/wallet:v2.0.0"},
    "after": {"image": "host:5000/easymo/wallet:v1.9.0"},
}
"""Of a service that ran the release already, and went back from a try to roll it again."""
SWITCHED = {
    "changed": True,
    "kill_switch": {"automatic": True, "flags": {"A": "false", "P": "0"}},
    "sentence": "ann@x set it, because: a cause that the run's end tells.",
}
FLAGS = {"before": {"A": "false", "P": "0", "S": "x"}, "after": {"A": "true", "P": "1", "S": "x"}}


def told(
    module: str,
    *results: dict[str, t.Any],
    would: bool = False,
    failed: bool = False,
    wave: int = 0,
) -> list[str]:
    """Label and text of each fact."""
    items = tuple(Item(f"host{n}", one, failed) for n, one in enumerate(results, start=1))
    group = Group("role : The task", items, would, wave)
    facts = facts_of(f"easymo.deploy.{module}", group)
    return [f"{one.tone or 'plain'} {one.label}: {one.text}" for one in facts]


@pytest.mark.parametrize(
    ("module", "result", "facts"),
    [
        pytest.param(
            "preflight_check",
            {"results": [ROW, ROW, OPAQUE], "commit": "627a52a49fb5"},
            ["good checks: 2 passed · commit 627a52a", "calm checks: 1 skipped: it is opaque"],
            id="checks",
        ),
        pytest.param(
            "preflight_check", {"results": [ROW]}, [], id="the one check that opens a phase"
        ),
        pytest.param(
            "preflight_check",
            {"results": [ROW, BAD]},
            ["plain checks: 1 of 2 passed", "bad check: redis: refused"],
            id="a check that failed",
        ),
        pytest.param(
            "preflight_check",
            {
                "results": [ROW, BAD],
                "sentence": "1 of 2 checks stand against it: (1) redis: refused",
            },
            ["plain checks: 1 of 2 passed", "bad check: redis"],
            id="a check whose failure is the cause",
        ),
        pytest.param(
            "smoke_tests",
            {"results": [ROW, BAD], "sentence": "x" * 500},
            ["plain tests: 1 of 2 passed", "bad test: redis: refused"],
            id="a test whose failure is more than a cause has room for",
        ),
        pytest.param(
            "health_check", {"results": [ROW]}, ["good checked: pods: 38 pods ready"], id="health"
        ),
        pytest.param(
            "health_check",
            {"results": [ROW, ROW, ROW, BAD]},
            ["plain checked: 3 of 4 passed", "bad check: redis: refused"],
            id="one of many is ill",
        ),
        pytest.param(
            "webhook_check",
            {"probes": [{"name": "challenge", "outcome": "fail", "evidence": "it answered 500"}]},
            ["bad webhook: challenge: it answered 500"],
            id="webhook",
        ),
        pytest.param(
            "pg_backup",
            {"changed": True, "backup": {"name": "supabase", "size": 3_000_000}},
            ["good backups: supabase 3.0 MB, read back"],
            id="backup",
        ),
        pytest.param(
            "pg_backup",
            {"changed": False, "backup": {"name": "supabase", "size": 3_000_000}},
            ["good backups: supabase 3.0 MB, read back, taken before"],
            id="a backup of before",
        ),
        pytest.param("pg_backup", {"changed": False}, [], id="no backup"),
        pytest.param(
            "supabase_migrations",
            {"applied": [{}, {}], "pending": []},
            ["good applied: host1 2 migrations"],
            id="migrations",
        ),
        pytest.param(
            "prisma_migrations",
            {"applied": []},
            ["good applied: host1: nothing is pending"],
            id="none",
        ),
        pytest.param(
            "pg_restore", {"method": "scratch", "backup": {"name": "x"}}, [], id="scratch"
        ),
        pytest.param(
            "pg_restore",
            {"method": "in_place", "backup": {"name": "supabase", "finished": "2026-11-24"}},
            ["good restored: supabase from 2026-11-24"],
            id="restore",
        ),
        pytest.param(
            "edge_functions",
            {"changes": [{"slug": "a"}, {"slug": "b"}], "activated": True},
            ["good functions: 2 functions activated together"],
            id="functions",
        ),
        pytest.param(
            "edge_functions",
            {"changes": []},
            ["good functions: nothing to change"],
            id="no function",
        ),
        pytest.param(
            "wave_result", SERVICE, ["good services: host1  3/3 v1.9.0→v2.0.0"], id="a service"
        ),
        pytest.param(
            "wave_result",
            {**SERVICE, "changed": False, "result": "no_change"},
            ["good services: host1  3/3 unchanged"],
            id="a service that stayed",
        ),
        pytest.param(
            "feature_flags",
            FLAGS,
            ["good flags: A false→true · P 0→1"],
            id="flags",
        ),
        pytest.param(
            "pod_flags",
            {"pods": [{"problems": []}, {"problems": ["A is not there"]}]},
            ["good read: flags in 1 of 2 pods of host1"],
            id="flags in pods",
        ),
        pytest.param(
            "availability",
            {"availability": {"probes": 9, "failures": 1, "targets": 2, "verdict": "complete"}},
            ["warn measured: 1 of 9 requests to 2 public addresses failed"],
            id="measured",
        ),
        pytest.param(
            "availability",
            {"availability": {"probes": 0, "failures": 0, "verdict": "not_measured"}},
            [],
            id="nothing was asked, which is no success",
        ),
        pytest.param(
            "metrics_gate",
            {"verdict": "hold", "sentence": "x has no data.", "reasons": [{}]},
            ["warn watch: hold, for 1 reason"],
            id="a hold",
        ),
        pytest.param(
            "announce",
            {
                "changed": True,
                "delivered": [{"channel": "slack", "target": "#x"}],
                "undelivered": [{"channel": "email", "target": "a@b.c", "reason": "refused"}],
            },
            ["good told: Slack #x", "warn not told: mail to a@b.c: refused"],
            id="messages",
        ),
        pytest.param(
            "deploy_lock",
            {"lock": {"held": True, "manual": True, "holder": "ann@x", "reason": "move"}},
            ["good lock: held by ann@x: move"],
            id="a lock by hand",
        ),
        pytest.param("deploy_lock", {"lock": {"held": True, "holder": "ann@x"}}, [], id="own lock"),
        pytest.param(
            "release_page",
            {"places": [".deploy/2.0.0/report.html", "https://x.y/2.0.0.html"]},
            ["plain page: .deploy/2.0.0/report.html · https://x.y/2.0.0.html"],
            id="the live page",
        ),
        pytest.param("release", {"changed": True}, [], id="the record's book-keeping"),
        pytest.param(
            "kill_switch", {"sentence": "It is off."}, ["good : It is off."], id="sentence"
        ),
        pytest.param(
            "kill_switch",
            SWITCHED,
            ["warn switched: off by the kill switch, which holds A=false, P=0"],
            id="the kill switch, set by the run itself",
        ),
        pytest.param(
            "announce",
            {"changed": True, "delivered": [{"channel": "pagerduty", "action": "resolve"}]},
            ["good told: PagerDuty to resolve any incident"],
            id="an incident that is over",
        ),
        pytest.param(
            "prisma_migrations", {"resolved": ["a"]}, ["good resolved: host1 a"], id="resolved"
        ),
        pytest.param(
            "prisma_migrations",
            {"resolved": []},
            ["good resolved: host1 nothing"],
            id="resolved before",
        ),
        pytest.param("alert_rules", {"changed": True}, ["good : The task"], id="a change"),
        pytest.param("alert_rules", {"changed": False}, [], id="no change"),
    ],
)
def test_a_result_says(module: str, result: dict[str, t.Any], facts: list[str]) -> None:
    assert told(module, result) == facts


@pytest.mark.parametrize(
    ("module", "result", "facts"),
    [
        ("pg_backup", {"changed": True}, ["calm backups: would back up host1"]),
        ("supabase_migrations", {"pending": [{}]}, ["calm would: apply: host1 1 migration"]),
        ("prisma_migrations", {"resolved": ["a", "b"]}, ["calm would: resolve: host1 a, b"]),
        ("edge_functions", {"changes": [{"slug": "a"}]}, ["calm functions: would change: a"]),
        ("wave_result", SERVICE, ["calm services: host1  would go v1.9.0→v2.0.0"]),
        ("feature_flags", FLAGS, ["calm flags: would set A false→true · P 0→1"]),
        ("rollout", {"changed": True}, ["calm would: restart host1"]),
        (
            "kill_switch",
            SWITCHED,
            ["calm would: switch it off by the kill switch: A=false, P=0"],
        ),
        (
            "announce",
            {"changed": True, "delivered": [{"channel": "slack", "target": "#x"}]},
            ["calm told: would tell Slack #x"],
        ),
        ("alert_rules", {"changed": True}, ["calm : would change: The task"]),
    ],
)
def test_in_check_mode_it_would(module: str, result: dict[str, t.Any], facts: list[str]) -> None:
    assert told(module, result, would=True) == facts


def test_in_check_mode_nothing_would_be_applied_where_looking_failed() -> None:
    """Such as P3005, by which nobody knows what is pending."""
    assert told("prisma_migrations", {"msg": "P3005"}, would=True, failed=True) == []


@pytest.mark.parametrize(
    "module",
    ["pg_backup", "supabase_migrations", "kill_switch", "alert_rules", "deploy_lock"],
)
def test_what_failed_is_told_of_as_nothing_that_was_done(module: str) -> None:
    """Where it failed and why is told by the console, from the result's `msg`."""
    lock = {"held": True, "manual": True, "holder": "ann@x"}
    result = {"changed": True, "msg": "no", "sentence": "It is off.", "lock": lock}
    assert told(module, result, failed=True) == []
    assert told(module, result, failed=True, would=True) == []


def test_of_pods_that_were_to_restart_those_that_failed_are_told_apart() -> None:
    stuck = {**SERVICE, "result": "rolled_back", "reason": "CrashLoop", **AT_ITS_PIN}
    group = Group("x", (Item("a", SERVICE), Item("b", stuck, failed=True)))
    facts = [
        f"{one.tone} {one.label}: {one.text}" for one in facts_of("easymo.deploy.rollout", group)
    ]
    assert facts == [
        "good restarted: a 3/3",
        "bad restarted: b  crash loop",
        "warn : ↩ b is back on v1.9.0 3/3",
    ]


def test_who_was_told_of_an_incident_is_not_when_it_is_resolved() -> None:
    resolved = "PagerDuty to resolve any incident"
    assert still_told(["PagerDuty", "Slack #x", "PagerDuty"]) == ["PagerDuty", "Slack #x"]
    assert still_told(["PagerDuty", "Slack #x", resolved]) == ["Slack #x"]
    assert still_told([resolved, "PagerDuty"]) == ["PagerDuty"]


def test_a_wave_is_one_line_and_each_that_failed_has_its_own() -> None:
    stuck = {**SERVICE, "result": "rolled_back", "reason": "ImageNotFound", **AT_ITS_PIN}
    good = Item("a", SERVICE), Item("b", SERVICE)
    group = Group("x", (*good, Item("c", stuck, failed=True)), wave=2)
    facts = [f"{one.label}: {one.text}" for one in facts_of("easymo.deploy.wave_result", group)]
    assert facts == [
        "wave 2: a b  3/3 v1.9.0→v2.0.0",
        "wave 2: c  image not found",
        ": ↩ c is back on v1.9.0 3/3",
    ]
