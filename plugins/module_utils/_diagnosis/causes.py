# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""From facts to likely causes: sentences with their evidence and what to do next, the surest first. Pure.

What could not be looked at is no fact, so it is never a cause.
"""

from __future__ import annotations

import typing as t

from ansible_collections.easymo.deploy.plugins.module_utils._diagnosis.models import (
    LIKELY,
    Cause,
    Fact,
    Place,
)
from ansible_collections.easymo.deploy.plugins.module_utils._diagnosis.rules import (
    PLAY,
    Facts,
    Rule,
)
from ansible_collections.easymo.deploy.plugins.module_utils._diagnosis.rules_databases import (
    DATABASE_RULES,
)
from ansible_collections.easymo.deploy.plugins.module_utils._diagnosis.rules_functions import (
    FUNCTION_RULES,
)
from ansible_collections.easymo.deploy.plugins.module_utils._diagnosis.rules_services import (
    SERVICE_RULES,
)

RULES = (
    *SERVICE_RULES,
    *FUNCTION_RULES,
    *DATABASE_RULES,
    # What the release itself noted, whatever it was
    Rule(
        "phase_failed",
        LIKELY - 10,
        "the release noted on {host} at {at} that phase {subject} failed: {said}",
        f"When its cause is gone: {PLAY}/deploy_v2.yml --tags {{subject}}.",
    ),
)


def find_causes(facts: t.Iterable[Fact]) -> list[Cause]:
    """The surest first, each sentence once."""
    seen = Facts(facts)
    found = [
        _to_cause(rule, fact, seen)
        for rule in RULES
        for fact in seen.of(rule.kind)
        if rule.when(fact, seen)
    ]
    unique: dict[tuple[str, str], Cause] = {}
    for cause in found:
        unique.setdefault((cause.entry, cause.sentence), cause)
    return sorted(unique.values(), key=lambda cause: -cause.weight)


def _to_cause(rule: Rule, fact: Fact, facts: Facts) -> Cause:
    words = {name: _worded(value) for name, value in fact.values.items()}
    words = {**words, "subject": fact.subject}
    last = fact.values.get("last_words") or {}
    sentence = rule.sentence.format(**words)
    if last.get("text") and rule.kind == "trouble":
        sentence += f"; its last words: {last['text'][:200]}"
    places = [_read_place(last["place"])] if last.get("place") else []
    places += [fact.place, *(one.place for one in facts.of(*rule.also, subject=fact.subject))]
    return Cause(
        fact.entry,
        rule.weight,
        f"{sentence}.",
        rule.hint.format(**words).strip(),
        tuple(dict.fromkeys(places)),
    )


def _worded(value: t.Any) -> t.Any:
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else value


def _read_place(text: str) -> Place:
    file, _colon, line = text.rpartition(":")
    return Place(file, int(line))
