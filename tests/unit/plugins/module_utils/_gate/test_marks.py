# SPDX-License-Identifier: GPL-3.0-or-later
"""A value is judged alike while it is watched, afterwards in Slack, and in the report."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._gate.models import (
    Bounds,
    Metric,
    Sample,
)
from ansible_collections.easymo.deploy.plugins.module_utils._messages.record_reader import mark_of
from ansible_collections.easymo.deploy.plugins.module_utils._report.plot import plot_of
from ansible_collections.easymo.deploy.plugins.module_utils._report.sections.metrics import watched

BOUNDS = Bounds(minimum=0, maximum=1, below=-5, above=2)


def recorded(bounds: Bounds, **more: t.Any) -> dict[str, t.Any]:
    return {
        "name": "lag",
        "unit": "",
        "pass": {"min": bounds.minimum, "max": bounds.maximum},
        "rollback": {"below": bounds.below, "above": bounds.above},
        **more,
    }


@pytest.mark.parametrize(
    ("value", "mark"),
    [
        (0.5, "good"),
        (1.5, "between"),
        (3, "breach"),
        (-1, "between"),
        (-6, "breach"),
        (11, "breach"),
    ],
)
def test_the_watch_slack_and_the_report_agree(value: float, mark: str) -> None:
    entry = recorded(BOUNDS, last=value, points=[[0, value]])
    metric = Metric("lag", "prometheus", "x", "", BOUNDS)
    assert metric.mark(Sample(value)).told == mark
    assert mark_of(entry) == mark
    plot = plot_of("lag", "", [(0.0, value)], Bounds.from_result(entry))
    assert plot is not None
    assert (len(plot.breaches), len(plot.between)) == (mark == "breach", mark == "between")
    assert (
        watched("lag", entry).verdict.tone
        == {"good": "good", "between": "warn", "breach": "bad"}[mark]
    )


def test_what_the_watch_kept_counts() -> None:
    """Whatever the bounds say to whoever reads them later."""
    assert mark_of(recorded(BOUNDS, last=0.5, mark="breach")) == "breach"
    assert mark_of(recorded(BOUNDS, last=None, mark="missing")) == "missing"


@pytest.mark.parametrize("broken", [{}, {"pass": None, "rollback": "x"}, {"pass": {"max": "1"}}])
def test_a_metric_without_bounds_that_can_be_read_has_no_mark(broken: dict[str, t.Any]) -> None:
    assert mark_of({"name": "lag", "last": 5, **broken}) == ""
