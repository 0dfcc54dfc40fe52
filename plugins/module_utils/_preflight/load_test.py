# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a load test was large enough and its answers good enough, as its summary in JSON tells."""

from __future__ import annotations

import typing as t

from .._http import REQUESTS
from .documents import DOCUMENT, number, origin_of, parse_json, place_of, read_document, strangeness
from .models import Finding, Ground, Kind, Options, failed, held, passed


def look(options: Options, ground: Ground) -> t.Sequence[Finding]:
    where = place_of(options)
    summary = parse_json(read_document(options, ground), where)
    return [judge(summary, options, ground, where)]


def judge(
    summary: t.Mapping[str, t.Any], bounds: t.Mapping[str, t.Any], ground: Ground, where: str
) -> Finding:
    """Only the bounds that are set count; a rate and a duration must be below theirs."""
    strange = strangeness(origin_of(summary), ground, where)
    if strange is not None:
        return strange
    users, rate, p95 = (number(summary, key) for key in ("users", "error_rate", "p95_seconds"))
    wrong: list[str] = []
    unknown: list[str] = []
    good: list[str] = []
    for name, value, bound, fine, words in (
        ("users", users, bounds["least_users"], _at_least, "{0:g} users (at least {1:g})"),
        ("error_rate", rate, bounds["error_rate"], _below, "error rate {0:.2%} (below {1:.2%})"),
        ("p95_seconds", p95, bounds["p95"], _below, "p95 {0:.3g} s (below {1:g} s)"),
    ):
        if bound is None:
            continue
        if value is None:
            unknown.append(name)
        else:
            (good if fine(value, bound) else wrong).append(words.format(value, bound))
    if wrong:
        return failed(f"{', '.join(wrong)}, says {where}: find the cause, and test again")
    if unknown:
        return held(f"{where} has no number as {', '.join(unknown)}")
    return passed(", ".join(good) or "no bound was set")


def _at_least(value: float, bound: float) -> bool:
    return value >= bound


def _below(value: float, bound: float) -> bool:
    return 0 <= value < bound


KIND = Kind(
    look,
    {
        **DOCUMENT,
        "least_users": {"type": "float"},
        "error_rate": {"type": "float"},
        "p95": {"type": "float"},
    },
    (REQUESTS,),
)
