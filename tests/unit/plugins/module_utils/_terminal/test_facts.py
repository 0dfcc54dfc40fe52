"""What a result says in the terminal, module by module; and what none may say, for the result does not prove it."""

import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._terminal.models import (
    Group,
    Item,
    Task,
    TaskEnded,
)
from ansible_collections.easymo.deploy.plugins.module_utils._terminal.telling import (
    Telling,
    facts_of,
)
from tests.tables import cases

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


@cases(("module", "result", "facts"), {
    "checks": ("preflight_check", {"results": [ROW, ROW, OPAQUE], "commit": "627a52a49fb5"},
               ["good checks: 2 passed · commit 627a52a", "calm checks: 1 skipped: it is opaque"]),
    "the one check that opens a phase": ("preflight_check", {"results": [ROW]}, []),
    "a check that failed": ("preflight_check", {"results": [ROW, BAD]},
                            ["plain checks: 1 of 2 passed", "bad check: redis: refused"]),
    "results that were told one by one": ("smoke_tests", {"results": [ROW, BAD], "remarks": ["x"]}, []),
    "a test that failed": ("smoke_tests", {"results": [ROW, BAD]},
                           ["plain tests: 1 of 2 passed", "bad test: redis: refused"]),
    "health": ("health_check", {"results": [ROW]}, ["good checked: pods: 38 pods ready"]),
    "one of many is ill": ("health_check", {"results": [ROW, ROW, ROW, BAD]},
                           ["plain checked: 3 of 4 passed", "bad check: redis: refused"]),
    "functions that answer": ("health_check", {"results": [{**ROW, "kind": "function_calls"}]},
                              ["good called: 1 function answered"]),
    "webhook": ("smoke_tests", {"results": [{**ROW, "name": "webhook", "kind": "webhook"}]},
                ["good checked: webhook: 38 pods ready"]),
    "backup": ("pg_backup", {"changed": True, "backup": {"name": "supabase", "size": 3_000_000}},
               ["good backups: supabase 3.0 MB, read back"]),
    "a backup of before": ("pg_backup", {"changed": False, "backup": {"name": "supabase",
                           "size": 3_000_000}},
                           ["good backups: supabase 3.0 MB, read back, taken before"]),
    "no backup": ("pg_backup", {"changed": False}, []),
    "migrations": ("migrations", {"applied": [{}, {}], "pending": []},
                   ["good applied: host1 2 migrations"]),
    "none": ("migrations", {"applied": []}, ["good applied: host1: nothing is pending"]),
    "scratch": ("pg_restore", {"method": "scratch", "backup": {"name": "x"}}, []),
    "restore": ("pg_restore", {"method": "in_place", "backup": {"name": "supabase",
                "finished": "2026-11-24"}}, ["good restored: supabase from 2026-11-24"]),
    "functions": ("edge_functions", {"changes": [{"slug": "a"}, {"slug": "b"}], "activated": True},
                  ["good functions: 2 functions activated together"]),
    "functions back": ("edge_functions", {"changes": [{"slug": "a"}], "activated": True,
                       "restored": True}, ["good functions: 1 function back as before the release"]),
    "no function": ("edge_functions", {"changes": []}, ["good functions: nothing to change"]),
    "a service": ("wave_result", SERVICE, ["good services: host1  3/3 v1.9.0→v2.0.0"]),
    "a service that stayed": ("wave_result", {**SERVICE, "changed": False, "result": "no_change"},
                              ["good services: host1  3/3 unchanged"]),
    "flags": ("feature_flags", FLAGS, ["good flags: A false→true · P 0→1"]),
    "flags in pods": ("feature_flags",
        {"consumers": {"host1": {"pods": [{"problems": []}, {"problems": ["A is not there"]}]}}},
        ["good read: flags in 1 of 2 pods of host1"]),
    "measured": ("availability", {"availability": {"probes": 9, "unseen": 3.2, "verdict": "partial",
                 "summary": ["1 of 9 probes of 2 addresses failed: down for 1 s in all", "a: 1"]}},
                 ["warn measured: 1 of 9 probes of 2 addresses failed: down for 1 s in all, 3 s without data"]),
    "nothing was asked, which is no success": ("availability",
        {"availability": {"probes": 0, "failures": 0, "verdict": "not_measured"}}, []),
    "a hold": ("metrics_gate", {"verdict": "hold", "sentence": "x has no data.", "reasons": [{}]},
               ["warn watch: hold, for 1 reason"]),
    "messages": ("announce", {"changed": True, "delivered": [{"channel": "slack", "target": "#x"}],
                 "undelivered": [{"channel": "email", "target": "a@b.c", "reason": "refused"}]},
                 ["good told: Slack #x", "warn not told: mail to a@b.c: refused"]),
    "a lock by hand": ("deploy_lock", {"lock": {"held": True, "manual": True, "holder": "ann@x",
                       "reason": "move"}}, ["good lock: held by ann@x: move"]),
    "own lock": ("deploy_lock", {"lock": {"held": True, "holder": "ann@x"}}, []),
    "the live page": ("release_run", {"places": [".deploy/2.0.0/report.html",
                      "https://x.y/2.0.0.html"]},
                      ["plain page: .deploy/2.0.0/report.html · https://x.y/2.0.0.html"]),
    "the record's book-keeping": ("release", {"changed": True}, []),
    "sentence": ("kill_switch", {"sentence": "It is off."}, ["good : It is off."]),
    "the kill switch, set by the run itself": ("kill_switch", SWITCHED,
        ["warn switched: off by the kill switch, which holds A=false, P=0"]),
    "an incident that is over": ("announce",
                                 {"changed": True, "delivered": [{"channel": "pagerduty",
                                 "action": "resolve"}]},
                                 ["good told: PagerDuty to resolve any incident"]),
    "resolved": ("migrations", {"resolved": ["a"]}, ["good resolved: host1 a"]),
    "resolved before": ("migrations", {"resolved": []}, ["good resolved: host1 nothing"]),
    "a change": ("alert_rules", {"changed": True}, ["good : The task"]),
    "no change": ("alert_rules", {"changed": False}, []),
})  # fmt: skip
def test_a_result_says(module, result, facts):
    assert told(module, result) == facts


@pytest.mark.parametrize(("module", "result", "facts"), [
    ("pg_backup", {"changed": True}, ["calm backups: would back up host1"]),
    ("migrations", {"pending": [{}]}, ["calm would: apply: host1 1 migration"]),
    ("migrations", {"resolved": ["a", "b"]}, ["calm would: resolve: host1 a, b"]),
    ("edge_functions", {"changes": [{"slug": "a"}]}, ["calm functions: would change: a"]),
    ("wave_result", SERVICE, ["calm services: host1  would go v1.9.0→v2.0.0"]),
    ("feature_flags", FLAGS, ["calm flags: would set A false→true · P 0→1"]),
    ("rollout", {"changed": True}, ["calm would: restart host1"]),
    ("kill_switch", SWITCHED, ["calm would: switch it off by the kill switch: A=false, P=0"]),
    ("announce", {"changed": True, "delivered": [{"channel": "slack", "target": "#x"}]},
     ["calm told: would tell Slack #x"]),
    ("alert_rules", {"changed": True}, ["calm : would change: The task"]),
])  # fmt: skip
def test_in_check_mode_it_would(module, result, facts):
    assert told(module, result, would=True) == facts


def test_in_check_mode_nothing_would_be_applied_where_looking_failed():
    """Such as P3005, by which nobody knows what is pending."""
    assert told("migrations", {"msg": "P3005"}, would=True, failed=True) == []


@pytest.mark.parametrize(
    "module", ["pg_backup", "migrations", "kill_switch", "alert_rules", "deploy_lock"]
)
def test_what_failed_is_told_of_as_nothing_that_was_done(module):
    """Where it failed and why is told by the console, from the result's `msg`."""
    lock = {"held": True, "manual": True, "holder": "ann@x"}
    result = {"changed": True, "msg": "no", "sentence": "It is off.", "lock": lock}
    assert told(module, result, failed=True) == []
    assert told(module, result, failed=True, would=True) == []


def test_of_pods_that_were_to_restart_those_that_failed_are_told_apart():
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


def test_a_wave_is_one_line_and_each_that_failed_has_its_own():
    stuck = {**SERVICE, "result": "rolled_back", "reason": "ImageNotFound", **AT_ITS_PIN}
    good = Item("a", SERVICE), Item("b", SERVICE)
    group = Group("x", (*good, Item("c", stuck, failed=True)), wave=2)
    facts = [f"{one.label}: {one.text}" for one in facts_of("easymo.deploy.wave_result", group)]
    assert facts == [
        "wave 2: a b  3/3 v1.9.0→v2.0.0",
        "wave 2: c  image not found",
        ": ↩ c is back on v1.9.0 3/3",
    ]


@cases(("result", "lines", "texts"), {
    "one remark": ({"remarks": ["Nothing is built."]}, [], ["Nothing is built."]),
    "several are laid out": ({"remarks": ["  a", "  b"]}, ["  a", "  b"], []),
    "none": ({"remarks": []}, [], []),
})  # fmt: skip
def test_what_a_module_has_for_people_is_told_once(result, lines, texts):
    ended = [TaskEnded(Task("1", "Look", "easymo.deploy.images"), "localhost", "ok", result)]
    telling = Telling()
    assert telling.message_lines(ended) == lines
    assert [fact.text for fact in telling.facts(ended, failing=False)] == texts
    assert telling.facts(ended, failing=False) == []
