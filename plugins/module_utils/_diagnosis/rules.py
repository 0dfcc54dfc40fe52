# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rule is that makes a cause of a fact, and the conditions and commands that rules share. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._migration.prisma_history import resolve_by
from .evidence import LIKELY, POSSIBLE, SURE, ObservedFact

RECENT = 120
"""Minutes after a change within which what fails is laid to it."""
SHARE = 0.5
"""Of the error lines that say the same, from which on that is the cause."""

PLAY = "playbooks"
"""Made a whole command where the run is known that it is told to."""
FEATURE_OFF = f"{PLAY}/kill_switch.yml -e \"reason='error rate'\" switches the feature off at once."
SERVICE_BACK = (
    f"{PLAY}/rollback.yml --tags services -e '{{{{\"service_rollback_names\": [{{names}}]}}}}' "
    "rolls it back."
)
DEPLOY_FUNCTIONS = f"{PLAY}/deploy.yml --tags edge_functions deploys it again."
FUNCTIONS_BACK = f"{PLAY}/rollback.yml --tags edge_functions brings the previous sources back."
MIGRATE = f"{PLAY}/deploy.yml --tags database"


class DiagnosisFacts:
    def __init__(self, facts: t.Iterable[ObservedFact]) -> None:
        self.all = tuple(facts)

    def of(self, *kinds: str, subject: str = "") -> list[ObservedFact]:
        return [
            entry
            for entry in self.all
            if entry.kind in kinds and (not subject or entry.subject == subject)
        ]


def always(_fact: ObservedFact, _facts: DiagnosisFacts) -> bool:
    return True


def never_with(*kinds: str) -> t.Callable[[ObservedFact, DiagnosisFacts], bool]:
    """Only while no fact of these kinds is there about the same."""
    return lambda fact, facts: not facts.of(*kinds, subject=fact.subject)


def without(*kinds: str) -> t.Callable[[ObservedFact, DiagnosisFacts], bool]:
    """Only while no fact of these kinds is there about anything."""
    return lambda _fact, facts: not facts.of(*kinds)


@dataclass(frozen=True)
class Rule:
    """`sentence` and `hint` are filled in with the fact's `subject` and values; `when` may look at the other facts.

    Of several subjects with the same sentence one cause is made: then `subject` is all of them in the sentence and the
    first in the hint, which may have all as `names`, quoted.

    `also`: kinds of facts about the same whose places belong to the evidence. `title`: in place of its entry's.
    """

    kind: str
    weight: int
    sentence: str
    hint: str
    when: t.Callable[[ObservedFact, DiagnosisFacts], bool] = always
    also: tuple[str, ...] = ()
    title: str = ""


def dooms(fact: ObservedFact, _facts: DiagnosisFacts) -> bool:
    return bool(fact.values["dooms"])


def passes(fact: ObservedFact, _facts: DiagnosisFacts) -> bool:
    return not fact.values["dooms"]


def unexplained(fact: ObservedFact, facts: DiagnosisFacts) -> bool:
    """Whether its own health names nothing that it depends on in vain."""
    return not facts.of("public_unwell", subject=fact.subject)


def rolled_lately(fact: ObservedFact, facts: DiagnosisFacts) -> bool:
    changes = facts.of("change", subject=fact.subject)
    lately = any(change.values["minutes"] <= RECENT for change in changes)
    return lately and unexplained(fact, facts)


def not_rolled_lately(fact: ObservedFact, facts: DiagnosisFacts) -> bool:
    known = facts.of("standing", subject=fact.subject)
    return bool(known) and unexplained(fact, facts) and not rolled_lately(fact, facts)


def some_are_ready(fact: ObservedFact, facts: DiagnosisFacts) -> bool:
    return any(entry.values["ready"] > 0 for entry in facts.of("standing", subject=fact.subject))


def none_is_ready(fact: ObservedFact, facts: DiagnosisFacts) -> bool:
    return any(entry.values["ready"] == 0 for entry in facts.of("standing", subject=fact.subject))


def mostly_the_same(fact: ObservedFact, _facts: DiagnosisFacts) -> bool:
    return bool(fact.values["count"] >= SHARE * fact.values["of"])


def is_symptom(fact: ObservedFact, _facts: DiagnosisFacts) -> bool:
    return fact.subject in ("error_rate", "response_time_p95", "agent_success_rate")


def is_resource(fact: ObservedFact, facts: DiagnosisFacts) -> bool:
    return not is_symptom(fact, facts)


def with_code(*codes: str) -> t.Callable[[ObservedFact, DiagnosisFacts], bool]:
    return lambda fact, _facts: fact.values["code"] in codes


def of_its_own(fact: ObservedFact, _facts: DiagnosisFacts) -> bool:
    return not fact.values["code"]


DATABASE_RULES = (
    # A migration
    Rule(
        "failed_row",
        SURE,
        "{subject}: migration {migration} of {at} failed and blocks the others: {answer}",
        f"Fix it, say that nothing of it remains by {resolve_by('rolled_back', '{migration}')}, then {MIGRATE}.",
    ),
    Rule(
        "read_only",
        SURE,
        "{subject} is read-only ({why}), so nothing can be migrated",
        "Use the primary in the inventory, or reset that.",
    ),
    Rule(
        "blocked",
        SURE,
        "{subject}: {who} waits for a lock that {by} holds",
        "Find its owner; SELECT pg_terminate_backend({blocker}) ends it. Then " + MIGRATE + ".",
    ),
    Rule(
        "made_already",
        SURE - 5,
        "{subject}: pending migrations make {tables}, which exists already, so they fail",
        "It was made by hand or by an interrupted run: compare it, then drop it or mark the "
        "migration as applied.",
    ),
    Rule(
        "not_in_folder",
        SURE - 5,
        "{subject}: {migrations} is applied but not in the checkout",
        "Check out its commit: RELEASE_CHECKOUT may be wrong.",
    ),
    Rule(
        "edited",
        SURE - 10,
        "{subject}: {migration} was edited after it was applied ({how})",
        "Restore the file from git, and write the change as a new migration.",
    ),
    Rule(
        "out_of_order",
        SURE - 10,
        "{subject}: {files} would run after newer ones that are applied",
        "Give it a new version, or set {database_kind}_migrate_include_all if nothing newer changes its "
        "effect.",
    ),
    Rule(
        "no_baseline",
        SURE,
        "{subject} has tables and no history of Prisma",
        f"If it is the right one, name the migrations all of which it has by {{how}}, then {MIGRATE}.",
    ),
    Rule(
        "schema_missing",
        SURE - 5,
        "{subject}: applied migrations made {objects}, which is missing",
        "Somebody removed it later: a restore brings rows back, a new migration only the table.",
    ),
    Rule(
        "tables_missing",
        LIKELY + 10,
        "{subject}: the release's tables {tables} are missing, and its migrations are pending",
        MIGRATE + " applies them.",
        when=lambda fact, facts: bool(facts.of("pending", subject=fact.subject)),
        also=("pending",),
    ),
    Rule(
        "tables_missing",
        LIKELY,
        "{subject}: the release's tables {tables} are missing, and no migration is pending",
        "Check release_expected_tables, and the migrations that should make them.",
        when=lambda fact, facts: not facts.of("pending", "schema_missing", subject=fact.subject),
    ),
    Rule(
        "long_transaction",
        LIKELY,
        "{subject}: {who} has had a transaction open for {seconds} s, and migrations wait for its locks",
        "Find its owner; SELECT pg_terminate_backend({pid}) ends it. Then " + MIGRATE + ".",
        when=never_with("blocked"),
    ),
)

DEPLOYED_OTHERWISE = (
    ("jwt_policy", "{subject}: its JWT check is {on}, against the release's policy, so it answers the wrong callers"),
    ("not_listed", "{subject} is not deployed in this project"),
    ("not_active", "{subject} is {status} in the project's list"),
)  # fmt: skip
ENDED_BY_THE_PLATFORM = (
    (("BOOT_ERROR",), SURE, "{subject} does not start: {problem}", "Read its log."),
    (("WORKER_ERROR",), SURE - 5, "{subject} starts, and ends while it answers: {problem}", "Read its log."),
    (("WORKER_LIMIT", "WORKER_RESOURCE_LIMIT"), SURE - 5, "{subject} exceeds a function's limits: {problem}",
     "Find what uses its memory or time."),
)  # fmt: skip
"""By the code of the platform's answer."""
FUNCTION_RULES = (
    # An edge function
    Rule(
        "gateway_silent",
        SURE,
        "no function answers, so the gateway or the network fails ({answer})",
        "Check the project's status, DNS and the network: deploying again would change nothing.",
    ),
    *(
        Rule(kind, SURE, sentence, DEPLOY_FUNCTIONS, also=("function_fails",))
        for kind, sentence in DEPLOYED_OTHERWISE
    ),
    Rule(
        "no_secret",
        SURE - 5,
        "the project has no secret {subject}, which its functions need",
        "Set it: supabase secrets set {subject}=… , or the module easymo.deploy.edge_functions.",
        also=("function_errors",),
    ),
    Rule(
        "function_fails",
        SURE,
        "{subject} is listed and has no bundle: {problem}",
        DEPLOY_FUNCTIONS,
        when=with_code("NOT_FOUND_FUNCTION_BLOB"),
    ),
    *(
        Rule(
            "function_fails",
            weight,
            sentence,
            f"{hint} {FUNCTIONS_BACK}",
            when=with_code(*codes),
            also=("function_errors",),
        )
        for codes, weight, sentence, hint in ENDED_BY_THE_PLATFORM
    ),
    Rule(
        "function_fails",
        LIKELY,
        "{subject}: the gateway requires a JWT, so it refuses callers without one",
        "Check its policy in the release. " + DEPLOY_FUNCTIONS,
        when=lambda fact, facts: (
            fact.values["code"] == "UNAUTHORIZED" and never_with("jwt_policy")(fact, facts)
        ),
    ),
    Rule(
        "function_fails",
        LIKELY,
        "{subject} is unknown to the gateway: {problem}",
        DEPLOY_FUNCTIONS,
        when=lambda fact, facts: (
            fact.values["code"] == "NOT_FOUND" and never_with("not_listed")(fact, facts)
        ),
    ),
    Rule(
        "function_fails",
        LIKELY + 10,
        "{subject} answers, and fails itself: {problem}",
        "Read its log. " + FUNCTIONS_BACK,
        when=of_its_own,
        also=("function_errors",),
    ),
    Rule(
        "function_silent",
        LIKELY + 10,
        "{subject} alone does not answer ({answer})",
        "Read its log. " + FUNCTIONS_BACK,
        when=without("gateway_silent"),
        also=("function_errors",),
    ),
    Rule(
        "function_errors",
        POSSIBLE,
        "{subject} answers and has {count} error lines in the last hour, the last: {last}",
        "Read its log.",
        when=never_with("function_fails", "function_silent"),
    ),
)
