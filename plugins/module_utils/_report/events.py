# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""What people did while a release went on, with its time: the kill switch, decisions, the ramp, the rollback."""

from __future__ import annotations

import typing as t
from datetime import datetime

from .._time import parse_time
from .reader import Reader, dictionaries, inner, text


def acts(reader: Reader) -> t.Iterator[tuple[datetime | None, str]]:
    facts = reader.mapping("facts")
    for at, one in reader.named("kill_switches", facts.get("kill_switches")):
        yield (
            parse_time(at),
            f"{text(one.get('by'))} used the kill switch: {text(one.get('reason'))}",
        )
    for _key, one in reader.named("decisions", facts.get("decisions")):
        decided = f"{text(one.get('by'))} decided at {text(one.get('gate'))}: {text(one.get('decision'))}."
        yield parse_time(one.get("at")), decided
    for one in dictionaries(inner(facts, "ramp").get("history")):
        told = f"The ramp: {text(one.get('what'))}, now at {text(one.get('to'))} %."
        yield parse_time(one.get("at")), told
    for name, phase in reader.named("phases", reader.mapping("phases")):
        for one in dictionaries(phase.get("interruptions")):
            told = f"{text(one.get('by'))} took up phase {name}: the run before ended in it."
            yield parse_time(one.get("at")), told
    asked = inner(facts, "rollback_asked")
    if asked:
        who = text(asked.get("by")) or "Somebody"
        yield parse_time(asked.get("at")), f"{who} rolled back: {text(asked.get('reason'))}"
    if reader.text("status") == "rolled_back":
        yield parse_time(reader.text("finished")), "The rollback was done."


def in_order(reader: Reader) -> list[tuple[datetime, str]]:
    """Those with a time."""
    return sorted(((at, said) for at, said in acts(reader) if at), key=lambda one: one[0])
