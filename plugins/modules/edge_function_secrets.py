#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: edge_function_secrets
short_description: Set the secrets that edge functions read
version_added: 0.2.0
description:
  - Secrets of a Supabase project are the environment variables of its edge functions.
  - The API tells digests in place of values. A secret is set when its digest is not the SHA-256 of the value given.
  - No value is ever shown, nor its digest.
extends_documentation_fragment:
  - easymo.deploy._module.changes_in_controller
  - easymo.deploy._action_groups.supabase
  - easymo.deploy._supabase
  - easymo.deploy._libraries.requests
options:
  values:
    description: The secrets to set, by name.
    type: dict
    default: {}
  absent:
    description: Names of secrets that the project must not have.
    type: list
    elements: str
    default: []
seealso:
  - module: easymo.deploy.edge_functions
"""

EXAMPLES = r"""
- name: Set what the webhook needs
  easymo.deploy.edge_function_secrets:
    project_ref: abcdefghijklmnopqrst
    access_token: "{{ supabase_access_token }}"
    values:
      WEBHOOK_SECRET: "{{ webhook_secret }}"
      WEBHOOK_TOKEN: "{{ webhook_token }}"
    absent: [OLD_TOKEN]
"""

RETURN = r"""
set:
  description: Names of secrets that were set, or in check mode would be.
  returned: success
  type: list
  elements: str
  sample: [WEBHOOK_SECRET]
removed:
  description: Names of secrets that were removed, or in check mode would be.
  returned: success
  type: list
  elements: str
  sample: [OLD_TOKEN]
unchanged:
  description: Names of secrets that have the value given.
  returned: success
  type: list
  elements: str
  sample: [WEBHOOK_TOKEN]
reason:
  description: One word for why the task failed.
  returned: failure
  type: str
  sample: InvalidInput
"""

import typing as t

from ..module_utils._documentation import documented
from ..module_utils._errors import InputError
from ..module_utils._functions.apply import SecretsPlan, apply_secrets, plan_secrets
from ..module_utils._http import REQUESTS
from ..module_utils._module import Module, execute
from ..module_utils._supabase_api import SupabaseFunctionsApi

NEEDS = (REQUESTS,)


module_spec = documented(
    DOCUMENTATION,
    no_log=["values"],
)


def run(module: Module) -> dict[str, t.Any]:
    values, absent = module.params["values"], module.params["absent"]
    if any(not isinstance(value, str) for value in values.values()):
        wrong = sorted(name for name, value in values.items() if not isinstance(value, str))
        raise InputError(f"The values of {', '.join(wrong)} are no text: quote them.")
    api = SupabaseFunctionsApi.from_params(module.params)
    plan = plan_secrets(api.secrets(), values, absent)
    if plan.differs and not module.check_mode and not apply_secrets(plan, values, api):
        module.warn(
            "The API's digests are not the SHA-256 of the values that were set: changes cannot "
            "be detected."
        )
    result: dict[str, t.Any] = {
        "changed": plan.differs,
        "set": sorted([*plan.new, *plan.changed]),
        "removed": list(plan.removed),
        "unchanged": list(plan.unchanged),
    }
    if module._diff:
        result["diff"] = _diff(plan)
    return result


def _diff(plan: SecretsPlan) -> dict[str, dict[str, str]]:
    """Names alone: even the digest of a short secret would give it away."""
    before = dict.fromkeys((*plan.changed, *plan.removed), "set")
    after = {
        **dict.fromkeys(plan.new, "set"),
        **dict.fromkeys(plan.changed, "set to another value"),
    }
    return {"before": before, "after": after}


def main() -> None:
    execute(module_spec, run, needs=NEEDS)


if __name__ == "__main__":
    main()
