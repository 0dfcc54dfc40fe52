#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: release_variables
short_description: Refuse variables that nobody reads and secrets without a value
version_added: 0.1.0
description:
  - Compares the variables of the run with those that the roles of this collection and the inventory declare.
  - A name given with C(--extra-vars) that none of them declares is refused, as is an inventory variable that begins
    like one of a role's and is not.
  - Names every secret that has no value, all at once. Values are never shown.
  - Runs on the controller only.
author:
  - EasyMO (@easymo)
extends_documentation_fragment:
  - easymo.deploy._attributes_read_only
options:
  secrets:
    description: The secrets that the run needs.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The variable that holds the secret.
        type: str
        required: true
      environment:
        description: The environment variable that it is read from.
        type: str
        required: true
      purpose:
        description: What needs it, for the message.
        type: str
        required: true
"""

EXAMPLES = r"""
- name: Refuse unknown variables and missing secrets before anything is touched
  easymo.deploy.release_variables:
    secrets:
      - name: secret_admin_token
        environment: ADMIN_TOKEN
        purpose: the admin API
"""

RETURN = r"""
unknown:
  description: Variables that nobody reads, each with the nearest one that somebody does.
  returned: always
  type: list
  elements: str
  sample: ["release_verison (did you mean release_version?)"]
missing:
  description: Secrets without a value, each with where it is looked for.
  returned: always
  type: list
  elements: str
  sample: ["secret_admin_token (environment variable ADMIN_TOKEN, for the admin API)"]
reason:
  description: One word for why the task failed.
  returned: failure
  type: str
  sample: InvalidInput
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.easymo.deploy.plugins.module_utils._options import variables_options


def main() -> None:
    module = AnsibleModule(argument_spec=variables_options(), supports_check_mode=True)
    module.fail_json(
        msg="release_variables looks at the controller's variables, so it runs as an action plugin only.",
        reason="InvalidInput",
    )


if __name__ == "__main__":
    main()
