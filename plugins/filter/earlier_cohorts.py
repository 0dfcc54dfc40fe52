# SPDX-License-Identifier: GPL-3.0-or-later
"""What the cohorts that were compared before tell the next watch."""

from __future__ import annotations

DOCUMENTATION = r"""
name: earlier_cohorts
short_description: What the cohorts that were compared before tell the next watch
version_added: 0.3.0
author: Maintainers of easymo.deploy (@easymo)
description:
  - Takes the watch of a release that began last, of phase monitoring or of a step of the ramp, and what
    M(easymo.deploy.metrics_gate) found there of users with the feature and those without.
positional: _input
options:
  _input:
    description: A release record.
    type: dict
    required: true
  schedule:
    description: The steps of the ramp, as O(easymo.deploy.feature_ramp#module:schedule).
    type: list
    elements: dict
    required: true
  at:
    description: The percentage now. Nothing is told of steps below.
    type: int
    default: 0
  watch:
    description: Seconds for which a step is watched.
    type: float
    required: true
  hold_for:
    description: Seconds for which a step holds after that, until its watch can see what it must.
    type: float
    default: 0
  guarded:
    description:
      - The guard's own watch, as RV(easymo.deploy.feature_guard#module:watch). Of two watches the one that began
        later has gone on from the other.
    type: dict
"""

EXAMPLES = r"""
- name: Show how long the steps will take
  ansible.builtin.debug:
    msg: "{{ (record | easymo.deploy.earlier_cohorts(release_ramp, watch=7200)).outlook }}"
"""

RETURN = r"""
_value:
  description:
    - C(evidence), by metric, for O(easymo.deploy.metrics_gate#module:evidence_before).
    - C(outlook), a sentence for each step with C(must_detect) that says how long its watch will need for that.
  type: dict
"""

import typing as t

from ..module_utils._gate.state import evidence_before, outlook


def earlier_cohorts(
    record: t.Mapping[str, t.Any],
    schedule: t.Sequence[t.Mapping[str, t.Any]],
    at: int | None = 0,
    *,
    watch: float,
    hold_for: float = 0,
    guarded: t.Mapping[str, t.Any] | None = None,
) -> dict[str, t.Any]:
    text = outlook(record, schedule, at=at or 0, watch=float(watch), hold_for=float(hold_for))
    return {"evidence": evidence_before(record, guarded), "outlook": text}


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"earlier_cohorts": earlier_cohorts}
