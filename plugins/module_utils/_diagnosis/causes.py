# SPDX-License-Identifier: GPL-3.0-or-later
"""From facts to likely causes: sentences with their evidence and what to do next, the surest first. Pure.

What could not be looked at is no fact, so it is never a cause."""

from __future__ import annotations

import re
import typing as t
from dataclasses import replace

from .._formats import counted, listed
from .evidence import LIKELY, POSSIBLE, SURE, Cause, LinePlace, ObservedFact
from .rules import (
    DATABASE_RULES,
    FEATURE_OFF,
    FUNCTION_RULES,
    PLAY,
    SERVICE_BACK,
    DiagnosisFacts,
    Rule,
    dooms,
    is_resource,
    is_symptom,
    mostly_the_same,
    never_with,
    none_is_ready,
    not_rolled_lately,
    passes,
    rolled_lately,
    some_are_ready,
    unexplained,
)

SERVICE_RULES = (
    # A crash loop
    Rule(
        "trouble",
        SURE,
        "{subject}: {cause}",
        "{hint} " + SERVICE_BACK,
        when=dooms,
        also=("change",),
    ),
    Rule("trouble_over", POSSIBLE, "{subject}: {cause}, and its pods are ready again", "{hint}"),
    Rule("trouble", LIKELY, "{subject}: {cause}", "{hint}", when=passes),
    Rule(
        "deployment_missing",
        SURE,
        "{subject}: the cluster has no such Deployment",
        "Correct the name, or ask the administrator to create it.",
    ),
    Rule(
        "unready",
        LIKELY,
        "{subject}: {pods} of {of} new pods run and are not ready ({answer})",
        "Read a pod's health endpoint. " + SERVICE_BACK,
        when=unexplained,
        also=("change",),
    ),
    Rule(
        "paused",
        LIKELY,
        "{subject}: its rollout is paused, so nothing starts",
        "Find out who paused it; then {resume}.",
    ),
    Rule(
        "incomplete",
        POSSIBLE,
        "{subject}: its rollout is still under way ({counts})",
        "Check again in a minute.",
    ),
    # A high error rate
    Rule(
        "service_errors",
        SURE - 10,
        "{subject} fails {share:.1%} of its requests, and was rolled out recently",
        SERVICE_BACK + " " + FEATURE_OFF,
        when=rolled_lately,
        also=("change", "error_lines"),
    ),
    Rule(
        "service_errors",
        LIKELY,
        "{subject} fails {share:.1%} of its requests, and was not rolled out recently",
        FEATURE_OFF + " Then read its errors.",
        when=not_rolled_lately,
        also=("error_lines",),
    ),
    Rule(
        "service_errors",
        POSSIBLE,
        "{subject}, which is none of the services, answers {share:.1%} of its requests with 5xx",
        "Check it and its backends. " + FEATURE_OFF,
        when=lambda fact, facts: never_with("standing")(fact, facts) and unexplained(fact, facts),
    ),
    Rule(
        "error_lines",
        LIKELY + 10,
        "{subject}: {count} of {of} error lines say {pattern!r}",
        "Check what it names. " + FEATURE_OFF,
        when=mostly_the_same,
    ),
    Rule(
        "stale_flags",
        SURE,
        "{subject}: {pods} of {of} pods run with other flags than the ConfigMap has ({detail})",
        f"{PLAY}/deploy.yml --tags feature_flags brings them the release's flags. {FEATURE_OFF}",
    ),
    Rule(
        "dependency",
        SURE - 5,
        "{count} of {of} services say that their {subject} fails ({why})",
        "Look at {subject} first: its dependents recover with it.",
    ),
    Rule(
        "public_fails",
        SURE - 5,
        "{subject}: its public address answers {status} while its pods are ready ({body})",
        "Check the gateway before it, and its health endpoint.",
        when=some_are_ready,
        also=("standing", "service_errors"),
    ),
    Rule(
        "public_fails",
        LIKELY,
        "{subject}: its public address answers {status}, and none of its pods is ready ({body})",
        f"{PLAY}/diagnose.yml -e diagnose=crash_loop -e service={{subject}} examines its pods.",
        when=none_is_ready,
        also=("standing",),
    ),
    Rule(
        "public_fails",
        LIKELY - 10,
        "{subject}: its public address answers {status}, and it is unknown whether its pods are "
        "ready ({body})",
        "Check its pods and the gateway before them.",
        when=never_with("standing"),
    ),
    Rule(
        "public_silent",
        LIKELY,
        "{subject}: its public address does not answer ({answer})",
        "Check the gateway, DNS and the network.",
    ),
    Rule(
        "unwell",
        SURE - 5,
        "{subject} is not well: {answer}",
        f"{PLAY}/diagnose.yml -e diagnose=crash_loop -e service={{subject}} examines its pods.",
    ),
    Rule(
        "metric_breach",
        LIKELY,
        "{subject} is {value:.4g} {unit}, {bound}",
        "Check what it measures. " + FEATURE_OFF,
        when=is_resource,
    ),
    Rule(
        "metric_breach",
        POSSIBLE,
        "{subject} is {value:.4g} {unit}, {bound}, probably because of the last change",
        FEATURE_OFF,
        when=is_symptom,
        also=(),
    ),
    Rule(
        "no_flags",
        LIKELY,
        "there is no ConfigMap {subject}, so agents run with their built-in flags",
        f"{PLAY}/deploy.yml --tags feature_flags writes it.",
    ),
)

SHARED = 100
"""The weight of what most services have at once: nothing about one of them is surer."""
FIGURES = re.compile(r"\d+(?:[.,]\d+)*")
NAMED = 5
"""As many of those that have the same are named."""
PLACES = 8
"""How much evidence a cause is told with."""

RULES = (
    *SERVICE_RULES,
    *FUNCTION_RULES,
    *DATABASE_RULES,
    # What the release itself noted, whatever it was
    Rule(
        "phase_failed",
        LIKELY - 10,
        "the release recorded on {host} at {at} that phase {subject} failed: {answer}",
        f"After fixing the cause: {PLAY}/deploy.yml --tags {{subject}}.",
        # A missing image is no crash loop.
        title="Failed phase",
    ),
)


def find_causes(facts: t.Iterable[ObservedFact]) -> list[Cause]:
    """The surest first. What is the same of several subjects, but for figures, is one cause."""
    observed = DiagnosisFacts(facts)
    services = {entry.subject for entry in observed.of("standing")}
    results = []
    for rule in RULES:
        alike: dict[str, list[ObservedFact]] = {}
        for fact in observed.of(rule.kind):
            if rule.when(fact, observed):
                alike.setdefault(FIGURES.sub("#", _said(rule.sentence, fact, "")), []).append(fact)
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
    sentence = _said(rule.sentence, first, listed(subjects, NAMED))
    if len({_said(rule.sentence, fact, "") for fact in alike}) > 1:
        others = [name for name in subjects if name != first.subject]
        rest = f"{counted(len(others), 'other')} alike: {listed(others, NAMED)}"
        sentence = f"{_said(rule.sentence, first, first.subject)}; {rest}"
    last = first.values.get("last_words") or {}
    if last.get("text") and rule.kind == "trouble" and len(subjects) == 1:
        sentence += f"; its last words: {last['text'][:200]}"
    names = ", ".join(f'"{subject}"' for subject in subjects)
    return Cause(
        first.entry,
        rule.weight,
        sentence if sentence.endswith((".", "!", "?")) else f"{sentence}.",
        _said(rule.hint, first, subjects[0], names).strip(),
        tuple(dict.fromkeys(_places(rule, alike, facts)))[:PLACES],
        rule.title,
    )


def _places(
    rule: Rule, alike: t.Sequence[ObservedFact], facts: DiagnosisFacts
) -> t.Iterator[LinePlace]:
    for fact in alike:
        last = fact.values.get("last_words") or {}
        if last.get("place"):
            yield _read_place(last["place"])
        yield fact.place
    for fact in alike:
        yield from (entry.place for entry in facts.of(*rule.also, subject=fact.subject))


def _said(text: str, fact: ObservedFact, subject: str, names: str = "") -> str:
    words = {name: _worded(value) for name, value in fact.values.items()}
    return text.format(**{**words, "subject": subject, "names": names})


def _worded(value: t.Any) -> t.Any:
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else value


def _read_place(text: str) -> LinePlace:
    file, _colon, line = text.rpartition(":")
    return LinePlace(file, int(line))
