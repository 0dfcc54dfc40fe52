# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether everything that no machine can check was signed by a person, a row for each line."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from .._errors import DeployError
from .._release.models import SIGN_OFFS
from .._sign_off.plan import (
    Given,
    Subject,
    Wanted,
    counts,
    known_sign_offs,
    missing_because,
    plan_sign_off,
    read_given,
    read_wanted,
    subject_of,
)
from .._time import format_time
from .models import FAIL, HOLD, PASS, Finding, Ground, Kind, Options
from .options import WANTED


def look(options: Options, ground: Ground) -> t.Sequence[Finding]:
    record = ground.record.get()
    wanted = read_wanted(options["required"])
    subject = subject_of(record, ground.release, ground.commit.get())
    known = known_sign_offs(record)
    now = format_time(ground.now)
    new, problems = sign_given(known, wanted, options["given"], subject, now)
    rows = [judge(one, {**known, **new}.get(one.name), subject) for one in wanted]
    signed = [
        replace(row, facts={SIGN_OFFS: {one.name: new[one.name]}}) if one.name in new else row
        for one, row in zip(wanted, rows, strict=True)
    ]
    refused = [
        Finding(FAIL, detail, name=f"given_sign_off_{name}") for name, detail in problems.items()
    ]
    return [*signed, *refused]


def sign_given(
    known: t.Mapping[str, Given],
    wanted: t.Sequence[Wanted],
    given: t.Mapping[str, t.Any],
    subject: Subject,
    now: str,
) -> tuple[dict[str, Given], dict[str, str]]:
    """What the inventory or the command line signs, and what of it is refused."""
    new: dict[str, Given] = {}
    problems = {}
    for ask in read_given(given):
        signed = known.get(ask.name)
        if signed is not None and counts(signed, subject) and not ask.instead:
            # Whoever signed by themselves did more than whoever is only named here.
            continue
        try:
            new |= plan_sign_off(known, wanted, ask, subject, now)
        except DeployError as exc:
            problems[ask.name] = str(exc)
    return new, problems


def judge(wanted: Wanted, given: Given | None, subject: Subject) -> Finding:
    """What nobody signed holds, and is no failure."""
    name = f"sign_off_{wanted.name}"
    problem = missing_because(wanted, given, subject)
    if problem or given is None:
        return Finding(HOLD, problem, name=name, item=wanted.item)
    note = f", {given.get('note')}" if given.get("note") else ""
    return Finding(
        PASS, f"{given.get('by')} signed it at {given.get('at')}{note}", name=name, item=wanted.item
    )


KIND = Kind(
    look,
    {"required": WANTED, "given": {"type": "dict", "default": {}}},
    reads_record=True,
)
