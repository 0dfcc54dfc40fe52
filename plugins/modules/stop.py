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
  - easymo.deploy._kubernetes.elsewhere
options:
  msg:
    description: What is wrong, and what to do about it.
    type: str
    required: true
  reason:
    description:
      - V(Hold) means that nothing went wrong for sure, for data is missing or no answer came. Nothing is taken back.
      - V(LeaseLost) means that another run took the deploy lock, and what comes next is to look at it.
      - V(PhaseFailed) ends a phase whose failure was told before.
      - V(Rollback) means that a limit was broken.
      - V(VerificationFailed) means that what was done does not work.
    type: str
    choices: [Hold, LeaseLost, PhaseFailed, Rollback, VerificationFailed]
    required: true
  release:
    description: The release whose record RV(standing) tells of. Without it nothing is read.
    type: str
  standing:
    description: What RV(standing) is put together from. What cannot be read is told as not known.
    type: dict
    suboptions:
      deployments:
        description: The Deployments whose versions are told, all of the namespace when not given.
        type: list
        elements: str
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
requirements:
  - kubernetes, only for O(release)
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
  description: The phases that the next run has to begin with, for their flags may be off since.
  returned: failure
  type: list
  elements: str
  sample: [feature_flags]
"""

import functools
import typing as t

from ..module_utils._errors import DeployError
from ..module_utils._kubernetes import cluster_elsewhere
from ..module_utils._module import Module, Result, documented, execute
from ..module_utils._release.order import switched_off
from ..module_utils._release.record import Record
from ..module_utils._rollout.observer import observe_standings
from ..module_utils._status.build import next_words, standing
from ..module_utils._story.next_step import Stop, few_commands_in
from ..module_utils._story.plan import Plan
from ..module_utils._story.view import ReleaseView

module_spec = documented(DOCUMENTATION, required_by={"release": ["kubernetes", "standing"]})


def run(module: Module) -> t.NoReturn:
    given, stands = module.params, {}
    message, missing = given["msg"], []
    if options := given["standing"]:
        sight = look(module) if given["release"] else {}
        record, plan = Record.read(sight.get("record")), Plan.read(options["plan"])
        stands = standing(sight, *(options[name] for name in ("config_map", "parts", "settlement")))
        off = switched_off(record, sight.get("config_map") or None)
        missing = [name for name in plan.names if name in off]
        stop = Stop(given["reason"], options["phase"], named=few_commands_in(message))
        after = next_words(record, plan, stop, missing) if stop.phase else ""
        message = f"{message} Next: {after}." if after else message
    details = {"standing": stands, "missing_phases": missing}
    raise DeployError(message, reason=given["reason"], **details)


def look(module: Module) -> Result:
    """What release_info returns, the `deployments` as rollout reads them, and the `config_map`, as far as it goes."""
    options, sight = module.params["standing"], Result()
    names, flags = options["deployments"], options["config_map"]
    connect = functools.cache(lambda: cluster_elsewhere(module))
    view = functools.cache(lambda: ReleaseView(connect(), module.params["release"]))
    for read in (
        lambda: view().to_result(),
        lambda: {"deployments": observe_standings(connect(), names)},
        lambda: {"config_map": view().config_map(flags)},
    ):
        try:
            sight |= read()
        except Exception as exc:
            # It hides no cause. That of a damaged record has what could be read of it.
            sight |= getattr(exc, "details", {})
        if "record" not in sight:
            break
    return sight


def main() -> None:
    execute(module_spec, run)


if __name__ == "__main__":
    main()
