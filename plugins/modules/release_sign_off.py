#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: release_sign_off
short_description: Keep who signed a line of the checklist that no machine can check
version_added: 0.2.0
description:
  - Writes a sign-off into the release record, with name, time and what was signed. That is one commit of one
    release, in the attempt that is open. After a rollback it is the next attempt.
  - A sign-off by nobody, one that nobody wants, and one for another release or another commit are refused.
  - The same person signing the same again changes nothing. Another person signs in the place of the first only by
    O(instead).
  - May be done before any phase has begun. The record is V(planned) until then.
requirements:
  - the program git (for O(checkout))
extends_documentation_fragment:
  - easymo.deploy._module.changes_in_controller
  - easymo.deploy._action_groups.kubernetes
  - easymo.deploy._kubernetes
  - easymo.deploy._sign_offs
options:
  release:
    description: The version that is released.
    type: str
    required: true
  required:
    description: What is to be signed, of which O(name) is one.
    type: list
    elements: dict
    required: true
  name:
    description: Which one is signed.
    type: str
    required: true
  by:
    description: The name of the person who signs.
    type: str
    required: true
  note:
    description: What that person wants to be remembered.
    type: str
    default: ""
  instead:
    description: Whether this person knowingly signs in the place of another, whose signature is gone then.
    type: bool
    default: false
  signed_release:
    description: The release that the person looked at. The task fails when it is another than O(release).
    type: str
    default: ""
  signed_commit:
    description:
      - The commit that the person looked at, its beginning at least. The task fails when another is released.
    type: str
    default: ""
  checkout:
    description:
      - The checkout of the application, a git work tree. The commit at which it is counts as the one that is
        signed.
    type: path
  commit:
    description: The commit that is released, its full name, where no checkout tells. It wins over O(checkout).
    type: str
    default: ""
seealso:
  - module: easymo.deploy.preflight_check
  - module: easymo.deploy.release
"""

EXAMPLES = r"""
- name: Keep that QA has signed
  easymo.deploy.release_sign_off:
    namespace: shop-prod
    release: 2.0.0
    checkout: /srv/release/shop
    required:
      - {name: qa, what: QA sign-off received, of: QA lead, section: 1 Staging Validation}
    name: qa
    by: Jane Doe
    note: all flows but voice, which v2.0 does not touch
"""

RETURN = r"""
sign_off:
  description: The sign-off as the record has it.
  returned: success
  type: dict
  sample:
    by: Jane Doe
    at: "2025-11-10T14:00:00Z"
    what: QA sign-off received
    note: ""
    attempt: 1
    git_sha: 4f1c0de51f05cb3c2b5d2a3f0d5d3e1b1c9b8a7d
missing:
  description: The names of those that are still to be signed.
  returned: success
  type: list
  elements: str
  sample: [product, security]
reason:
  description: One word for why the task failed.
  returned: failure
  type: str
  sample: Conflict
"""

import typing as t

from ..module_utils._checks.git import head_of
from ..module_utils._cluster import MonotonicClock
from ..module_utils._documentation import documented
from ..module_utils._kubernetes import actor_of, cluster_for
from ..module_utils._kubernetes_client import KUBERNETES
from ..module_utils._module import Module, execute
from ..module_utils._release.models import PLANNED, SIGN_OFFS
from ..module_utils._release.plan import RecordChange
from ..module_utils._release.store import ReleaseStore
from ..module_utils._sign_off.plan import (
    Ask,
    known_sign_offs,
    missing_because,
    plan_sign_off,
    read_wanted,
    subject_of,
)
from ..module_utils._time import utc_now

NEEDS = (KUBERNETES,)


module_spec = documented(DOCUMENTATION)


def run(module: Module) -> dict[str, t.Any]:
    params = module.params
    store = ReleaseStore(cluster_for(module), params["release"], clock=MonotonicClock())
    wanted = read_wanted(params["required"])
    commit = params["commit"] or (head_of(params["checkout"]) if params["checkout"] else "")
    before = store.read()
    known = known_sign_offs(before)
    subject = subject_of(before, params["release"], commit)
    new = plan_sign_off(known, wanted, read_ask(params), subject, utc_now())
    if new:
        change = RecordChange(
            version=params["release"],
            actor=actor_of({"actor": params["by"]}),
            now=utc_now(),
            status=PLANNED if before is None else "",
            facts={SIGN_OFFS: new},
        )
        store.change(change, check_mode=module.check_mode)
    after = {**known, **new}
    result: dict[str, t.Any] = {
        "changed": bool(new),
        "sign_off": dict(after[params["name"]]),
        "missing": [
            one.name for one in wanted if missing_because(one, after.get(one.name), subject)
        ],
    }
    if module._diff:
        result["diff"] = {"before": dict(known), "after": after}
    return result


def read_ask(params: t.Mapping[str, t.Any]) -> Ask:
    return Ask(
        name=params["name"],
        by=params["by"].strip(),
        note=params["note"],
        release=params["signed_release"],
        git_sha=params["signed_commit"],
        instead=params["instead"],
    )


def main() -> None:
    execute(module_spec, run, needs=NEEDS)


if __name__ == "__main__":
    main()
