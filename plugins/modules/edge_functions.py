#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: edge_functions
short_description: Deploy Supabase edge functions, all or none
version_added: 0.1.0
description:
  - Uploads what the Supabase CLI would upload for the same checkout, bundles every function first, activates all
    of them with one call and reads the list back. When one does not bundle, none is activated.
  - Functions whose sources and settings are what runs already are not uploaded.
  - Saves what runs now into a file, and deploys such a file again. The Management API itself keeps no versions.
author:
  - EasyMO (@easymo)
extends_documentation_fragment:
  - easymo.deploy._attributes
  - easymo.deploy._supabase
attributes:
  diff_mode:
    support: partial
    details: Not with O(state=saved).
options:
  state:
    description:
      - V(deployed) deploys O(names) from O(directory).
      - V(saved) writes the sources and settings of O(names) as they run now into O(archive).
      - V(restored) deploys O(archive), and deletes the functions that did not exist when it was made.
    type: str
    choices: [deployed, saved, restored]
    default: deployed
  directory:
    description: The folder C(supabase/functions) of the application's checkout. Needed by O(state=deployed).
    type: path
  names:
    description:
      - The functions. Needed by O(state=deployed) and O(state=saved).
      - A name that Supabase does not allow is refused instead of passed over.
    type: list
    elements: str
  verify_jwt:
    description: Whether the gateway asks callers of these functions for a JWT. Read back after each deployment.
    type: bool
    default: true
  archive:
    description: The file that sources are saved to or restored from. Needed by O(state=saved) and O(state=restored).
    type: path
"""

EXAMPLES = r"""
- name: Deploy two functions
  easymo.deploy.edge_functions:
    project_ref: abcdefghijklmnopqrst
    access_token: "{{ supabase_access_token }}"
    directory: /srv/app/supabase/functions
    names: [wa-webhook, health]
    verify_jwt: false

- name: Save what runs now, to be able to go back
  easymo.deploy.edge_functions:
    project_ref: abcdefghijklmnopqrst
    access_token: "{{ supabase_access_token }}"
    state: saved
    names: [wa-webhook, health]
    archive: /srv/backups/functions-before-2.0.0.json

- name: Go back
  easymo.deploy.edge_functions:
    project_ref: abcdefghijklmnopqrst
    access_token: "{{ supabase_access_token }}"
    state: restored
    archive: /srv/backups/functions-before-2.0.0.json
"""

RETURN = r"""
changes:
  description: What was done, or in check mode would be, to each function that is not as asked for.
  returned: success
  type: list
  elements: dict
  contains:
    slug: {description: The function., type: str, sample: wa-webhook}
    kind: {description: "V(new), V(changed) or V(deleted).", type: str, sample: changed}
    files: {description: Files that differ., type: list, elements: str, sample: [index.ts, ../_shared/version.ts]}
unchanged:
  description: Functions that are as asked for.
  returned: success
  type: list
  elements: str
  sample: [health]
functions:
  description: The deployed functions as the API listed them afterwards, by name.
  returned: when something was deployed
  type: dict
  sample: {wa-webhook: {version: 7, verify_jwt: false}}
activated:
  description: Whether this task activated anything. After a failure V(true) means that the new functions run.
  returned: success, and when the activated functions are not as they should be
  type: bool
  sample: true
reason:
  description: One word for why the task failed.
  returned: failure
  type: str
  sample: Refused
"""

import typing as t
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.easymo.deploy.plugins.module_utils._errors import InputError
from ansible_collections.easymo.deploy.plugins.module_utils._functions.apply import (
    apply_plan,
    running_sources,
)
from ansible_collections.easymo.deploy.plugins.module_utils._functions.archive import Archive
from ansible_collections.easymo.deploy.plugins.module_utils._functions.checkout import (
    FolderCheckout,
)
from ansible_collections.easymo.deploy.plugins.module_utils._functions.collect import (
    collect_function,
)
from ansible_collections.easymo.deploy.plugins.module_utils._functions.models import (
    FunctionsApi,
    Source,
)
from ansible_collections.easymo.deploy.plugins.module_utils._functions.plan import plan_functions
from ansible_collections.easymo.deploy.plugins.module_utils._module import execute
from ansible_collections.easymo.deploy.plugins.module_utils._options import (
    functions_options,
    supabase_options,
)
from ansible_collections.easymo.deploy.plugins.module_utils._supabase_api import (
    REQUESTS,
    SupabaseFunctionsApi,
)

Result = dict[str, t.Any]


def run(module: AnsibleModule) -> Result:
    api = SupabaseFunctionsApi.from_params(module.params)
    if module.params["state"] == "saved":
        return save(module, api)
    if module.params["state"] == "restored":
        archive = read_archive(module.params["archive"])
        return deploy(module, api, list(archive.sources), archive.absent)
    return deploy(module, api, collect(module), ())


def collect(module: AnsibleModule) -> list[Source]:
    directory = Path(module.params["directory"]).absolute()
    if not directory.is_dir():
        raise InputError(f"There is no folder {directory}: give the checkout's supabase/functions.")
    root = directory.parents[1]
    checkout = FolderCheckout(root)
    functions = directory.relative_to(root).as_posix()
    return [
        collect_function(checkout, functions, name, verify_jwt=module.params["verify_jwt"])
        for name in module.params["names"]
    ]


def deploy(
    module: AnsibleModule, api: FunctionsApi, wanted: list[Source], absent: tuple[str, ...]
) -> Result:
    running = running_sources(api, {source.slug for source in wanted} | set(absent))
    plan = plan_functions(running, wanted, absent)
    result: Result = {
        "changed": plan.changed,
        "changes": [
            {"slug": change.slug, "kind": change.kind, "files": list(change.files)}
            for change in plan.changes
        ],
        "unchanged": list(plan.unchanged),
        "activated": plan.changed and not module.check_mode,
    }
    if module._diff:
        result["diff"] = {"before": plan.before, "after": plan.after}
    if plan.changed and not module.check_mode:
        result["functions"] = {
            slug: {"version": entry.version, "verify_jwt": entry.verify_jwt}
            for slug, entry in apply_plan(plan, api).items()
        }
    return result


def save(module: AnsibleModule, api: FunctionsApi) -> Result:
    path = Path(module.params["archive"])
    running = running_sources(api, set(module.params["names"]))
    absent = tuple(name for name in module.params["names"] if name not in running)
    text = Archive(tuple(running.values()), absent).dump()
    changed = not path.exists() or path.read_text(encoding="utf-8") != text
    if changed and not module.check_mode:
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")
    return {
        "changed": changed,
        "changes": [],
        "unchanged": sorted(running),
        "activated": False,
    }


def read_archive(path: str) -> Archive:
    try:
        return Archive.load(Path(path).read_text(encoding="utf-8"), path=path)
    except FileNotFoundError as exc:
        raise InputError(f"There is no archive {path} to go back to.") from exc


def main() -> None:
    module = AnsibleModule(
        argument_spec={**supabase_options(), **functions_options()},
        required_if=[
            ("state", "deployed", ["directory", "names"]),
            ("state", "saved", ["archive", "names"]),
            ("state", "restored", ["archive"]),
        ],
        supports_check_mode=True,
    )
    execute(module, run, needs=[REQUESTS])


if __name__ == "__main__":
    main()
