#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: feature_ramp
short_description: Bring a feature to more users, one step of a schedule at a time
version_added: 0.2.0
description:
  - Knows from the cluster where the ramp stands, and takes the next step when it may be taken. It writes the percentage
    and its own state in one server-side apply bound to the version that was read, so two runs never both go up.
  - Goes up one step at a time only, and not while the kill switch is set, the feature is off, another run holds the
    deploy lock, deployments are frozen, the gate held or broke at the present step, that step was not watched to its
    end, or the next step's day has not come. All of these are told at once, in RV(next).
  - Goes down to any earlier step or to V(0) at any time, without lock and without gate.
  - A step that somebody else set is told, taken as just begun, and watched before the next. From a percentage that is
    no step it only goes down.
  - Brings O(consumers) to the percentage and proves it in every pod, as M(easymo.deploy.feature_flags) does. A step up
    that does not reach every pod goes back before the task fails.
  - Watch a step with M(easymo.deploy.metrics_gate), and bring the verdict back with O(state=judged).
  - With O(release) it reads from the release record and from the guard's memory what may stand against a step, and
    adds to the record how the ramp stands and what was watched. It starts no record.
extends_documentation_fragment:
  - easymo.deploy._module.changes_in_controller
  - easymo.deploy._action_groups.flags_and_kubernetes
  - easymo.deploy._kubernetes
  - easymo.deploy._ramp
  - easymo.deploy._flags.probe
  - easymo.deploy._flags.consumers
  - easymo.deploy._libraries.jmespath
options:
  state:
    description:
      - V(moved) takes the next step, or goes to O(percentage). It says by RV(action) what is to follow.
      - V(judged) keeps the verdict of the watch of O(percentage). V(rollback) goes back one step in the same write.
      - V(read) tells what V(moved) would do, and never fails because the next step may not be taken. Then the lock
        counts as another run's in any case, so that this is for before it is taken.
    type: str
    choices: [moved, judged, read]
    default: moved
  percentage:
    description:
      - Where to go. Any earlier step or V(0), the present step, or the next one. Any other is refused.
      - With O(state=judged), the percentage that was watched. Needed then.
    type: int
  verdict:
    description: What the gate decided, as M(easymo.deploy.metrics_gate) returns it. Needed with O(state=judged).
    type: str
    choices: [proceed, hold, rollback]
  verdict_reasons:
    description: Why it did, in sentences.
    type: list
    elements: str
    default: []
  since:
    description:
      - When the step that was watched began, from RV(ramp). A step that was left and taken again since is not judged.
    type: str
  release_reason:
    description:
      - Why a held gate is let go of. Needs O(released_by). It overrides a gate that held and never one that broke,
        except at V(0), where there are no users to watch.
      - The same words release once. The next gate that holds needs words of its own.
    type: str
    default: ""
  released_by:
    description: Who lets go of it.
    type: str
    default: ""
  reason:
    description: Why the percentage is changed, for the history.
    type: str
    default: ""
  evidence:
    description:
      - What else the gate found, as M(easymo.deploy.metrics_gate) returns it. The C(reasons), C(samples), C(alerts),
        C(sensitivity) and C(feedback) of it go to the record.
    type: dict
    default: {}
  release:
    description:
      - The release of the feature. Its record has when its first step was taken, and when the watch of that ended well.
        A beginning that is later than what the ramp remembers begins the ramp anew.
      - Nothing goes up before it is signed off, nor while its guard is silent. The present step is watched then, too.
      - Without it, only what stands beside the percentage counts.
    type: str
  fence:
    description:
      - The epoch at which this run took the deploy lock, as M(easymo.deploy.deploy_lock) returns it.
      - Needed to go up, to watch and to find a step good, except in check mode. Going down does not ask for it.
    type: int
    default: 0
notes:
  - A task that has nothing to do because the next step's time has not come succeeds with RV(action=wait). Asked for
    that step by name, it fails.
"""

EXAMPLES = r"""
- name: Take the next step, if it may be taken
  easymo.deploy.feature_ramp:
    namespace: shop-prod
    flag: FEATURE_CHECKOUT_ROLLOUT_PERCENTAGE
    enabled_by: FEATURE_CHECKOUT
    consumers: [checkout]
    fence: "{{ lock.fence }}"
    schedule:
      - {day: 1, percentage: 1, users: 100}
      - {day: 2, percentage: 5, users: 500}
      - {day: 3, percentage: 10, users: 1000}
"""

RETURN = r"""
action:
  description:
    - What was done, and what is to follow. V(raise) and V(watch) are to be watched, V(lower) is not. V(wait) until the
      next step's time, V(done) after the last one, V(none) for what is so already.
    - V(refuse) in the result of a task that failed with V(RampRefused).
  returned: success, and when it is refused
  type: str
  sample: raise
sentence:
  description: The same in words.
  returned: success, and when it is refused
  type: str
  sample: Up from 1 %, step 1 of 8 to 5 %, step 2 of 8, about 500 users.
percentage:
  description: Where it stands now.
  returned: success, and when it is refused
  type: int
  sample: 5
step:
  description: Which step that is, V(0) before the first.
  returned: success, and when it is refused
  type: int
  sample: 2
steps:
  description: How many there are.
  returned: success, and when it is refused
  type: int
  sample: 8
next:
  description:
    - The step up from where it stood, empty after the last one. About how many C(users) that are is null if not told.
      C(may) tells whether it might be taken.
    - C(reasons) has every reason why it might not, with C(kind), C(text) and C(until), which is empty for what time
      does not settle. The kind is V(kill_switch), V(off), V(unknown), V(lock), V(freeze), V(blocked), V(unguarded),
      V(watch), V(hold), V(breach), V(day) or V(skip).
    - C(not_before) is when time alone will have settled its share of the reasons, empty if none is about time.
  returned: success, and when it is refused
  type: dict
  sample:
    percentage: 5
    may: false
    not_before: "2026-11-25T09:00:00Z"
    reasons: [{kind: day, text: "day 2 begins at 2026-11-25 09:00:00 UTC", until: "2026-11-25T09:00:00Z"}]
needs_lock:
  description: Whether it would be done under the deploy lock. Also where nothing but another's lock is in the way.
  returned: with O(state=read)
  type: bool
notes:
  description: What was found otherwise than the ramp left it, and what became of a release.
  returned: success, and when it is refused
  type: list
  elements: str
ramp:
  description: The state as the annotation keeps it, with the last 20 changes.
  returned: success, and when it is refused
  type: dict
  sample:
    percentage: 5
    since: "2026-11-25T09:10:00Z"
    verdict: pending
    reasons: []
    history: [{what: raised, from: 1, to: 5, at: "2026-11-25T09:10:00Z", by: jane@build-1, reason: ""}]
news:
  description: What there is to tell people, in words. Empty where nothing was changed, and without a verdict.
  returned: success, but for O(state=read)
  type: str
  sample: Up from 1 %, step 1 of 8 to 5 %, step 2 of 8, about 500 users.
announcement:
  description: The key of the news among the announcements of O(release). Empty without news, and without a record.
  returned: success, but for O(state=read)
  type: str
  sample: ramp_5_moved_2026-11-25T09:10:00Z
recorded:
  description: Whether O(release) has a record.
  returned: with O(state=read)
  type: bool
lines:
  description:
    - RV(sentence), but for a refusal, and RV(notes).
  returned: with O(state=read)
  type: list
  elements: str
evidence_before:
  description: What was compared before, for O(easymo.deploy.metrics_gate#module:evidence_before).
  returned: with O(state=read)
  type: dict
guard:
  description:
    - What its guard saw, with C(sentence), C(silent) and C(looks) as M(easymo.deploy.feature_guard) returns them. Empty
      without O(release).
  returned: with O(state=read)
  type: dict
  sample: {sentence: "", silent: "", looks: {}}
consumers:
  description: What became of each of O(consumers), as RV(easymo.deploy.feature_flags#module:consumers).
  returned: success, but for O(state=read)
  type: dict
"""

from ..module_utils._kubernetes_client import KUBERNETES
from ..module_utils._module import Module, Result, documented, execute
from ..module_utils._ramp_step import RampTask
from ..module_utils._templates import JMESPATH

module_spec = documented(
    DOCUMENTATION,
    needs=(KUBERNETES, JMESPATH),
    required_if=[("state", "judged", ["percentage", "verdict"])],
)


def run(module: Module) -> Result:
    return RampTask(module).run()


def main() -> None:
    execute(module_spec, run)


if __name__ == "__main__":
    main()
