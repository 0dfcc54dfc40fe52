# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from textwrap import indent

ORDER = r"""order:
  description:
    - What must be done before O(phase) is opened. Nothing when not given.
    - The task fails with V(OutOfOrder) and writes nothing when a phase before it is neither done in this
      attempt nor waived.
    - Nor does a release begin while another one is unfinished or partly rolled back, but for one that a later one,
      which is done, superseded by name.
    - And it neither goes on nor back (O(phase=rollback)) while a release that began later is unfinished or done.
  type: dict
  version_added: 0.2.0
  suboptions:
    phases:
      description: The names of all phases in their order. A phase that is not one of them waits for nothing.
      type: list
      elements: str
      default: []
    waived:
      description:
        - By phase, C(by) and C(reason) of the person who lets the release go on without it.
        - A missing phase is recorded as V(waived) when a later one is opened. It can still be run.
      type: dict
      default: {}
    flags:
      description:
        - The ConfigMap of the flags. A phase that is done and of whose flags one is off since, by itself or after a
          reset, is missing again. What a person's kill switch holds off counts as it was set.
      type: str
      version_added: 0.3.0
    passed:
      description: Phases that this run went through in check mode, where nothing is recorded.
      type: list
      elements: str
      default: []
    supersedes:
      description: By version, C(by) and C(reason) of the person who lets this release begin beside an unfinished one,
        or go on or back below a later one. The record keeps them.
      type: dict
      default: {}
"""


class ModuleDocFragment:
    DOCUMENTATION: str = "options:\n" + indent(ORDER, "  ")
