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
"""The four entries of trouble."""
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
LOOK_BACK = "Look at what was changed last."
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
    "function_errors": "{subject} answers and has {count} error lines in the last hour, the last: {line}",
    # A migration
    "failed_row": "{subject}: migration {migration} of {at} failed and blocks the others: {answer}",
    "read_only": "{subject} is read-only ({why}), so nothing can be migrated",
    "blocked": "{subject}: {who} waits for a lock that {by} holds",
    "long_transaction": "{subject}: {who} has had a transaction open for {seconds} s; migrations wait for its locks",
    "pending": "{subject}: pending are {migrations}",
    "not_in_folder": "{subject}: {migrations} is applied but not in the checkout",
    "edited": "{subject}: {migration} was edited after it was applied ({how})",
    "out_of_order": "{subject}: {files} would run after newer ones that are applied",
    "no_baseline": "{subject} has tables and no history of Prisma",
    "tables_missing": "{subject}: the release's tables {tables} are missing",
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
        """Its own, or that of the entry that it is an answer to."""
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


def beside(*kinds: str) -> Condition:
    """Only with a fact of these kinds about the same."""
    return lambda fact, facts: bool(facts.of(*kinds, subject=fact.subject))


def never_with(*kinds: str) -> Condition:
    """Only while no fact of these kinds is there about the same."""
    return lambda fact, facts: not facts.of(*kinds, subject=fact.subject)


def changed_lately(fact: ObservedFact, facts: DiagnosisFacts) -> bool:
    changes = facts.of("change", subject=fact.subject)
    return any(change.values["minutes"] <= RECENT for change in changes)


def with_ready_pods(fact: ObservedFact, facts: DiagnosisFacts) -> bool:
    return any(entry.values["ready"] for entry in facts.of("standing", subject=fact.subject))


def of_most_lines(fact: ObservedFact, _facts: DiagnosisFacts) -> bool:
    return bool(fact.values["count"] >= SHARE * fact.values["of"])


def while_the_gateway_answers(_fact: ObservedFact, facts: DiagnosisFacts) -> bool:
    return not facts.of("gateway_silent")


unexplained = never_with("public_unwell")
"""Its own health names nothing that it depends on in vain."""


CURES: t.Mapping[str, str] = {
    # A crash loop
    **dict.fromkeys(("trouble", "trouble_over"), "{hint}"),
    "deployment_missing": "Correct the name, or ask the administrator to create it.",
    "unready": f"Read a pod's health endpoint. {SERVICE_BACK}",
    "paused": "Find out who paused it; then {resume}.",
    "incomplete": "Check again in a minute.",
    # A high error rate
    "error_lines": f"Check what it names. {FEATURE_OFF}",
    "stale_flags": f"{PLAY}/deploy.yml --tags feature_flags brings them the release's flags. {FEATURE_OFF}",
    "dependency": "Look at {subject} first: its dependents recover with it.",
    "public_silent": "Check the gateway, DNS and the network.",
    **dict.fromkeys(("unwell", "public_fails"), EXAMINE),
    "metric_breach": f"Check what it measures. {FEATURE_OFF}",
    "no_flags": f"{PLAY}/deploy.yml --tags feature_flags writes it.",
    # An edge function
    "gateway_silent": "Check the project's status, DNS and the network: deploying again would change nothing.",
    **dict.fromkeys(("jwt_policy", "not_listed", "not_active"), DEPLOY_FUNCTIONS),
    "no_secret": "Set it: supabase secrets set {subject}=… , or the module easymo.deploy.edge_functions.",
    "function_silent": READ_FUNCTION,
    "function_errors": "Read its log.",
    # A migration
    "failed_row": "Fix it, say that nothing of it remains by "
    f"{resolve_by('rolled_back', '{migration}')}, then {MIGRATE}.",
    "read_only": "Use the primary in the inventory, or reset that.",
    "blocked": f"Find its owner; SELECT pg_terminate_backend({{blocker}}) ends it. Then {MIGRATE}.",
    "not_in_folder": "Check out its commit: RELEASE_CHECKOUT may be wrong.",
    "edited": "Restore the file from git, and write the change as a new migration.",
    "out_of_order": "Give it a new version, or set {database_kind}_migrate_include_all if nothing newer "
    "changes its effect.",
    "no_baseline": f"If it is the right one, name the migrations all of which it has by {{how}}, then {MIGRATE}.",
    "tables_missing": f"{MIGRATE} applies what is pending. Else check release_expected_tables.",
    "long_transaction": f"Find its owner; SELECT pg_terminate_backend({{pid}}) ends it. Then {MIGRATE}.",
    # What the release itself noted, whatever it was
    "phase_failed": f"After fixing the cause: {PLAY}/deploy.yml --tags {{subject}}.",
}
"""What helps where a kind of fact is a cause, filled in as its sentence is."""


@dataclass(frozen=True)
class Rule:
    """`hint` and `sentence`, in place of its kind's, are filled in with the fact's `subject` and values.

    Of several subjects with the same sentence one cause is made: then `subject` is all of them in the sentence and the
    first in the hint, which may have all as `names`, quoted.

    `also`: kinds of facts about the same whose places belong to the evidence. `title`: in place of its entry's.
    """

    kind: str
    weight: int
    when: Condition = always
    also: tuple[str, ...] = ()
    hint: str = ""
    sentence: str = ""
    title: str = ""

    @property
    def says(self) -> str:
        return self.sentence or SENTENCES[self.kind]

    @property
    def cure(self) -> str:
        return self.hint or CURES[self.kind]


def _fails(weight: int, hint: str, says: str, *codes: str) -> Rule:
    """By the code of the platform's answer, which is empty where the function answered itself."""
    sentence = f"{{subject}} {says}: {{problem}}"
    return Rule(
        "function_fails", weight, having("code", *codes), ("function_errors",), hint, sentence
    )


RULES = (
    # A crash loop
    Rule("trouble", SURE, having("dooms", True), ("change",), "{hint} " + SERVICE_BACK),
    Rule("trouble_over", POSSIBLE),
    Rule("trouble", LIKELY, having("dooms", False)),
    Rule("deployment_missing", SURE),
    Rule("unready", LIKELY, unexplained, ("change",)),
    Rule("paused", LIKELY),
    Rule("incomplete", POSSIBLE),
    # A high error rate
    Rule(
        "service_errors",
        SURE - 10,
        all_of(unexplained, changed_lately),
        ("change", "error_lines"),
        f"{SERVICE_BACK} {FEATURE_OFF}",
        "{subject} fails {share:.1%} of its requests, and was rolled out recently",
    ),
    Rule(
        "service_errors",
        LIKELY,
        all_of(unexplained, beside("standing"), lambda *given: not changed_lately(*given)),
        ("error_lines",),
        FEATURE_OFF + " Then read its errors.",
        "{subject} fails {share:.1%} of its requests, and was not rolled out recently",
    ),
    Rule(
        "service_errors",
        POSSIBLE,
        never_with("standing", "public_unwell"),
        (),
        "Check it and its backends. " + FEATURE_OFF,
        "{subject}, which is none of the services, answers {share:.1%} of its requests with 5xx",
    ),
    Rule("error_lines", LIKELY + 10, of_most_lines),
    Rule("stale_flags", SURE),
    Rule("dependency", SURE - 5),
    Rule(
        "public_fails",
        SURE - 5,
        with_ready_pods,
        ("standing", "service_errors"),
        "Check the gateway before it, and its health endpoint.",
        "{subject}: its public address answers {status} while its pods are ready ({body})",
    ),
    Rule(
        "public_fails",
        LIKELY,
        lambda *given: not with_ready_pods(*given),
        ("standing",),
        sentence="{subject}: its public address answers {status}, and no pod is known to be ready ({body})",
    ),
    Rule("public_silent", LIKELY),
    Rule("unwell", SURE - 5),
    Rule("metric_breach", LIKELY, lambda fact, _facts: fact.subject not in SYMPTOMS),
    Rule(
        "metric_breach",
        POSSIBLE,
        lambda fact, _facts: fact.subject in SYMPTOMS,
        hint=FEATURE_OFF,
        sentence="{subject} is {value:.4g} {unit}, {bound}, probably because of the last change",
    ),
    Rule("no_flags", LIKELY),
    # An edge function
    Rule("gateway_silent", SURE),
    Rule("jwt_policy", SURE, also=("function_fails",)),
    Rule("not_listed", SURE, also=("function_fails",)),
    Rule("not_active", SURE, also=("function_fails",)),
    Rule("no_secret", SURE - 5, also=("function_errors",)),
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
        all_of(having("code", "UNAUTHORIZED"), never_with("jwt_policy")),
        hint="Check its policy in the release. " + DEPLOY_FUNCTIONS,
        sentence="{subject}: the gateway requires a JWT, so it refuses callers without one",
    ),
    Rule(
        "function_fails",
        LIKELY,
        all_of(having("code", "NOT_FOUND"), never_with("not_listed")),
        hint=DEPLOY_FUNCTIONS,
        sentence="{subject} is unknown to the gateway: {problem}",
    ),
    Rule("function_silent", LIKELY + 10, while_the_gateway_answers, ("function_errors",)),
    Rule("function_errors", POSSIBLE, never_with("function_fails", "function_silent")),
    # A migration
    Rule("failed_row", SURE),
    Rule("read_only", SURE),
    Rule("blocked", SURE),
    Rule("not_in_folder", SURE - 5),
    Rule("edited", SURE - 10),
    Rule("out_of_order", SURE - 10),
    Rule("no_baseline", SURE),
    Rule("tables_missing", LIKELY, also=("pending",)),
    Rule("long_transaction", LIKELY, never_with("blocked")),
    # What the release itself noted. A missing image is no crash loop.
    Rule("phase_failed", LIKELY - 10, title="Failed phase"),
)


SHARED = 100
"""The weight of what most services have at once: nothing about one of them is surer."""
FIGURES = re.compile(r"\d+(?:[.,]\d+)*")
NAMED = 5
"""As many of those that have the same are named."""
PLACES = 8
"""How much evidence a cause is told with."""


def find_causes(facts: t.Iterable[ObservedFact], *, feature: bool = True) -> list[Cause]:
    """The surest first. What is the same of several subjects, but for figures, is one cause.

    `feature`: whether there is one to switch off.
    """
    observed = DiagnosisFacts(facts)
    services = {entry.subject for entry in observed.of("standing")}
    results = []
    for rule in RULES:
        alike: dict[str, list[ObservedFact]] = {}
        for fact in observed.of(rule.kind):
            if rule.when(fact, observed):
                alike.setdefault(FIGURES.sub("#", _worded(rule, fact, "")), []).append(fact)
        results += [
            _shared(_to_cause(rule, group, observed, feature), group, services)
            for group in alike.values()
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
        hint="Look at the nodes, the network and what all of them use before a single service: kubectl describe nodes",
    )


def _to_cause(
    rule: Rule, alike: t.Sequence[ObservedFact], facts: DiagnosisFacts, feature: bool
) -> Cause:
    first = alike[0]
    subjects = [*dict.fromkeys(fact.subject for fact in alike)]
    sentence = _worded(rule, first, listed(subjects, NAMED))
    if len({_worded(rule, fact, "") for fact in alike}) > 1:
        others = [name for name in subjects if name != first.subject]
        rest = f"{counted(len(others), 'other')} alike: {listed(others, NAMED)}"
        sentence = f"{_worded(rule, first, first.subject)}; {rest}"
    if first.last and rule.kind == "trouble" and len(subjects) == 1:
        sentence += f"; its last words: {first.last.text[:200]}"
    names = ", ".join(f'"{subject}"' for subject in subjects)
    cure = rule.cure if feature else rule.cure.replace(FEATURE_OFF, "").strip() or LOOK_BACK
    return Cause(
        first.entry,
        rule.weight,
        sentence if sentence.endswith((".", "!", "?")) else f"{sentence}.",
        filled(cure, first.values, subject=subjects[0], names=names).strip(),
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


def _worded(rule: Rule, fact: ObservedFact, subject: str) -> str:
    return filled(rule.says, fact.values, subject=subject)
