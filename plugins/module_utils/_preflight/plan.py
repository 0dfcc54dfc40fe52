# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the phases of a release are those of the deployment, in its order, and have something to work on."""

from __future__ import annotations

import typing as t

from .models import Finding, Ground, Kind, Options, failed, passed


def look(options: Options, _ground: Ground) -> t.Sequence[Finding]:
    problems = problems_of(options["phases"], options["known"], options["needs"])
    if problems:
        return [failed("; ".join(problems))]
    left_out = [name for name in options["known"] if name not in options["phases"]]
    told = f"{len(options['phases'])} phases"
    return [passed(f"{told}, without {', '.join(left_out)}" if left_out else told)]


def problems_of(
    phases: t.Sequence[str],
    known: t.Sequence[str],
    needs: t.Mapping[str, t.Mapping[str, t.Any]],
) -> list[str]:
    """A clause for each. `needs`: by phase, `what` it works on, in words, and what is `found` of it."""
    unknown = [name for name in phases if name not in known]
    twice = sorted({name for name in phases if phases.count(name) > 1})
    problems = [
        f"{name} is not a phase: write one of {', '.join(known)} into release_plan"
        for name in unknown
    ]
    problems += [f"release_plan has {name} twice: keep one" for name in twice]
    ours = [name for name in phases if name in known]
    ordered = sorted(ours, key=known.index)
    if ours != ordered:
        problems.append(
            f"release_plan has its phases in another order than they run in: {', '.join(ordered)}"
        )
    if known and known[-1] not in phases:
        problems.append(
            f"without {known[-1]} the release never ends: add it as the last of release_plan"
        )
    problems += [
        f"phase {name} has nothing to do: give the release {needs[name]['what']}, "
        "or leave the phase out of release_plan"
        for name in phases
        if name in needs and not needs[name]["found"]
    ]
    return problems


KIND = Kind(
    look,
    {
        "phases": {"type": "list", "elements": "str", "required": True},
        "known": {"type": "list", "elements": "str", "required": True},
        "needs": {"type": "dict", "default": {}},
    },
)
