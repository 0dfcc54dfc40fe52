#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: edge_functions_info
short_description: List the edge functions of a Supabase project
version_added: 0.1.0
description:
  - Reads the list of functions from the Management API.
  - C(ACTIVE) there does not prove that a function answers; call it to know.
extends_documentation_fragment:
  - easymo.deploy._module.reads_in_controller
  - easymo.deploy._action_groups.supabase
  - easymo.deploy._supabase
  - easymo.deploy._libraries.requests
options:
  names:
    description: The functions to tell about. Without it, all of them.
    type: list
    elements: str
"""

EXAMPLES = r"""
- name: See whether a function asks for a JWT
  easymo.deploy.edge_functions_info:
    project_ref: abcdefghijklmnopqrst
    access_token: "{{ supabase_access_token }}"
    names: [webhook]
  register: functions
"""

RETURN = r"""
functions:
  description: The functions, by name. One that does not exist is left out.
  returned: success
  type: dict
  sample: {webhook: {status: ACTIVE, version: 7, verify_jwt: false, sha256: 9f86d081}}
reason:
  description: One word for why the task failed.
  returned: failure
  type: str
  sample: Refused
"""

import typing as t

from ..module_utils._documentation import documented
from ..module_utils._http import REQUESTS
from ..module_utils._module import Module, execute
from ..module_utils._supabase_api import SupabaseFunctionsApi

NEEDS = (REQUESTS,)


module_spec = documented(DOCUMENTATION)


def run(module: Module) -> dict[str, t.Any]:
    names = module.params["names"]
    listed = SupabaseFunctionsApi.from_params(module.params).list()
    return {
        "changed": False,
        "functions": {
            entry.slug: {
                "status": entry.status,
                "version": entry.version,
                "verify_jwt": entry.verify_jwt,
                "sha256": entry.sha256,
            }
            for entry in listed
            if names is None or entry.slug in names
        },
    }


def main() -> None:
    execute(module_spec, run, needs=NEEDS)


if __name__ == "__main__":
    main()
