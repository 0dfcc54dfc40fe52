# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Ask for the four numbers that a comparison of cohorts is made of."""

from __future__ import annotations

import math
import typing as t
from dataclasses import dataclass

from .cohorts import Cohorts, Counts
from .logs import LogSource
from .models import Sample
from .state import utc

SINCE = "{since}"
"""Stands in a query for the time at which the watch began, as RFC 3339 in UTC."""
SHARE = "{treated_share}"
"""Stands there for the share of users who are treated, for rows that do not tell."""


class Counter(t.Protocol):
    def sample(self, query: str) -> Sample: ...


@dataclass(frozen=True)
class CohortSource:
    """`treated` and `control` have the queries `seen` and `failed`, or `total`, which `source` answers."""

    source: Counter
    treated: t.Mapping[str, str]
    control: t.Mapping[str, str]

    def count(self, began: float, now: float, share: float | None = None) -> Sample:
        """With all four, or without any and why. InputError when a query itself is wrong.

        `share`: of the users those who are treated, None when nobody knows.
        """
        found: dict[tuple[str, str], float] = {}
        # Failures are asked for first, so that no user fails who is not among those seen.
        number = "failed" if self.treated.get("failed") else "total"
        for what in (number, "seen"):
            for cohort, queries in (("treated", self.treated), ("control", self.control)):
                sample = self._ask(queries[what], began, now, share)
                if sample.value is None:
                    told = "total" if what == "total" else f"users {what}"
                    problem = f"the {cohort} {told} cannot be told: {sample.problem}"
                    return Sample(None, problem, error=sample.error)
                found[cohort, what] = sample.value
        counts = (
            Counts(found[cohort, "seen"], found[cohort, number])
            for cohort in ("treated", "control")
        )
        return Sample(None, counts=Cohorts(*counts))

    def _ask(self, query: str, began: float, now: float, share: float | None) -> Sample:
        query = query.replace(SINCE, utc(began))
        if share is not None:
            query = query.replace(SHARE, f"{share:g}")
        elif SHARE in query:
            return Sample(None, f"the query asks for {SHARE}, which nobody has told")
        if isinstance(self.source, LogSource):
            return self.source.users(query, max(1, math.ceil(now - began)))
        return self.source.sample(query)
