# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""What a rule is that makes a cause of a fact, and the conditions and commands that rules share. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .models import Fact

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


class Facts:
    def __init__(self, facts: t.Iterable[Fact]) -> None:
        self.all = tuple(facts)

    def of(self, *kinds: str, subject: str = "") -> list[Fact]:
        return [
            one for one in self.all if one.kind in kinds and (not subject or one.subject == subject)
        ]


def always(_fact: Fact, _facts: Facts) -> bool:
    return True


def never_with(*kinds: str) -> t.Callable[[Fact, Facts], bool]:
    """Only while no fact of these kinds is there about the same."""
    return lambda fact, facts: not facts.of(*kinds, subject=fact.subject)


def without(*kinds: str) -> t.Callable[[Fact, Facts], bool]:
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
    when: t.Callable[[Fact, Facts], bool] = always
    also: tuple[str, ...] = ()
    title: str = ""


def dooms(fact: Fact, _facts: Facts) -> bool:
    return bool(fact.values["dooms"])


def passes(fact: Fact, _facts: Facts) -> bool:
    return not fact.values["dooms"]


def unexplained(fact: Fact, facts: Facts) -> bool:
    """Whether its own health names nothing that it depends on in vain."""
    return not facts.of("public_unwell", subject=fact.subject)


def rolled_lately(fact: Fact, facts: Facts) -> bool:
    changes = facts.of("change", subject=fact.subject)
    lately = any(one.values["minutes"] <= RECENT for one in changes)
    return lately and unexplained(fact, facts)


def not_rolled_lately(fact: Fact, facts: Facts) -> bool:
    known = facts.of("standing", subject=fact.subject)
    return bool(known) and unexplained(fact, facts) and not rolled_lately(fact, facts)


def some_are_ready(fact: Fact, facts: Facts) -> bool:
    return any(one.values["ready"] > 0 for one in facts.of("standing", subject=fact.subject))


def none_is_ready(fact: Fact, facts: Facts) -> bool:
    return any(one.values["ready"] == 0 for one in facts.of("standing", subject=fact.subject))


def mostly_the_same(fact: Fact, _facts: Facts) -> bool:
    return bool(fact.values["count"] >= SHARE * fact.values["of"])


def is_symptom(fact: Fact, _facts: Facts) -> bool:
    return fact.subject in ("error_rate", "response_time_p95", "agent_success_rate")


def is_resource(fact: Fact, facts: Facts) -> bool:
    return not is_symptom(fact, facts)


def with_code(*codes: str) -> t.Callable[[Fact, Facts], bool]:
    return lambda fact, _facts: fact.values["code"] in codes


def of_its_own(fact: Fact, _facts: Facts) -> bool:
    return not fact.values["code"]
