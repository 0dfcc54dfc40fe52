# SPDX-License-Identifier: GPL-3.0-or-later
"""What the answers about users make of the verdict of a watch."""

from __future__ import annotations

DOCUMENTATION = r"""
name: feedback_verdict
short_description: What the answers about users make of the verdict of a watch
version_added: 0.2.0
author: Maintainers of easymo.deploy (@easymo)
description:
  - Takes the worse of both verdicts. A bad answer rolls back, a minor one or none holds.
  - Where the metrics hold already, a question without an answer adds nothing.
positional: _input, results
options:
  _input:
    description: What M(easymo.deploy.metrics_gate) returned.
    type: dict
    required: true
  results:
    description: The answers, RV(easymo.deploy.person_check#module:results).
    type: list
    elements: dict
    required: true
  gate:
    description: The watch, as people answer for it.
    type: str
    default: monitoring
  since:
    description: When answers began to count, in UTC as RFC 3339. When the watch began, if empty.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Show why
  ansible.builtin.debug:
    msg: "{{ (gate | easymo.deploy.feedback_verdict(people.results)).sentence }}"
"""

RETURN = r"""
_value:
  description:
    - The input with C(verdict), C(sentence) and C(reasons) of both, and C(feedback), which has the verdict of the
      metrics as C(watched), C(since), and a dictionary for each answer as C(answers).
  type: dict
"""

import typing as t

from ..module_utils._gate.verdict import with_feedback


def feedback_verdict(
    watch: t.Mapping[str, t.Any],
    results: t.Sequence[t.Mapping[str, t.Any]],
    *,
    gate: str = "monitoring",
    since: str = "",
) -> dict[str, t.Any]:
    return with_feedback(watch, results, gate=gate, since=since)


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"feedback_verdict": feedback_verdict}
