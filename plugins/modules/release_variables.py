#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: release_variables
short_description: Refuse unused variables and secrets without a value
version_added: 0.1.0
description:
  - Compares the variables of the run with those that the roles of this collection and the inventory declare.
  - A name given with C(--extra-vars) that none of them declares is refused, as is an inventory variable that begins
    like one of a role's and is not.
  - Names every secret that has no value, all at once. Values are never shown.
  - Names every value that still has a placeholder, of all hosts, in lists and dictionaries too. A placeholder is a
    text with C(CHANGE_ME).
  - Refuses a name or a reason of C(--extra-vars) that is the placeholder of a printed command, such as C(by=NAME) or
    C(reason=WHY).
  - Checks what O(contracts) names against the argument specs of the collection's roles, on every host at once, so that
    a playbook may include them with C(rolespec_validate=false) without losing a refusal.
  - Refuses what people say, such as a reason, a note or a waiver, where it looks like a secret, and where it is a
    template of C(--extra-vars) that the callback P(easymo.deploy.arguments#callback) has not taken as a text.
  - Runs on the controller only.
extends_documentation_fragment:
  - easymo.deploy._module.reads
  - easymo.deploy._module.secrets
options:
  placeholders:
    description:
      - What placeholders mean. V(refuse) fails the task. V(tell) only returns them, for a playbook that should work
        with half of an inventory, such as one that switches a feature off.
    type: str
    choices: [refuse, tell]
    default: refuse
  undefined:
    description:
      - What it means that a variable of the inventory uses a name that nobody defines. V(refuse) fails the task where
        O(contracts) reads it. V(tell) returns it in RV(undefined) and among RV(placeholders), for a playbook that lists
        all that is missing.
    type: str
    choices: [refuse, tell]
    default: refuse
  texts:
    description:
      - What a secret in a text of people's means. V(refuse) fails the task, with O(placeholders=tell) only for those of
        C(--extra-vars). V(take) is for what nothing may hinder, such as M(easymo.deploy.kill_switch), which blanks it
        out.
    type: str
    choices: [refuse, take]
    default: refuse
  contracts:
    description: The roles of this collection that the run will use, and the variables that it reads without one.
    type: list
    elements: dict
    default: []
    suboptions:
      role:
        description: The role's name, without the collection's. If empty, only O(contracts[].reads) is checked.
        type: str
        default: ""
      reads:
        description: Variables that must have a value on these hosts, besides the role's.
        type: list
        elements: str
        default: []
      entry_points:
        description: Those of its argument specs that the run uses.
        type: list
        elements: str
        default: [main]
      hosts:
        description: The hosts whose variables it gets, none if the list is empty. By default the host of the task.
        type: list
        elements: str
      later:
        description: Options whose value another task of the run makes, so that they can't be checked yet.
        type: list
        elements: str
        default: []
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
  description: Unused variables, each with the nearest one that is used.
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
undefined:
  description: Variables of the inventory that use a name which nobody defines, with a placeholder where they do.
  returned: with O(undefined=tell), where there are any
  type: dict
  sample: {prometheus_url: "CHANGE_ME: 'monitoring_url' is undefined"}
placeholders:
  description: What still has to be filled in, on any host.
  returned: always
  type: list
  elements: dict
  contains:
    name: {description: The path to the value., returned: always, type: str, sample: "release_contacts.manager.phone"}
    file:
      description: The file that it stands in. Empty where that is unknown.
      returned: always
      type: str
      sample: inventories/prod/group_vars/all/contacts.yml
"""

import typing as t

from ..module_utils._errors import InputError
from ..module_utils._module import Module, documented, execute

module_spec = documented(DOCUMENTATION)


def run(_module: Module) -> t.NoReturn:
    raise InputError(
        "release_variables reads the controller's variables, so it runs only as an action plugin."
    )


def main() -> None:
    execute(module_spec, run)


if __name__ == "__main__":
    main()
