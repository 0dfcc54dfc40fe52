# SPDX-License-Identifier: GPL-3.0-or-later
"""From facts to likely causes: sentences with their evidence and what to do next, the surest first. Pure.

What could not be looked at is no fact, so it is never a cause.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import replace

from .._words import counted, listed
from .evidence import LIKELY, Cause, Fact, Place
from .rules import DATABASE_RULES, FUNCTION_RULES, PLAY, Facts, Rule
from .rules_services import SERVICE_RULES

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
        "the release recorded on {host} at {at} that phase {subject} failed: {said}",
        f"After fixing the cause: {PLAY}/deploy.yml --tags {{subject}}.",
        # A missing image is no crash loop.
        title="Failed phase",
    ),
)


def find_causes(facts: t.Iterable[Fact]) -> list[Cause]:
    """The surest first. What is the same of several subjects, but for figures, is one cause."""
    seen = Facts(facts)
    services = {one.subject for one in seen.of("standing")}
    found = []
    for rule in RULES:
        alike: dict[str, list[Fact]] = {}
        for fact in seen.of(rule.kind):
            if rule.when(fact, seen):
                alike.setdefault(FIGURES.sub("#", _said(rule.sentence, fact, "")), []).append(fact)
        found += [
            _shared(_to_cause(rule, group, seen), group, services) for group in alike.values()
        ]
    return sorted(found, key=lambda cause: -cause.weight)


def _shared(cause: Cause, alike: t.Sequence[Fact], services: t.Collection[str]) -> Cause:
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


def _to_cause(rule: Rule, alike: t.Sequence[Fact], facts: Facts) -> Cause:
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
    names = ", ".join(f'"{one}"' for one in subjects)
    return Cause(
        first.entry,
        rule.weight,
        sentence if sentence.endswith((".", "!", "?")) else f"{sentence}.",
        _said(rule.hint, first, subjects[0], names).strip(),
        tuple(dict.fromkeys(_places(rule, alike, facts)))[:PLACES],
        rule.title,
    )


def _places(rule: Rule, alike: t.Sequence[Fact], facts: Facts) -> t.Iterator[Place]:
    for fact in alike:
        last = fact.values.get("last_words") or {}
        if last.get("place"):
            yield _read_place(last["place"])
        yield fact.place
    for fact in alike:
        yield from (one.place for one in facts.of(*rule.also, subject=fact.subject))


def _said(text: str, fact: Fact, subject: str, names: str = "") -> str:
    words = {name: _worded(value) for name, value in fact.values.items()}
    return text.format(**{**words, "subject": subject, "names": names})


def _worded(value: t.Any) -> t.Any:
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else value


def _read_place(text: str) -> Place:
    file, _colon, line = text.rpartition(":")
    return Place(file, int(line))
