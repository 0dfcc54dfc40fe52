# SPDX-License-Identifier: GPL-3.0-or-later
"""From facts to likely causes: sentences with their evidence and what to do next, the surest first. Pure.

What could not be looked at is no fact, so it is never a cause."""

from __future__ import annotations

import re
import typing as t
from dataclasses import replace

from .._formats import counted, listed
from .evidence import Cause
from .rules import RULES, DiagnosisFacts, LinePlace, ObservedFact, Rule, filled

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
