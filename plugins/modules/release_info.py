#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: release_info
short_description: Read the record of a release
version_added: 0.1.0
description:
  - Reads the record and the pins that M(easymo.deploy.release) keeps in the cluster, and what was measured.
extends_documentation_fragment:
  - easymo.deploy._module.reads_in_controller
  - easymo.deploy._action_groups.kubernetes
  - easymo.deploy._kubernetes
options:
  name:
    description: The version, for example V(2.0.0).
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Read what is known of the release
  easymo.deploy.release_info:
    name: 2.0.0
    namespace: shop-prod
"""

RETURN = r"""
exists:
  description: Whether there is a record.
  returned: success
  type: bool
record:
  description:
    - The record, empty if there is none. Of one that is damaged, and so fails the task, what can be read as JSON.
  returned: success, and when the record is damaged
  type: dict
  sample: {version: 2.0.0, attempt: 1, status: done, phases: {database: {status: done}}}
document:
  description: The whole record as JSON, empty if there is none.
  returned: success
  type: str
pins:
  description: What this attempt pinned, without the templates. Empty maps if nothing.
  returned: success
  type: dict
  sample:
    attempt: 1
    deployments: {wallet-service: {images: {wallet-service: "shop/wallet-service:v1.9.0"}, revision: 7, replicas: 3}}
    config_maps: {feature-flags: {exists: true, data: {FEATURE_CHECKOUT: "false"}}}
flags:
  description:
    - What users have now, from a look at the ConfigMaps that the release pinned. C(values) by flag; C(kill_switch) as
      RV(easymo.deploy.kill_switch#module:kill_switch), empty while it is not set.
    - Empty where the release has pinned no ConfigMap, or it is not there any more.
  returned: success
  type: dict
availability:
  description:
    - What M(easymo.deploy.availability) measured of this attempt, of the C(release) and its C(rollback), as it is kept.
    - Empty maps for nothing; C(damaged) with the reason, when it cannot be read.
  returned: success
  type: dict
"""

import typing as t

from ..module_utils._kubernetes import cluster_for
from ..module_utils._kubernetes_client import KUBERNETES
from ..module_utils._module import Module, documented, execute
from ..module_utils._story.view import ReleaseView

module_spec = documented(DOCUMENTATION, needs=(KUBERNETES,))


def run(module: Module) -> dict[str, t.Any]:
    return ReleaseView(cluster_for(module), module.params["name"]).to_result()


def main() -> None:
    execute(module_spec, run)


if __name__ == "__main__":
    main()
