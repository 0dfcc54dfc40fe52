#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: release_page
short_description: Write the report of a release again while the release runs, as a page that refreshes itself
version_added: 0.2.0
description:
  - Starts a process of its own that looks at the release's record, its services and its watch every O(interval) seconds
    and writes C(report.html) anew when something changed, and every 30 seconds anyway. What goes on now stands on top.
  - The process lives as long as the run of ansible-playbook. Its last page tells how the run ended, also when it was
    killed. Where the report was written meanwhile by M(easymo.deploy.release_report), that is the last page.
  - A page is written whole or not at all. It refreshes itself every 10 seconds while the release runs, and says so when
    its time of writing is more than two minutes ago.
  - What cannot be written is a warning of this task when it happens at the beginning, stands on the other pages when it
    happens later, and is tried again with each page. A run never fails for its page.
  - The page holds no secret. What has the form of one is blanked out.
  - Of a release that is not running, such as one that is signed off, nothing is written.
extends_documentation_fragment:
  - easymo.deploy._module.changes_in_controller
  - easymo.deploy._action_groups.kubernetes
  - easymo.deploy._kubernetes
  - easymo.deploy._release_page
  - easymo.deploy._libraries.boto3
  - easymo.deploy._libraries.jinja2
options:
  release:
    description: The version, for example V(2.0.0).
    type: str
    required: true
  dest:
    description: The folder of the report. The page is C(report.html) in it.
    type: path
    required: true
  folder:
    description: Another folder for the page, for example one that a web server shows.
    type: path
  plan:
    description: The phases in their order and how long each was planned to take.
    type: list
    elements: dict
    required: true
    suboptions:
      name: {type: str, required: true, description: The phase.}
      minutes: {type: int, required: true, description: How long it was planned to take.}
      title: {type: str, default: "", description: What people call it.}
  purpose:
    description: What the run does, as for M(easymo.deploy.deploy_lock). V(undo) takes the release back.
    type: str
    default: deploy
  services:
    description: Deployments whose pods are counted.
    type: list
    elements: str
    default: []
  sign_offs:
    description: Names of the sign-offs that are expected.
    type: list
    elements: str
    default: []
  announced:
    description: Whether there is a channel in which the release is announced. If not, no announcement is missing.
    type: bool
    default: true
    version_added: 0.3.0
  time_zone:
    description: The time zone of the page, such as V(Africa/Nairobi).
    type: str
    default: UTC
  journal:
    description: The journal of this machine, for the last page.
    type: path
  interval:
    description: Seconds between two looks.
    type: float
    default: 5
seealso:
  - module: easymo.deploy.release_report
"""

EXAMPLES = r"""
- name: Write the page from here on
  easymo.deploy.release_page:
    release: 2.0.0
    namespace: shop-prod
    dest: .deploy/2.0.0
    plan: "{{ release_plan }}"

- name: Show it to others, too
  easymo.deploy.release_page:
    release: 2.0.0
    namespace: shop-prod
    dest: .deploy/2.0.0
    plan: "{{ release_plan }}"
    services: "{{ groups.microservices }}"
    time_zone: Africa/Kigali
    s3:
      bucket: shop-releases
      key: 2.0.0.html
      region: eu-west-1
"""

RETURN = r"""
places:
  description: Where the page is written to.
  returned: success
  type: list
  elements: str
  sample: [.deploy/2.0.0/report.html, "s3://shop-releases/2.0.0.html"]
reason:
  description: One word for why the task failed.
  returned: failure
  type: str
  sample: InvalidInput
"""

import typing as t

from ..module_utils._documentation import documented
from ..module_utils._kubernetes_client import KUBERNETES
from ..module_utils._live.writer import write_pages
from ..module_utils._module import Module, execute, in_controller, refuse_below
from ..module_utils._run_process import current_run
from ..module_utils._s3 import BOTO3
from ..module_utils._templates import JINJA2

NEEDS = (KUBERNETES, BOTO3, JINJA2)


module_spec = documented(DOCUMENTATION)


def run(module: Module) -> dict[str, t.Any]:
    refuse_below(module.params, interval=1)
    current = current_run() if in_controller(module) else None
    outcome = write_pages(module.params, current, check_mode=module.check_mode)
    for warning in outcome.warnings:
        module.warn(warning)
    result = {"changed": outcome.changed, "places": list(outcome.places)}
    if module._diff:
        result["diff"] = {"before": {"written": []}, "after": {"written": result["places"]}}
    return result


def main() -> None:
    execute(module_spec, run, needs=NEEDS)


if __name__ == "__main__":
    main()
