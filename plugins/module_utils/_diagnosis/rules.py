# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts, what each kind says, and the causes that rules make of them: how sure, when, and what to do next. Pure.

What could not be looked at is no fact, so it is never a cause.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field, replace

from .._formats import counted, listed
from .._migration.prisma_history import resolve_by

TITLES: t.Mapping[str, str] = {
    "crash_loop": "Microservice crash loop",
    "error_rate": "High error rate",
    "function": "Edge function not responding",
    "migration": "Database migration failed",
}
"""The runbook's four entries of trouble."""
SURE, LIKELY, POSSIBLE = 90, 60, 30
"""How strongly a fact speaks: the platform names the trouble itself; it explains what was seen; it may."""
RECENT = 120
"""Minutes after a change within which what fails is laid to it."""
SHARE = 0.5
"""Of the error lines that say the same, from which on that is the cause."""
SYMPTOMS = ("error_rate", "response_time_p95", "agent_success_rate")
"""Metrics that tell that something is wrong, and not what."""

PLAY = "playbooks"
"""Made a whole command where the run is known that it is told to."""
FEATURE_OFF = f"{PLAY}/kill_switch.yml -e \"reason='error rate'\" switches the feature off at once."
SERVICE_BACK = (
    f"{PLAY}/rollback.yml --tags services -e '{{{{\"service_rollback_names\": [{{names}}]}}}}' "
    "rolls it back."
)
DEPLOY_FUNCTIONS = f"{PLAY}/deploy.yml --tags edge_functions deploys it again."
FUNCTIONS_BACK = f"{PLAY}/rollback.yml --tags edge_functions brings the previous sources back."
READ_FUNCTION = f"Read its log. {FUNCTIONS_BACK}"
FIND_LIMIT = f"Find what uses its memory or time. {FUNCTIONS_BACK}"
MIGRATE = f"{PLAY}/deploy.yml --tags database"
EXAMINE = f"{PLAY}/diagnose.yml -e diagnose=crash_loop -e service={{subject}} examines its pods."

SENTENCES: t.Mapping[str, str] = {
    # A crash loop
    "trouble": "{subject}: {cause}",
    "trouble_over": "{subject}: {cause}, and its pods are ready again",
    "deployment_missing": "{subject}: the cluster has no such Deployment",
    "unready": "{subject}: {pods} of {of} new pods run and are not ready ({answer})",
    "paused": "{subject}: its rollout is paused, so nothing starts",
    "incomplete": "{subject}: its rollout is still under way ({counts})",
    # A high error rate
    "standing": "{subject}: {ready} of {desired} pods ready",
    "change": "{subject} was rolled {minutes} min ago by {actor}: {cause}",
    "service_errors": "{subject}: {share:.1%} of its requests fail with 5xx",
    "error_lines": "{subject}: {count} of {of} error lines say {pattern!r}",
    "no_errors": "{subject}: no error in the last {lines} lines of {pods} pods",
    "alert": "alert {subject!r} fires {about}",
    "kill_switch": "The kill switch is set: {switch}",
    "flags_change": "ConfigMap {subject} was written {minutes} min ago",
    "stale_flags": "{subject}: {pods} of {of} pods run with other flags than the ConfigMap has ({detail})",
    "no_flags": "there is no ConfigMap {subject}, so agents run with their built-in flags",
    "dependency": "{count} of {of} services say that their {subject} fails ({why})",
    **dict.fromkeys(("public", "public_fails", "public_unwell"), "{subject}: {status} {body}"),
    "public_silent": "{subject}: its public address does not answer ({answer})",
    "unwell": "{subject} is not well: {answer}",
    "metric": "{subject} is {value:.4g} {unit}, {status} ({bound})",
    "metric_breach": "{subject} is {value:.4g} {unit}, {bound}",
    # An edge function
    "gateway_silent": "no function answers, so the gateway or the network fails ({answer})",
    "listed": "{subject}: {status}, version {version}, verify_jwt {verify_jwt}",
    "jwt_policy": "{subject}: its JWT check is {on}, against the release's policy, so it answers the wrong callers",
    "not_listed": "{subject} is not deployed in this project",
    "not_active": "{subject} is {status} in the project's list",
    "no_secret": "the project has no secret {subject}, which its functions need",
    "answer": "{subject}: {status} in {seconds:.2f} s",
    "function_fails": "{subject}: {status} in {seconds:.2f} s, {problem}",
    "function_silent": "{subject} alone does not answer ({answer})",
    "function_errors": "{subject} answers and has {count} error lines in the last hour, the last: {said}",
    # A migration
    "failed_row": "{subject}: migration {migration} of {at} failed and blocks the others: {answer}",
    "read_only": "{subject} is read-only ({why}), so nothing can be migrated",
    "blocked": "{subject}: {who} waits for a lock that {by} holds",
    "long_transaction": "{subject}: {who} has had a transaction open for {seconds} s; migrations wait for its locks",
    "pending": "{subject}: pending are {migrations}",
    "made_already": "{subject}: pending migrations make {tables}, which exists already, so they fail",
    "not_in_folder": "{subject}: {migrations} is applied but not in the checkout",
    "edited": "{subject}: {migration} was edited after it was applied ({how})",
    "out_of_order": "{subject}: {files} would run after newer ones that are applied",
    "no_baseline": "{subject} has tables and no history of Prisma",
    "schema_missing": "{subject}: applied migrations made {tables}, which is missing",
    "tables_missing": "{subject}: the release's tables {tables} are missing",
    "no_backup": "There is no backup of {subject}",
    "backup": "{subject}: {uri}, {minutes} min old, sha256 {sha256}",
    # What the release itself noted, whatever it was
    "phase_failed": "the release recorded on {host} at {at} that phase {subject} failed: {answer}",
}
"""What each kind of fact says, filled in with its subject and its values."""


@dataclass(frozen=True)
class LinePlace:
    """A line of a file in the folder."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class LastWords:
    """The line of a log that tells most."""

    place: LinePlace
    text: str


@dataclass(frozen=True)
class ObservedFact:
    """One thing that was seen. `kind` is what rules go by, `subject` what it is about, `text` its line in the file."""

    entry: str
    kind: str
    subject: str
    text: str
    place: LinePlace
    values: t.Mapping[str, t.Any] = field(default_factory=dict)
    last: LastWords | None = None


@dataclass(frozen=True)
class Cause:
    entry: str
    weight: int
    sentence: str
    hint: str
    evidence: tuple[LinePlace, ...]
    title: str = ""

    @property
    def heading(self) -> str:
        """Its own, or that of the runbook's entry that it is an answer to."""
        return self.title or TITLES[self.entry]

    @property
    def certainty(self) -> str:
        if self.weight >= SURE:
            return "almost certain"
        return "likely" if self.weight >= LIKELY else "possible"


def filled(text: str, values: t.Mapping[str, t.Any], **more: str) -> str:
    """A sentence or a hint with a fact's values. A list is its entries with commas."""
    words = {
        name: ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else value
        for name, value in values.items()
    }
    return text.format(**{**words, **more})


class DiagnosisFacts:
    def __init__(self, facts: t.Iterable[ObservedFact]) -> None:
        self._all = tuple(facts)

    def of(self, *kinds: str, subject: str = "") -> list[ObservedFact]:
        return [
            entry
            for entry in self._all
            if entry.kind in kinds and (not subject or entry.subject == subject)
        ]


Condition = t.Callable[[ObservedFact, DiagnosisFacts], bool]
"""Whether a rule goes for a fact, which may depend on the other facts."""


def always(_fact: ObservedFact, _facts: DiagnosisFacts) -> bool:
    return True


def all_of(*conditions: Condition) -> Condition:
    return lambda fact, facts: all(holds(fact, facts) for holds in conditions)


def having(name: str, *values: t.Any) -> Condition:
    return lambda fact, _facts: fact.values[name] in values


def about_symptom(fact: ObservedFact, _facts: DiagnosisFacts) -> bool:
    return fact.subject in SYMPTOMS


def beside(*kinds: str) -> Condition:
    """Only with a fact of these kinds about the same."""
    return lambda fact, facts: bool(facts.of(*kinds, subject=fact.subject))


def never_with(*kinds: str) -> Condition:
    """Only while no fact of these kinds is there about the same."""
    return lambda fact, facts: not facts.of(*kinds, subject=fact.subject)


def changed_lately(fact: ObservedFact, facts: DiagnosisFacts) -> bool:
    changes = facts.of("change", subject=fact.subject)
    return any(change.values["minutes"] <= RECENT for change in changes)


def with_pods(*, ready: bool) -> Condition:
    """Of a service of which it is known whether any of its pods is ready."""
    return lambda fact, facts: any(
        (entry.values["ready"] > 0) is ready for entry in facts.of("standing", subject=fact.subject)
    )


unexplained = never_with("public_unwell")
"""Its own health names nothing that it depends on in vain."""


@dataclass(frozen=True)
class Rule:
    """`hint` and `sentence`, in place of its kind's, are filled in with the fact's `subject` and values.

    Of several subjects with the same sentence one cause is made: then `subject` is all of them in the sentence and the
    first in the hint, which may have all as `names`, quoted.

    `also`: kinds of facts about the same whose places belong to the evidence. `title`: in place of its entry's.
    """

    kind: str
    weight: int
    hint: str
    when: Condition = always
    also: tuple[str, ...] = ()
    sentence: str = ""
    title: str = ""

    @property
    def says(self) -> str:
        return self.sentence or SENTENCES[self.kind]


def _fails(weight: int, hint: str, says: str, *codes: str) -> Rule:
    """By the code of the platform's answer, which is empty where the function answered itself."""
    sentence = f"{{subject}} {says}: {{problem}}"
    return Rule(
        "function_fails", weight, hint, having("code", *codes), ("function_errors",), sentence
    )


RULES = (
    # A crash loop
    Rule("trouble", SURE, "{hint} " + SERVICE_BACK, having("dooms", True), also=("change",)),
    Rule("trouble_over", POSSIBLE, "{hint}"),
    Rule("trouble", LIKELY, "{hint}", having("dooms", False)),
    Rule("deployment_missing", SURE, "Correct the name, or ask the administrator to create it."),
    Rule(
        "unready",
        LIKELY,
        "Read a pod's health endpoint. " + SERVICE_BACK,
        unexplained,
        also=("change",),
    ),
    Rule("paused", LIKELY, "Find out who paused it; then {resume}."),
    Rule("incomplete", POSSIBLE, "Check again in a minute."),
    # A high error rate
    Rule(
        "service_errors",
        SURE - 10,
        f"{SERVICE_BACK} {FEATURE_OFF}",
        all_of(unexplained, changed_lately),
        also=("change", "error_lines"),
        sentence="{subject} fails {share:.1%} of its requests, and was rolled out recently",
    ),
    Rule(
        "service_errors",
        LIKELY,
        FEATURE_OFF + " Then read its errors.",
        all_of(unexplained, beside("standing"), lambda *given: not changed_lately(*given)),
        also=("error_lines",),
        sentence="{subject} fails {share:.1%} of its requests, and was not rolled out recently",
    ),
    Rule(
        "service_errors",
        POSSIBLE,
        "Check it and its backends. " + FEATURE_OFF,
        never_with("standing", "public_unwell"),
        sentence="{subject}, which is none of the services, answers {share:.1%} of its requests with 5xx",
    ),
    Rule(
        "error_lines",
        LIKELY + 10,
        "Check what it names. " + FEATURE_OFF,
        lambda fact, _facts: fact.values["count"] >= SHARE * fact.values["of"],
    ),
    Rule(
        "stale_flags",
        SURE,
        f"{PLAY}/deploy.yml --tags feature_flags brings them the release's flags. {FEATURE_OFF}",
    ),
    Rule("dependency", SURE - 5, "Look at {subject} first: its dependents recover with it."),
    Rule(
        "public_fails",
        SURE - 5,
        "Check the gateway before it, and its health endpoint.",
        with_pods(ready=True),
        also=("standing", "service_errors"),
        sentence="{subject}: its public address answers {status} while its pods are ready ({body})",
    ),
    Rule(
        "public_fails",
        LIKELY,
        EXAMINE,
        with_pods(ready=False),
        also=("standing",),
        sentence="{subject}: its public address answers {status}, and none of its pods is ready ({body})",
    ),
    Rule(
        "public_fails",
        LIKELY - 10,
        "Check its pods and the gateway before them.",
        never_with("standing"),
        sentence="{subject}: its public address answers {status}; it is unknown whether its pods are ready ({body})",
    ),
    Rule("public_silent", LIKELY, "Check the gateway, DNS and the network."),
    Rule("unwell", SURE - 5, EXAMINE),
    Rule(
        "metric_breach",
        LIKELY,
        "Check what it measures. " + FEATURE_OFF,
        lambda *given: not about_symptom(*given),
    ),
    Rule(
        "metric_breach",
        POSSIBLE,
        FEATURE_OFF,
        about_symptom,
        sentence="{subject} is {value:.4g} {unit}, {bound}, probably because of the last change",
    ),
    Rule("no_flags", LIKELY, f"{PLAY}/deploy.yml --tags feature_flags writes it."),
    # An edge function
    Rule(
        "gateway_silent",
        SURE,
        "Check the project's status, DNS and the network: deploying again would change nothing.",
    ),
    *(
        Rule(kind, SURE, DEPLOY_FUNCTIONS, also=("function_fails",))
        for kind in ("jwt_policy", "not_listed", "not_active")
    ),
    Rule(
        "no_secret",
        SURE - 5,
        "Set it: supabase secrets set {subject}=… , or the module easymo.deploy.edge_functions.",
        also=("function_errors",),
    ),
    _fails(SURE, DEPLOY_FUNCTIONS, "is listed and has no bundle", "NOT_FOUND_FUNCTION_BLOB"),
    _fails(SURE, READ_FUNCTION, "does not start", "BOOT_ERROR"),
    _fails(SURE - 5, READ_FUNCTION, "starts, and ends while it answers", "WORKER_ERROR"),
    _fails(
        SURE - 5, FIND_LIMIT, "exceeds a function's limits", "WORKER_LIMIT", "WORKER_RESOURCE_LIMIT"
    ),
    _fails(LIKELY + 10, READ_FUNCTION, "answers, and fails itself", ""),
    Rule(
        "function_fails",
        LIKELY,
        "Check its policy in the release. " + DEPLOY_FUNCTIONS,
        all_of(having("code", "UNAUTHORIZED"), never_with("jwt_policy")),
        sentence="{subject}: the gateway requires a JWT, so it refuses callers without one",
    ),
    Rule(
        "function_fails",
        LIKELY,
        DEPLOY_FUNCTIONS,
        all_of(having("code", "NOT_FOUND"), never_with("not_listed")),
        sentence="{subject} is unknown to the gateway: {problem}",
    ),
    Rule(
        "function_silent",
        LIKELY + 10,
        READ_FUNCTION,
        lambda _fact, facts: not facts.of("gateway_silent"),
        also=("function_errors",),
    ),
    Rule(
        "function_errors",
        POSSIBLE,
        "Read its log.",
        never_with("function_fails", "function_silent"),
    ),
    # A migration
    Rule(
        "failed_row",
        SURE,
        f"Fix it, say that nothing of it remains by {resolve_by('rolled_back', '{migration}')}, then {MIGRATE}.",
    ),
    Rule("read_only", SURE, "Use the primary in the inventory, or reset that."),
    Rule(
        "blocked",
        SURE,
        f"Find its owner; SELECT pg_terminate_backend({{blocker}}) ends it. Then {MIGRATE}.",
    ),
    Rule(
        "made_already",
        SURE - 5,
        "It was made by hand or by an interrupted run: compare it, then drop it or mark the "
        "migration as applied.",
    ),
    Rule("not_in_folder", SURE - 5, "Check out its commit: RELEASE_CHECKOUT may be wrong."),
    Rule(
        "edited",
        SURE - 10,
        "Restore the file from git, and write the change as a new migration.",
    ),
    Rule(
        "out_of_order",
        SURE - 10,
        "Give it a new version, or set {database_kind}_migrate_include_all if nothing newer changes its "
        "effect.",
    ),
    Rule(
        "no_baseline",
        SURE,
        f"If it is the right one, name the migrations all of which it has by {{how}}, then {MIGRATE}.",
    ),
    Rule(
        "schema_missing",
        SURE - 5,
        "Somebody removed it later: a restore brings rows back, a new migration only the table.",
    ),
    Rule(
        "tables_missing",
        LIKELY + 10,
        MIGRATE + " applies them.",
        beside("pending"),
        also=("pending",),
        sentence="{subject}: the release's tables {tables} are missing, and its migrations are pending",
    ),
    Rule(
        "tables_missing",
        LIKELY,
        "Check release_expected_tables, and the migrations that should make them.",
        never_with("pending", "schema_missing"),
        sentence="{subject}: the release's tables {tables} are missing, and no migration is pending",
    ),
    Rule(
        "long_transaction",
        LIKELY,
        f"Find its owner; SELECT pg_terminate_backend({{pid}}) ends it. Then {MIGRATE}.",
        never_with("blocked"),
    ),
    # What the release itself noted. A missing image is no crash loop.
    Rule(
        "phase_failed",
        LIKELY - 10,
        f"After fixing the cause: {PLAY}/deploy.yml --tags {{subject}}.",
        title="Failed phase",
    ),
)


SHARED = 100
"""The weight of what most services have at once: nothing about one of them is surer."""
FIGURES = re.compile(r"\d+(?:[.,]\d+)*")
NAMED = 5
"""As many of those that have the same are named."""
PLACES = 8
"""How much evidence a cause is told with."""


def find_causes(facts: t.Iterable[ObservedFact]) -> list[Cause]:
    """The surest first. What is the same of several subjects, but for figures, is one cause."""
    observed = DiagnosisFacts(facts)
    services = {entry.subject for entry in observed.of("standing")}
    results = []
    for rule in RULES:
        alike: dict[str, list[ObservedFact]] = {}
        for fact in observed.of(rule.kind):
            if rule.when(fact, observed):
                alike.setdefault(FIGURES.sub("#", _said(rule, fact, "")), []).append(fact)
        results += [
            _shared(_to_cause(rule, group, observed), group, services) for group in alike.values()
        ]
    return sorted(results, key=lambda cause: -cause.weight)


def _shared(cause: Cause, alike: t.Sequence[ObservedFact], services: t.Collection[str]) -> Cause:
    """What most services have at once comes from what they share, whatever each of them would be told to do."""
    having = {fact.subject for fact in alike} & {*services}
    if len(having) < 3 or 2 * len(having) <= len(services):
        return cause
    return replace(
        cause,
        weight=SHARED,
        sentence=f"{len(having)} of {len(services)} services at once, so look at what they share. {cause.sentence}",
        hint="Look at the nodes, the network and the databases before a single service: kubectl describe nodes",
    )


def _to_cause(rule: Rule, alike: t.Sequence[ObservedFact], facts: DiagnosisFacts) -> Cause:
    first = alike[0]
    subjects = [*dict.fromkeys(fact.subject for fact in alike)]
    sentence = _said(rule, first, listed(subjects, NAMED))
    if len({_said(rule, fact, "") for fact in alike}) > 1:
        others = [name for name in subjects if name != first.subject]
        rest = f"{counted(len(others), 'other')} alike: {listed(others, NAMED)}"
        sentence = f"{_said(rule, first, first.subject)}; {rest}"
    if first.last and rule.kind == "trouble" and len(subjects) == 1:
        sentence += f"; its last words: {first.last.text[:200]}"
    names = ", ".join(f'"{subject}"' for subject in subjects)
    return Cause(
        first.entry,
        rule.weight,
        sentence if sentence.endswith((".", "!", "?")) else f"{sentence}.",
        filled(rule.hint, first.values, subject=subjects[0], names=names).strip(),
        tuple(dict.fromkeys(_places(rule, alike, facts)))[:PLACES],
        rule.title,
    )


def _places(
    rule: Rule, alike: t.Sequence[ObservedFact], facts: DiagnosisFacts
) -> t.Iterator[LinePlace]:
    for fact in alike:
        if fact.last:
            yield fact.last.place
        yield fact.place
    for fact in alike:
        yield from (entry.place for entry in facts.of(*rule.also, subject=fact.subject))


def _said(rule: Rule, fact: ObservedFact, subject: str) -> str:
    return filled(rule.says, fact.values, subject=subject)
