"""Which cause each fact speaks for, and that nothing else does."""

import typing as t
from pathlib import Path

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._diagnosis import rules
from ansible_collections.easymo.deploy.plugins.module_utils._diagnosis.rules import (
    RULES,
    LastWords,
    LinePlace,
    ObservedFact,
    find_causes,
)
from tests.tables import cases

PLACE = LinePlace("kubernetes/x.txt", 3)
LAST = LastWords(LinePlace("kubernetes/pod.previous.log", 12), "FATAL no route to redis")


def fact(
    kind: str,
    subject: str = "wallet-service",
    entry: str = "crash_loop",
    last: LastWords | None = None,
    **values: t.Any,
) -> ObservedFact:
    return ObservedFact(entry, kind, subject, f"{subject} {kind}", PLACE, values, last)


def trouble(*, dooms: bool = True, last: LastWords | None = None) -> ObservedFact:
    return fact(
        "trouble",
        reason="CrashLoop",
        cause="container x crashed 4 times",
        hint="Read its log.",
        dooms=dooms,
        last=last,
    )


def answer(
    code: str = "", problem: str = "it answered 500: boom", status: int = 500
) -> ObservedFact:
    return fact(
        "function_fails", "wa-webhook", "function", status=status, code=code, problem=problem
    )


def rolled(minutes: int) -> ObservedFact:
    return fact("change", minutes=minutes, cause="release 2.0.0")


ERRORS = fact("service_errors", share=0.12)
FAILED_PUBLIC = fact("public_fails", status=500, body="InjectedFault")
STALE = fact("stale_flags", "agent-core", pods=1, of=3, detail="FEATURE_AI_AGENTS is 'true'")
BLOCKED = fact(
    "blocked", "supabase_db", pid=7, blocker=9, by="pid 9 (app)", who="pid 7", seconds=80
)
LONG = fact("long_transaction", "supabase_db", pid=7, seconds=90, who="pid 7 (app, psql)")
PENDING = fact("pending", "supabase_db", migrations=["1_a.sql"])
TABLES = fact("tables_missing", "supabase_db", tables=["agent_sessions"])
METRIC = {"value": 0.97, "unit": "ratio", "bound": "above 0.95", "status": "breach"}


@cases(("facts", "words", "certainty"), {
    "crash": ([trouble(last=LAST)], "crashed 4 times; its last words: FATAL no route",
              "almost certain"),
    "passing trouble": ([trouble(dooms=False)], "crashed 4 times", "likely"),
    "no deployment": ([fact("deployment_missing")], "no such Deployment", "almost certain"),
    "unready": ([fact("unready", pods=2, of=3, answer="HTTP 503")],
                "2 of 3 new pods run and are not ready (HTTP 503)", "likely"),
    "paused": ([fact("paused", resume="kubectl rollout resume deployment/a")], "is paused",
               "likely"),
    "errors after a change": ([ERRORS, rolled(14)],
                              "fails 12.0% of its requests, and was rolled out recently", "likely"),
    "errors long after a change": ([ERRORS, rolled(600), fact("standing", ready=2, desired=2)],
                                   "was not rolled out recently", "likely"),
    "the gateway": ([FAILED_PUBLIC, fact("standing", ready=2, desired=2)],
                    "answers 500 while its pods are ready", "likely"),
    "a worker's own check": ([fact("unwell", answer="'check' ended with code 1")],
                             "is not well: 'check' ended with code 1", "likely"),
    "a gateway": ([ERRORS], "none of the services, answers 12.0% of its requests", "possible"),
    "pods out of sight": ([FAILED_PUBLIC], "no pod is known to be ready", "likely"),
    "no pod behind the gateway": ([FAILED_PUBLIC, fact("standing", ready=0, desired=2)],
                                  "no pod is known to be ready", "likely"),
    "same error": ([fact("error_lines", count=8, of=10, pattern="ERROR x", last=LAST)],
                   "8 of 10 error lines say", "likely"),
    "stale flags": ([STALE], "1 of 3 pods run with other flags", "almost certain"),
    "a resource": ([fact("metric_breach", "database_connections", **METRIC)],
                   "database_connections is 0.97 ratio, above 0.95", "likely"),
    "a symptom": ([fact("metric_breach", "error_rate", **METRIC)], "the last change", "possible"),
    "no bundle": ([answer("NOT_FOUND_FUNCTION_BLOB")], "is listed and has no bundle",
                  "almost certain"),
    "boot error": ([answer("BOOT_ERROR")], "does not start", "almost certain"),
    "worker error": ([answer("WORKER_ERROR")], "starts, and ends while it answers", "likely"),
    "limits": ([answer("WORKER_LIMIT")], "exceeds a function's limits", "likely"),
    "a JWT is asked": ([answer("UNAUTHORIZED", status=401)], "requires a JWT", "likely"),
    "its own 500": ([answer()], "answers, and fails itself", "likely"),
    "verify_jwt": ([fact("jwt_policy", "wa-webhook", on="on")],
                   "its JWT check is on, against the release's policy", "almost certain"),
    "not deployed": ([fact("not_listed", "wa-webhook")], "is not deployed", "almost certain"),
    "secret": ([fact("no_secret", "WA_APP_SECRET")], "no secret WA_APP_SECRET", "likely"),
    "gateway down": ([fact("gateway_silent", "the functions' gateway", answer="refused")],
                     "no function answers", "almost certain"),
    "one silent": ([fact("function_silent", "wa-webhook", answer="no answer within 10 s")],
                   "wa-webhook alone does not answer", "likely"),
    "failed row": ([fact("failed_row", "agent_core_db", migration="2_b", at="2026",
                   answer="ERROR: syntax")],
                   "migration 2_b of 2026 failed and blocks the others: ERROR: syntax",
                   "almost certain"),
    "blocked": ([BLOCKED], "waits for a lock that pid 9 (app) holds", "almost certain"),
    "long transaction": ([LONG], "open for 90 s", "likely"),
    "read only": ([fact("read_only", "supabase_db", why="it is a standby")],
                  "is read-only (it is a standby)", "almost certain"),
    "not migrated": ([TABLES, PENDING], "agent_sessions are missing", "likely"),
    "drift": ([fact("edited", "supabase_db", migration="1_a.sql", how="statement 1 was A")],
              "1_a.sql was edited after it was applied", "likely"),
    "the record": ([fact("phase_failed", "database", at="10:00", host="supabase_db",
                   answer="no room")], "phase database failed: no room", "possible"),
})  # fmt: skip
def test_a_fact_speaks_for_its_cause(facts, words, certainty):
    found = find_causes(facts)
    assert [cause.certainty for cause in found if words in cause.sentence] == [certainty]
    assert all(cause.hint and cause.evidence for cause in found)
    without = [cause.hint for cause in find_causes(facts, feature=False)]
    assert all(without)
    assert "kill_switch" not in " ".join(without)


@cases(
    "facts",
    {
        "nothing seen": [],
        "a change alone": [rolled(3), fact("standing", ready=2, desired=2)],
        "an alert is a symptom": [fact("alert", "High Error Rate", labels={})],
        "one error of many": [fact("error_lines", count=1, of=10, pattern="x", last=LAST)],
        "pending alone": [fact("pending", migrations=["1"])],
    },
)
def test_what_explains_nothing_is_no_cause(facts):
    assert find_causes(facts) == []


def test_what_most_services_have_at_once_is_one_cause_and_comes_first():
    """Liveness kills of an overloaded node were 29 causes on 201 lines."""
    names = [f"s{number}" for number in range(12)]
    standing = [fact("standing", name, ready=2, desired=3) for name in names]
    errors = [fact("service_errors", name, share=0.1 + n / 100) for n, name in enumerate(names)]
    first, *others = find_causes([*standing, *errors, BLOCKED])
    assert first.sentence == (
        "12 of 12 services at once, so look at what they share. s0 fails 10.0% of its requests, and was not rolled "
        "out recently; 11 others alike: s1, s2, s3, s4, s5 and 6 more."
    )
    assert first.hint.endswith("kubectl describe nodes")
    assert [cause.sentence.partition(" waits")[0] for cause in others] == ["supabase_db: pid 7"]
    two = find_causes([*standing, *errors[:2]])
    assert [cause.sentence for cause in two] == [
        "s0 fails 10.0% of its requests, and was not rolled out recently; 1 other alike: s1."
    ]


def test_the_surest_comes_first_and_each_once():
    found = find_causes([TABLES, PENDING, BLOCKED, LONG, LONG, trouble(), trouble()])
    assert [cause.weight for cause in found] == sorted(
        (cause.weight for cause in found), reverse=True
    )
    assert len({cause.sentence for cause in found}) == len(found)
    assert "open for" not in " ".join(cause.sentence for cause in found), "the lock says it better"


def test_a_silent_gateway_is_one_cause_and_not_one_for_each_function():
    silent = [fact("function_silent", name, answer="refused") for name in ("a", "b")]
    found = find_causes(
        [*silent, fact("gateway_silent", "the functions' gateway", answer="refused")]
    )
    assert len(found) == 1


def test_the_evidence_has_the_last_words_first_and_then_the_facts():
    (cause,) = find_causes([trouble(last=LAST), rolled(5)])
    assert [str(place) for place in cause.evidence] == [str(LAST.place), str(PLACE)]


def test_braces_in_what_others_wrote_are_words():
    (cause,) = find_causes([answer(problem="it answered 500: {subject} {0}")])
    assert "{subject} {0}" in cause.sentence


def test_the_way_back_of_a_service_is_a_command_that_can_be_pasted():
    (cause,) = find_causes([trouble()])
    assert """-e '{"service_rollback_names": ["wallet-service"]}'""" in cause.hint


def test_the_same_of_several_services_is_one_cause_with_one_command():
    alike = [fact("unready", name, pods=2, of=3, answer="HTTP 503") for name in ("a", "b", "c")]
    (cause,) = find_causes([*alike, fact("unready", "a", pods=2, of=3, answer="HTTP 503")])
    assert cause.sentence.startswith("a, b, c: 2 of 3 new pods run and are not ready")
    assert '["a", "b", "c"]' in cause.hint


def test_services_that_blame_a_dependency_are_not_blamed_themselves():
    unwell = fact("public_unwell", status=503, body="{}")
    blame = fact("dependency", "database", count=1, of=1, why="no answer within 2 s")
    symptoms = [fact("unready", pods=2, of=3, answer="HTTP 503"), ERRORS, rolled(5)]
    (cause,) = find_causes([*symptoms, unwell, blame])
    assert "their database fails (no answer within 2 s)" in cause.sentence


AREA = Path(rules.__file__).parent
COLLECTED = "".join(
    path.read_text("utf-8") for path in AREA.glob("*.py") if not path.name.startswith("rules")
)


@pytest.mark.parametrize("kind", sorted({rule.kind for rule in RULES}))
def test_every_rule_goes_by_a_fact_that_somebody_notes(kind):
    assert f'"{kind}"' in COLLECTED


def test_a_failed_phase_is_called_so_and_ends_with_one_full_stop():
    said = "the image is not in the registry. Push the image, or correct its tag."
    (found,) = find_causes([fact("phase_failed", "x", at="10:00", host="h", answer=said)])
    assert (found.entry, found.heading) == ("crash_loop", "Failed phase")
    assert found.sentence.endswith("its tag.")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.kind}: {rule.says[:40]}")
def test_a_cure_leaves_the_program_to_the_run_that_tells_it(rule):
    assert "ansible-playbook" not in rule.cure
