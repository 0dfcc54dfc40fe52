# SPDX-License-Identifier: GPL-3.0-or-later
"""Which answers about users count for a watch."""

from __future__ import annotations

DOCUMENTATION = r"""
name: feedback_answers
short_description: Which answers about users count for a watch
version_added: 0.2.0
author: Maintainers of easymo.deploy (@easymo)
description: Takes the newest answer to each question, of those in the record and those that came with the command.
positional: _input
options:
  _input:
    description: The fact C(feedback) of a release record.
    type: dict
    required: true
  given:
    description:
      - Answers that came with the command, by the name of the question, as
        O(easymo.deploy.person_check#module:answers). One in the record goes before, unless it is older.
    type: dict
    default: {}
  by:
    description: Who gave those that have no C(by).
    type: str
    default: ""
  gate:
    description: The watch. An answer in the record is about one of them.
    type: str
    required: true
  since:
    description: When it began, in UTC as RFC 3339. Older answers in the record do not count.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show what counts
  ansible.builtin.debug:
    msg: >-
      {{ record.facts.feedback | default({})
         | easymo.deploy.feedback_answers(gate='monitoring', since=watch.started) }}
"""

RETURN = r"""
_value:
  description: By the name of the question C(answer), C(by), C(at) and C(note).
  type: dict
"""

import typing as t

from ..module_utils._gate.verdict import that_count


def feedback_answers(
    recorded: t.Mapping[str, t.Mapping[str, t.Any]],
    given: t.Mapping[str, t.Any] | None = None,
    by: str = "",
    *,
    gate: str,
    since: str,
) -> dict[str, t.Any]:
    return that_count(recorded, given or {}, gate=gate, since=since, by=by)


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"feedback_answers": feedback_answers}
