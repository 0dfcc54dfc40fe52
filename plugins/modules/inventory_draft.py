#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: inventory_draft
short_description: Start an inventory from what runs in a namespace
version_added: 0.3.0
description:
  - Reads the Deployments of a namespace, their images, readiness probes, autoscalers and PodDisruptionBudgets, and
    names what cannot be rolled, such as StatefulSets. It reads the names of Secrets in pod templates, and no Secret.
  - Writes C(hosts.yml) and C(group_vars/all.yml) for the playbooks of this collection. What nobody can read off the
    cluster is a value with C(CHANGE_ME), and M(easymo.deploy.release_variables) refuses it until it is filled in.
  - A file that is there stays as it is.
extends_documentation_fragment:
  - easymo.deploy._module.changes_in_controller
  - easymo.deploy._action_groups.kubernetes
  - easymo.deploy._kubernetes
options:
  directory:
    description: The folder of the inventory, made where it is not there.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Start an inventory of the shop
  easymo.deploy.inventory_draft:
    namespace: shop
    directory: inventories/shop
"""

RETURN = r"""
files:
  description: The files that are written, in O(directory).
  returned: success
  type: list
  elements: str
  sample: [hosts.yml, group_vars/all.yml]
kept:
  description: Files that were there with another text, which were left alone.
  returned: success
  type: list
  elements: str
decisions:
  description: What is left to fill in, by variable.
  returned: success
  type: list
  elements: str
  sample: ["release_version: the version that is released next; v1.0.0 runs"]
remarks:
  description: What was found, and what comes next.
  returned: success
  type: list
  elements: str
"""

import typing as t
from pathlib import Path

from ..module_utils._formats import counted, listed
from ..module_utils._inventory_draft.apply import compare, read_namespace, write
from ..module_utils._inventory_draft.plan import Namespace, draft
from ..module_utils._kubernetes import cluster_for
from ..module_utils._kubernetes_client import KUBERNETES, Connection, current_context
from ..module_utils._module import Module, Result, documented, execute

ACCESS = ("kubeconfig", "context", "host", "ca_cert")
TOKEN = "{{ secret_kubernetes_token }}"  # noqa: S105 - the name of a variable

module_spec = documented(DOCUMENTATION, needs=(KUBERNETES,))


def run(module: Module) -> Result:
    params = module.params
    folder = Path(params["directory"])
    seen = read_namespace(cluster_for(module), params["namespace"])
    reached = Connection.from_params(params)
    access = {name: value for name in ACCESS if (value := getattr(reached, name))}
    # Named, for another may be the current one on the day of the release.
    more = {"api_key": TOKEN} if reached.host else {"context": _context(reached)}
    drafted = draft(seen, {**access, **more})
    new, kept = compare(drafted, folder)
    if not module.check_mode:
        write(new, folder)
    diff = [
        {
            "before_header": str(folder / name),
            "after_header": str(folder / name),
            "before": "",
            "after": text,
        }
        for name, text in new.items()
    ]
    return {
        "changed": bool(new),
        "files": [*new],
        "kept": kept,
        "decisions": drafted.decisions,
        "remarks": [*_remarks(seen, [*new], kept, drafted.decisions)],
        "diff": diff,
    }


def _context(reached: Connection) -> str:
    return reached.context or current_context(reached.kubeconfig)


def _remarks(
    seen: Namespace, new: t.Sequence[str], kept: t.Sequence[str], decisions: t.Sequence[str]
) -> t.Iterator[str]:
    yield f"{counted(len(seen.deployments), 'Deployment')} of the namespace {seen.name} were read, and no Secret."
    if seen.others:
        yield f"Nothing here rolls {listed([body['metadata']['name'] for body in seen.others])}: no Deployments."
    yield from seen.unseen
    if new:
        yield f"Written: {listed(new)}."
    if kept:
        yield f"Left alone, for they are there with another text: {listed(kept)}."
    yield f"To fill in: {'; '.join(decisions)}." if decisions else "There is nothing to fill in."


def main() -> None:
    execute(module_spec, run)


if __name__ == "__main__":
    main()
