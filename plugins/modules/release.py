#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: release
short_description: Keep the record of a release in the cluster
version_added: 0.1.0
description:
  - The record is a ConfigMap C(release-<version>) that the next run resumes from, a rollback returns by, and the report
    is made of. Every operator can reach it, and losing the machine that deploys loses nothing.
  - Each write is bound to the version that was read, so two writers never lose each other's entries.
  - A phase that is done or waived stays as it is, whatever is asked of it, except to fail, to be taken back, or to be
    done once more by a run that changed something (O(phase_changed)). A waived phase can be opened.
  - A phase that failed or was taken back is opened again, with the times and the evidence of its new run alone. The
    record keeps the last ten of its C(earlier_failures), C(earlier_runs) and C(interruptions).
  - Opening a phase of a release that was rolled back begins its next attempt, with no phases, pins, announcements,
    backups or facts. The phase V(rollback) is the exception; it belongs to the attempt that it undoes.
requirements:
  - the program git (for O(sign_off.checkout))
  - the program ssh-keygen of OpenSSH 8.1 or later (for SSH signatures)
extends_documentation_fragment:
  - easymo.deploy._module.changes_in_controller
  - easymo.deploy._action_groups.kubernetes
  - easymo.deploy._lock.fence
  - easymo.deploy._kubernetes
  - easymo.deploy._release_run.order
  - easymo.deploy._sign_offs
  - easymo.deploy._identity
options:
  name:
    description:
      - The version that is released, for example V(2.0.0). Lower-case letters, digits, C(.) and C(-).
      - With nothing else asked the record is created if it is missing.
    type: str
    required: true
  phase:
    description: The phase to open or close.
    type: str
  phase_status:
    description:
      - V(running) opens O(phase), the others close it.
      - V(rolled_back) and V(partly_rolled_back) say that what it did was taken back since. Ignored for a phase that was
        never opened, or that failed.
      - V(failed) is recorded during a freeze too, for a freeze may be the cause.
    type: str
    choices: [running, done, failed, waived, rolled_back, partly_rolled_back]
  phase_changed:
    description:
      - Whether this run changed anything, for O(phase_status=done) of a phase that was done already. Its times and
        evidence are this run's then.
    type: bool
    default: false
  phase_started:
    description: When this run began such a phase, as RV(at) of the task that opened it. Now when not given.
    type: str
  evidence:
    description: What proves the phase's end, merged into what is there. Ignored when the phase is settled already.
    type: dict
    default: {}
  status:
    description:
      - How the whole release stands. Opening a phase makes it V(running) and a failed phase V(failed) by itself.
      - V(rolled_back) closes the attempt.
    type: str
    choices: [running, done, failed, rolled_back]
  backups:
    description: Backups that were taken, by a key of yours, merged into what is there.
    type: dict
    default: {}
  facts:
    description: Anything else to remember, merged into what is there.
    type: dict
    default: {}
  notes:
    description: Sentences to add. One that is there already is not added again.
    type: list
    elements: str
    default: []
  decision:
    description:
      - Writes a person's decision on what a gate holds, with name and reason, and nothing else. The run that watches
        hears of it within one interval of its gate; when none does, the next run of the phase takes it into account.
      - An approval lets go of the hold that there is, once, and never of a breach. A reject makes the gate roll back.
      - Refuses a missing name or reason, a release or gate that is not there, an approval of what does not hold, and
        what has ended.
      - Takes no lock, so that it works while the run that watches holds it.
    type: dict
    suboptions:
      gate: &gate
        description: The watch, as O(easymo.deploy.metrics_gate#module:gate).
        type: str
        default: monitoring
      decision:
        description: Whether the release goes on, V(approve), or back, V(reject).
        type: str
        choices: [approve, reject]
        required: true
      by:
        description: Who decides.
        type: str
        required: true
      reason:
        description: Why, for everybody who reads the record later.
        type: str
        required: true
      key:
        description:
          - A private SSH key without a passphrase, or the public key of one that an agent holds. It signs what is
            written.
        type: path
  answer:
    description:
      - Keeps what somebody says of users after a watch, and nothing else. The newest answer to each question counts at
        the watch's end. A V(bad) one about the watch V(monitoring) rejects it at once, where it runs.
      - Refuses a missing name, an unknown question, and anything but V(good) without a reason. Takes no lock, as
        O(decision).
    type: dict
    suboptions:
      question:
        description: The name of the question.
        type: str
        required: true
      questions:
        description: The names of all questions.
        type: list
        elements: str
        required: true
      answer:
        description: V(minor) is wrong and can wait for a fix. V(bad) must go back.
        type: str
        choices: [good, minor, bad]
        required: true
      by:
        description: Who answers.
        type: str
        required: true
      reason:
        description: What was seen.
        type: str
        default: ""
      gate: *gate
  pin:
    description:
      - What to keep of the world before it is changed, taken once for each attempt. More names add to it.
      - A Deployment that already runs this release is refused, for it no longer tells what ran before.
    type: dict
    suboptions:
      deployments:
        description: Deployments whose whole pod template is kept. A rollback returns to it.
        type: list
        elements: str
        default: []
      config_maps:
        description: ConfigMaps whose keys are kept. One that is missing is kept as missing.
        type: list
        elements: str
        default: []
"""

EXAMPLES = r"""
- name: Save what runs now, before anything is changed
  easymo.deploy.release:
    name: 2.0.0
    namespace: shop-prod
    pin:
      deployments: "{{ groups['microservices'] }}"
      config_maps: [feature-flags]
"""

RETURN = r"""
record:
  description:
    - The record after, its phases without evidence, earlier runs, failures and interruptions. RV(phase) has those of
      O(phase), RV(document) all. A task with O(answer), O(decision) or O(sign_off) returns these alone.
  returned: success
  type: dict
  sample: {version: 2.0.0, attempt: 1, status: running, phases: {database: {status: done}}}
document:
  description: The whole record after, as JSON.
  returned: success
  type: str
phase:
  description: The entry of O(phase) after, empty without O(phase).
  returned: success
  type: dict
repaired_since:
  description:
    - The later of the attempt's begin and of the second after the last failure of O(phase). What was seen before it, as
      a backup, may be of a state that somebody has corrected since.
  returned: success
  type: str
at:
  description: The time that this task writes, RFC 3339.
  returned: success
  type: str
pinned:
  description: Names of what this task pinned. All pins are in RV(easymo.deploy.release_info#module:pins).
  returned: success
  type: dict
  sample: {deployments: [wallet-service], config_maps: [feature-flags]}
decision:
  description:
    - The decision as the record has it. C(evidence) names the attempt, the watch and the hold that it is about,
      and why it held.
  returned: with O(decision)
  type: dict
answer:
  description: The answer as the record has it. A reject that it gave is in RV(decision).
  returned: with O(answer)
  type: dict
sentence:
  description: What was decided or answered, for people.
  returned: with O(decision) or O(answer)
  type: str
sign_off:
  description: The sign-off as the record has it.
  returned: with O(sign_off)
  type: dict
missing:
  description: The names of those that are still to be signed.
  returned: with O(sign_off)
  type: list
  elements: str
later:
  description: The release that began later, and must go back first.
  returned: when a rollback is out of order
  type: str
missing_phases:
  description: The phases that must be done or waived first, in their order.
  returned: when it fails with V(OutOfOrder)
  type: list
  elements: str
"""

import typing as t

from ..module_utils._arguments import read_who_and_why
from ..module_utils._checks.git import head_of
from ..module_utils._checks.sign_offs import sign
from ..module_utils._cluster import Cluster, MonotonicClock
from ..module_utils._gate.store import record_answer, record_decision
from ..module_utils._identity import Demands, known_as
from ..module_utils._kubernetes import cluster_for
from ..module_utils._kubernetes_client import KUBERNETES
from ..module_utils._lock.apply import lease_check_for
from ..module_utils._lock.models import FrozenError
from ..module_utils._module import Module, documented, execute
from ..module_utils._release.models import FAILED
from ..module_utils._release.record import Act
from ..module_utils._release.task import carry_out, read_change
from ..module_utils._time import utc_now

module_spec = documented(
    DOCUMENTATION,
    needs=(KUBERNETES,),
    required_by={"phase_status": ["phase"]},
    mutually_exclusive=[("answer", "decision", "sign_off", "phase")],
)


def run(module: Module) -> dict[str, t.Any]:
    params, cluster = module.params, cluster_for(module)
    if given := params["answer"]:
        return record_answer(cluster, params["name"], given, check_mode=module.check_mode)
    if params["decision"]:
        return decide(module, cluster)
    if params["sign_off"]:
        return sign_off(module, cluster)
    change = read_change(params)
    if not module.check_mode:
        guard = lease_check_for(
            cluster, params["fence"], clock=MonotonicClock(), name=params["lock"]
        )
        try:
            guard.check()
        except FrozenError:
            # A freeze stops the work, not the record of why it stopped.
            if params["phase_status"] != FAILED:
                raise
    done = carry_out(cluster, change, params["pin"] or {}, check_mode=module.check_mode)
    return {**done.to_result(), "diff": done.to_diff()}


def decide(module: Module, cluster: Cluster) -> dict[str, t.Any]:
    params, given = module.params, module.params["decision"]
    by, reason = read_who_and_why(by=given["by"], reason=given["reason"])
    wanted = Act(
        gate=given["gate"],
        decision=given["decision"],
        by=by,
        reason=reason,
        at=utc_now(),
        known_as=known_as(cluster),
    )
    demands, key = Demands.read(params["identity"]), given["key"] or ""
    return record_decision(
        cluster, params["name"], wanted, demands, key, check_mode=module.check_mode
    )


def sign_off(module: Module, cluster: Cluster) -> dict[str, t.Any]:
    given = module.params["sign_off"]
    commit = given["commit"] or (head_of(given["checkout"]) if given["checkout"] else "")
    demands = Demands.read(module.params["identity"])
    return sign(
        cluster, module.params["name"], given, commit, demands, check_mode=module.check_mode
    )


def main() -> None:
    execute(module_spec, run)


if __name__ == "__main__":
    main()
