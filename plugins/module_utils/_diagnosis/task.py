# SPDX-License-Identifier: GPL-3.0-or-later
"""From a module's parameters to a diagnosis: what is known to be secret, who looks, and what it comes to."""

from __future__ import annotations

import typing as t
from dataclasses import replace
from datetime import datetime

from .._messages.redactor import Redactor
from .._secret_forms import holds_secret
from .._terminal.commands import Typed
from .causes import find_causes
from .collectors import collectors_of
from .evidence import Diagnosis, Limits
from .gather import gather

INNOCENT = frozenset({"secrets", "required_secrets"})
"""Options that name secrets and hold none."""


def diagnose_platform(params: t.Mapping[str, t.Any], now: datetime) -> Diagnosis:
    limits = Limits(
        lines=params["log_lines"],
        bytes=params["log_bytes"],
        pods=params["pods"],
        seconds=params["timeout"],
    )
    redactor = Redactor([*params["redact"], *secrets_within(params)])
    parts = gather(collectors_of(params), redactor=redactor, limits=limits)
    causes = find_causes(fact for part in parts for fact in part.facts)
    typed = Typed(params["playbooks"], tuple(params["inventory"]), params["program"])
    return Diagnosis(
        release=params["release"],
        at=now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        entries=tuple(one for one in params["entries"]),
        parts=parts,
        causes=tuple(replace(one, hint=typed.completed(one.hint)) for one in causes),
        missing_secrets=tuple(params.get("missing_secrets") or ()),
    )


def secrets_within(value: t.Any, name: str = "") -> t.Iterator[str]:
    """The values of all options that hold one, however deep."""
    if isinstance(value, str):
        if value and holds_secret(name):
            yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key not in INNOCENT:
                yield from secrets_within(inner, str(key))
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from secrets_within(inner, name)
