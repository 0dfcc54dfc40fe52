#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: stop
short_description: Fail with a reason that the record and the messages read
version_added: 0.2.0
description:
  - Fails as M(ansible.builtin.fail) does, and says in one word why, as this collection's other modules do.
  - By V(Hold) the release record, Slack, the page and the report know that a phase is on hold and did not fail.
extends_documentation_fragment:
  - easymo.deploy._module.reads_in_controller
options:
  msg:
    description: What is wrong, and what to do about it.
    type: str
    required: true
  reason:
    description:
      - V(Hold) means that nothing went wrong for sure, for data is missing or no answer came. Nothing is taken back.
      - V(NotReadyToRelease) means that something stands against the release, and nothing was touched.
      - V(PhaseFailed) ends a phase whose failure was told before.
      - V(Rollback) means that a limit was broken.
      - V(VerificationFailed) means that what was done does not work.
    type: str
    choices: [Hold, NotReadyToRelease, PhaseFailed, Rollback, VerificationFailed]
    required: true
  standing:
    description:
      - What modules that only read have returned after a failure, from which RV(standing) is put together. What one of
        them could not read is told as not known.
    type: dict
    suboptions:
      record:
        description: What M(easymo.deploy.release_info) returned.
        type: dict
        default: {}
      rollouts:
        description: What M(easymo.deploy.rollout) returned of O(ignore:state=read).
        type: dict
        default: {}
      config_map:
        description: The ConfigMap of the flags, under which the release has pinned them. If empty, none is told.
        type: str
        default: ""
      parts:
        description: By phase, what it brings to the release.
        type: dict
        default: {}
      settlement:
        description: What P(easymo.deploy.wave_outcome#filter) returned, empty where no wave failed.
        type: dict
        default: {}
      phase:
        description: The phase that failed. With it, O(msg) is followed by what comes next.
        type: str
        default: ""
      plan:
        description: The phases of the release, of which each has a C(name).
        type: list
        elements: dict
        default: []
  missing_phases:
    description: The phases that the next run has to begin with, of M(easymo.deploy.release). Returned as it is.
    type: list
    elements: str
    default: []
    version_added: 0.3.0
"""

EXAMPLES = r"""
- name: Hold where the metrics cannot be told
  easymo.deploy.stop:
    msg: "{{ watched.sentence }}"
    reason: Hold
  when: watched.verdict == 'hold'
"""

RETURN = r"""
reason:
  description: What O(reason) says.
  returned: failure
  type: str
  sample: Hold
standing:
  description:
    - How the platform stands, empty without O(standing). C(undone) is a sentence, empty without a decision about
      that, and C(now) has a line for each part.
  returned: failure
  type: dict
  sample: {undone: wallet-service went back, now: ["v2.0.0: checkout · v1.9.0: the other 11", databases not touched]}
missing_phases:
  description: What O(missing_phases) says.
  returned: failure
  type: list
  elements: str
  sample: [feature_flags]
  version_added: 0.3.0
"""

import typing as t

from ..module_utils._errors import DeployError
from ..module_utils._module import Module, documented, execute
from ..module_utils._release.record import Record
from ..module_utils._status.lines import next_words, standing
from ..module_utils._story.next_step import Stop, few_commands_in
from ..module_utils._story.plan import Plan

module_spec = documented(DOCUMENTATION)


def run(module: Module) -> t.NoReturn:
    given = module.params
    message, stands = given["msg"], {}
    if given["standing"]:
        options = dict(given["standing"])
        phase, plan = options.pop("phase"), Plan.read(options.pop("plan"))
        stands = standing(**options)
        stop = Stop(given["reason"], phase, named=few_commands_in(message))
        record = Record.read(options["record"].get("record"))
        after = next_words(record, plan, stop, given["missing_phases"]) if phase else ""
        message = f"{message} Next: {after}." if after else message
    failure = DeployError(message, standing=stands, missing_phases=given["missing_phases"])
    failure.reason = given["reason"]
    raise failure


def main() -> None:
    execute(module_spec, run)


if __name__ == "__main__":
    main()
