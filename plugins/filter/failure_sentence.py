# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a task failed, in one sentence."""

from __future__ import annotations

DOCUMENTATION = r"""
name: failure_sentence
short_description: Why a task failed, in one sentence
version_added: 0.2.0
author: Maintainers of easymo.deploy (@easymo)
description:
  - What the module said of a failure. Of a loop what each round that failed says, once.
  - The callbacks P(easymo.deploy.console#callback), P(easymo.deploy.slack#callback) and
    P(easymo.deploy.journal#callback) tell a failure in the same words.
options:
  _input:
    description: The result of a task, for example C(ansible_failed_result) in a rescue.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Keep the cause
  ansible.builtin.set_fact:
    cause: "{{ ansible_failed_result | easymo.deploy.failure_sentence }}"
"""

RETURN = r"""
_value:
  description: The sentence.
  type: str
"""

import typing as t

from ..module_utils._release.models import sentence_of


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"failure_sentence": sentence_of}
