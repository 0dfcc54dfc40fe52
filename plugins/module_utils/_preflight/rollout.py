# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands against rolling the services without downtime, as M(easymo.deploy.rollout_preflight) finds it."""

from __future__ import annotations

import typing as t

from .._kubernetes_client import KUBERNETES
from .._rollout_preflight.checks import find_problems
from .._rollout_preflight.facts import ERROR, Problem, observe_facts
from .._words import counted
from .models import Finding, Ground, Kind, Options, failed, passed
from .options import names


def look(options: Options, ground: Ground) -> t.Sequence[Finding]:
    facts = observe_facts(ground.cluster(), options["services"], release=ground.release)
    return [judge(find_problems(facts), len(options["services"]))]


def judge(problems: t.Sequence[Problem], services: int) -> Finding:
    """Rights are the business of the kind `rbac`, which asks for those of the other phases too."""
    mine = [one for one in problems if one.check != "Access"]
    errors = [str(one) for one in mine if one.severity == ERROR]
    warnings = tuple(f"{one}." for one in mine if one.severity != ERROR)
    if errors:
        return failed(
            f"{len(errors)} problems prevent a rollout without downtime: {'; '.join(errors)}",
            warnings=warnings,
        )
    return passed(f"{counted(services, 'service')} can roll", warnings=warnings)


KIND = Kind(look, {"services": names(required=True)}, (KUBERNETES,))
