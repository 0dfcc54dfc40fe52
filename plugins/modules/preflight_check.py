#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight_check
short_description: Check everything that a release stands on, and tell all problems in one go
version_added: 0.2.0
description:
  - Runs all of O(checks) side by side. Each ends in a row, or in several, and no problem keeps another from being
    told.
  - A row is V(fail) for a definite problem and V(hold) for what cannot be told, as when somebody does not answer or
    a number is missing. Both stop the release.
  - Only looks. What the release record is to keep, overrides and sign-offs, is returned in RV(facts), and is written
    with O(record).
  - In check mode the same is told, and whether the launch window is open and everybody has signed stops nothing,
    since a rehearsal may be made at any time.
extends_documentation_fragment:
  - easymo.deploy._module.reads_in_controller
  - easymo.deploy._action_groups.kubernetes
  - easymo.deploy._kubernetes
  - easymo.deploy._checks.preflight
  - easymo.deploy._libraries.requests
  - easymo.deploy._libraries.jmespath
  - easymo.deploy._libraries.boto3
attributes:
  check_mode:
    support: full
    details: Tells of the launch window and of sign-offs without stopping at them.
options:
  namespace:
    description:
      - The namespace to work in. Needed by the kinds that ask the cluster, and for what the release record knows
        already.
    type: str
    required: false
  release:
    description: The version that is released.
    type: str
    required: true
  checkout:
    description:
      - The checkout of the application, a git work tree. The commit at which it is counts as the one that is
        released.
    type: path
  commit:
    description: The commit that is released, its full name, where no checkout tells. It wins over O(checkout).
    type: str
    default: ""
  timeout:
    description: Seconds to wait for one answer.
    type: float
    default: 5
  waivers:
    description:
      - Rows that do not stop this release, by the name of the row. Each is a dictionary with C(by), the name of who
        waives it, and C(reason).
      - The row becomes V(waived), and RV(facts) tells of it. A row that is well stays as it is.
    type: dict
    default: {}
  record:
    description:
      - Whether the record of O(release) keeps RV(commit) and RV(facts), also where something stops the release. Needs
        O(namespace).
    type: bool
    default: false
  checks:
    description: The checks. Each has the options of its kind under the name of its kind, V(rbac) none.
    type: list
    elements: dict
    required: true
requirements:
  - Each library is needed only for the kinds of checks that are given.
  - the program git (for V(git) and O(checkout))
  - what M(easymo.deploy.health_check) needs for the kinds of its checks
"""

EXAMPLES = r"""
- name: Look at staging's tests and at who is on call
  easymo.deploy.preflight_check:
    release: 2.0.0
    checkout: /srv/release/shop
    checks:
      - name: unit_tests
        item: "1 Staging Validation: All tests passing in staging"
        kind: test_results
        test_results: {path: /srv/release/staging-results/unit.xml, least: 84}
      - name: on_call
        kind: pagerduty
        pagerduty:
          token: "{{ pagerduty_token }}"
          schedules: [PONCALL]
          minutes: 150
    waivers:
      on_call: {by: Jane Doe, reason: I stay awake}
"""

RETURN = r"""
verdict:
  description:
    - V(go), V(stop) when something stands against the release, or V(hold) when something only cannot be told.
    - V(stop) and V(hold) both stop the release.
  returned: success, and when a row fails the task
  type: str
  sample: go
sentence:
  description:
    - In check mode what would stop a release on its day, else empty.
  returned: success
  type: str
lines:
  description: A line for each row, for people.
  returned: success, and when a row fails the task
  type: list
  elements: str
  sample: ["\u2705 git_tag: PASS (v2.0.0 is 4f1c0de51f05, and the checkout is there)"]
results:
  description: What came of each check.
  returned: success, and when a row fails the task
  type: list
  elements: dict
  contains:
    name: {description: The row., returned: always, type: str, sample: git_tag}
    item: {description: The line of the checklist., returned: always, type: str, sample: Version tagged}
    kind: {description: Its kind., returned: always, type: str, sample: git}
    status:
      description: V(pass), V(fail), V(hold), V(skipped) or V(waived).
      returned: always
      type: str
      sample: pass
    detail:
      description: What was seen, or what is wrong and what to do about it.
      returned: always
      type: str
      sample: v2.0.0 is 4f1c0de51f05, and the checkout is there
    seconds: {description: How long the check took., returned: always, type: float, sample: 0.03}
facts:
  description:
    - What the release record is to keep. C(overrides) by what was overruled, C(sign_offs) that came with the task.
  returned: success, and when a row fails the task
  type: dict
commit:
  description: The commit that is released, empty when it is not known.
  returned: success
  type: str
  sample: 4f1c0de51f05cb3c2b5d2a3f0d5d3e1b1c9b8a7d
reason:
  description: V(NotReadyToRelease) for RV(verdict) V(stop), V(Hold) for V(hold), or one word for what else was wrong.
  returned: failure
  type: str
  sample: NotReadyToRelease
"""

import typing as t

from ..module_utils._checks.task import check_release
from ..module_utils._module import Module, documented, execute, refuse_below

module_spec = documented(DOCUMENTATION, no_log=["checks.needs"])


def run(module: Module) -> dict[str, t.Any]:
    refuse_below(module.params, timeout=0.1)
    untouched = (
        "The platform was not touched." if module.params["record"] else "Nothing was changed."
    )
    return check_release(module, {**module.params, "untouched": untouched})


def main() -> None:
    execute(module_spec, run)


if __name__ == "__main__":
    main()
