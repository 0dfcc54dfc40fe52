# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""What the newest ended watch of a release tells the next one: its evidence, and how long that one will need. Pure."""

from __future__ import annotations

import typing as t

from .._numbers import number
from .cohorts import Cohorts, Comparison, Counts
from .compared_words import times
from .detectable import seconds_needed

Body = t.Mapping[str, t.Any]


def evidence_before(record: Body, guarded: Body | None = None) -> dict[str, float]:
    """By metric, {} where nothing was compared yet. `guarded` is the guard's own watch, with `began` and `evidence`.

    Of two watches the one that began later has gone on from the other, and what it found replaces that.
    """
    began, compared = _newest(record)
    guarded = guarded or {}
    if str(guarded.get("began") or "") > began:
        found = {name: number(one) for name, one in _inner(guarded, "evidence").items()}
    else:
        found = {name: number(one.get("evidence")) for name, one in compared.items()}
    return {name: one for name, one in found.items() if one is not None}


def newest(record: Body) -> dict[str, Body]:
    """What was compared in the watch that began last, be it phase 7 or a step of the ramp, by metric."""
    return _newest(record)[1]


def _newest(record: Body) -> tuple[str, dict[str, Body]]:
    phase = _inner(_inner(_inner(record, "phases"), "monitoring"), "evidence")
    steps = _inner(_inner(record, "facts"), "ramp_watches").values()
    found = [phase.get("metrics"), *(_body(one).get("samples") for one in steps)]
    best: tuple[str, dict[str, Body]] = ("", {})
    for samples in found:
        entries = [_body(one) for one in samples] if isinstance(samples, list) else []
        entries = [one for one in entries if "comparison" in one]
        began = max((str(one.get("started") or "") for one in entries), default="")
        if entries and began > best[0]:
            best = (began, {str(one.get("name")): _body(one["comparison"]) for one in entries})
    return best


def outlook(
    record: Body, schedule: t.Sequence[Body], *, at: int, watch: float, hold_for: float
) -> list[str]:
    """How long each step above `at` % that must be able to see a harm will need for it, at the traffic seen last."""
    compared = newest(record)
    told = []
    for step in schedule:
        harm, percentage = number(step.get("must_detect")), int(step["percentage"])
        if harm is None or percentage < at:
            continue
        wanted = f"{percentage} % must be able to see {times(harm)} as many failing users"
        failures = [one for one in compared.values() if one.get("at_most") is None]
        needed = [_seconds(one, percentage / 100.0, harm) for one in failures]
        known = [one for one in needed if one is not None]
        if not failures or len(known) < len(needed):
            why = "nobody of the control failed" if failures else "no watch has compared cohorts"
            told.append(f"{wanted}: how long that takes is not known yet, for {why}.")
            continue
        longest = max(known)
        takes = f"{wanted}: about {minutes(longest)} at the traffic of the last watch"
        if longest <= watch:
            told.append(f"{takes}, of the {minutes(watch)} that it is watched.")
        elif longest <= watch + hold_for:
            told.append(f"{takes}, so that it holds {minutes(longest - watch)} beyond its watch.")
        else:
            told.append(
                f"{takes}, longer than the {minutes(watch + hold_for)} that it is watched at most: watch it longer, or "
                "demand less."
            )
    return told


def _seconds(compared: Body, share: float, harm: float) -> float | None:
    total = Cohorts(*(_counts(compared, cohort) for cohort in ("treated", "control")))
    margin, needed = number(compared.get("worse_than")), number(compared.get("needed"))
    comparison = Comparison(
        margin=margin or 1.0,
        alpha=1.0 / (needed or 100.0),
        before=number(compared.get("evidence")) or 0.0,
    )
    seconds = number(compared.get("seconds")) or 0.0
    return seconds_needed(total, seconds, share, comparison, harm)


def _counts(compared: Body, cohort: str) -> Counts:
    one = _inner(compared, cohort)
    return Counts(number(one.get("seen")) or 0.0, number(one.get("failed")) or 0.0)


def minutes(seconds: float) -> str:
    """For people, who read hours as such."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 2 * 3600 else f"{seconds / 3600:.1f} h"


def _inner(body: Body, name: str) -> Body:
    return _body(body.get(name))


def _body(one: t.Any) -> Body:
    return one if isinstance(one, dict) else {}
