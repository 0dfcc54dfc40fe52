# SPDX-License-Identifier: GPL-3.0-or-later
"""A comparison of cohorts in words and numbers, for results, the record and people."""

from __future__ import annotations

import typing as t

from .cohorts import Comparison, Counts, Evidence
from .detectable import Detectable, detectable


def found(comparison: Comparison, evidence: Evidence) -> str:
    """What the users say who were seen: how often each cohort failed, and how strong the evidence is."""
    total = evidence.total
    if comparison.at_most is not None:
        return _values(comparison, evidence)
    often = (
        f"{times(total.ratio)} as often as the control"
        if total.ratio
        else "and nobody of the control"
    )
    margin = f"more than {times(comparison.margin)} as often is " if comparison.margin > 1.0 else ""
    return (
        f"treated users failed {often} ({total.treated.failed:,.0f} of {total.treated.seen:,.0f}, control "
        f"{total.control.failed:,.0f} of {total.control.seen:,.0f}): {margin}evidence {evidence.value(comparison):.3g} "
        f"of {comparison.needed:g}"
    )


def _values(comparison: Comparison, evidence: Evidence) -> str:
    total = evidence.total
    allowed = f"higher by more than {comparison.allowed:g} is " if comparison.allowed else ""
    return (
        f"treated users have {mean(total.treated):.4g} on average, the control {mean(total.control):.4g} "
        f"({total.treated.seen:,.0f} and {total.control.seen:,.0f} users): {allowed}evidence "
        f"{evidence.value(comparison):.3g} of {comparison.needed:g}"
    )


def mean(of: Counts) -> float:
    return of.failed / of.seen if of.seen else 0.0


def could_see(comparison: Comparison, evidence: Evidence) -> str:
    if comparison.nobody:
        return f"compared nobody, for {comparison.nobody}"
    return could_have_seen(detectable(evidence.total, comparison))


def could_have_seen(could: Detectable) -> str:
    """The smallest harm that the watch would have found nine times of ten."""
    if could.ratio is not None:
        return f"could have seen {times(could.ratio)} as many failing users, nine times of ten"
    if could.difference is not None:
        return f"could have seen a mean higher by {could.difference:.3g}, nine times of ten"
    if could.failing is not None:
        return (
            f"could have seen {could.failing:.0f} failing treated users, nine times of ten; nobody of the control "
            "failed, so how many times as many that is, is not known"
        )
    return "could have seen no harm of any size: too few users"


def described(comparison: Comparison, evidence: Evidence, seconds: float) -> dict[str, t.Any]:
    """As result and record have it, of a watch of so many seconds."""
    total, could = evidence.total, detectable(evidence.total, comparison)
    what = "failed" if comparison.at_most is None else "total"
    return {
        "treated": {"seen": total.treated.seen, what: total.treated.failed},
        "control": {"seen": total.control.seen, what: total.control.failed},
        "share": total.share,
        "ratio": total.ratio,
        "at_most": comparison.at_most,
        "worse_than": comparison.margin,
        "worse_by": comparison.allowed,
        "evidence": evidence.value(comparison),
        "needed": comparison.needed,
        "before": comparison.before,
        "resets": evidence.resets,
        "seconds": round(seconds, 1),
        "detectable": {
            "ratio": could.ratio,
            "failing": could.failing,
            "difference": could.difference,
        },
        "could_have_seen": could_see(comparison, evidence),
    }


def times(number: float) -> str:
    return f"{number:.3g} times"


def percent(share: float) -> str:
    return f"{100.0 * share:.3g} %"
