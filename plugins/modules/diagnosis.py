#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: diagnosis
short_description: Look into a platform in trouble, and name the likely causes
version_added: 0.2.0
description:
  - Collects what the runbook's four entries of trouble ask for into one new folder, with a summary and JSON.
    Names the likely causes, each with its evidence and what to do next.
  - Only reads. It holds no lock, and all systems are looked at side by side. One that can't be reached, or whose
    connection is left out, is told so in its part and stops no other. What can't be seen is never a cause.
  - Everything is redacted before it is kept, by the secrets that are known and by what has the form of a secret.
    Logs and lists are bounded, and what was left out is told.
extends_documentation_fragment:
  - easymo.deploy._module.in_controller
  - easymo.deploy._module.secrets
  - easymo.deploy._module.typed
  - easymo.deploy._libraries.kubernetes
  - easymo.deploy._libraries.requests
  - easymo.deploy._libraries.psycopg2
  - easymo.deploy._libraries.jmespath
  - easymo.deploy._flags.probe
  - easymo.deploy._checks
  - easymo.deploy._diagnosis
attributes:
  check_mode:
    description: Looks and names the causes all the same, and writes no folder.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
  idempotent:
    description: Each run looks again and makes a folder of its own.
    support: none
requirements:
  - All are needed only for what they look at.
options:
  entries:
    description: What to examine.
    type: list
    elements: str
    choices: [crash_loop, error_rate, function, migration]
    default: [crash_loop, error_rate, function, migration]
  service:
    description: The Deployment to look into, whatever its state. Without it, those of O(services) that are in trouble.
    type: str
    default: ""
  function:
    description: The edge function to examine. Without it, all of O(functions).
    type: str
    default: ""
  release:
    description: The release, whose record tells which phase failed.
    type: str
    required: true
  dest:
    description: Folder in which the folder C(diagnosis-<UTC time>) is made, with mode 0700 and files of mode 0600.
    type: path
    required: true
  services:
    description: The Deployments of the platform.
    type: list
    elements: str
    default: []
  flags_config_map:
    description: The ConfigMap of the feature flags. Without it, flags are not looked at.
    type: str
    default: ""
  flags_consumers:
    description:
      - Deployments whose pods are asked for the flags that they run with, as O(probe) says. Their error lines are read,
        as are those of services whose requests fail.
    type: list
    elements: str
    default: []
  checks:
    description:
      - How services are asked whether they are well, as by M(easymo.deploy.health_check), each by the name of its
        service. Of one that is asked at an address, all that it answers is looked at.
    type: list
    elements: dict
    default: []
  functions:
    description: The edge functions as they should be.
    type: dict
    suboptions:
      functions_url: {description: URL below which functions are called., type: str, required: true}
      names: {description: The functions., type: list, elements: str, required: true}
      probes:
        description: How to call them, as in O(easymo.deploy.health_check#module:checks[].function_calls.probes).
        type: dict
        default: {}
      verify_jwt: {description: Whether the gateway should ask for a JWT. Not compared when not given., type: bool}
      verify_jwt_by_name: {description: The same for some by name., type: dict, default: {}}
      required_secrets:
        description: Names of secrets that the project must have.
        type: list
        elements: str
        default: []
      ca_cert: {description: File with the authority that signed the gateway's certificate., type: path}
  secrets:
    description:
      - Secrets of the run by name of their variable. Those without a value are told; nothing fails for them.
      - Only looked at where the run's variables are known, which is in the controller.
  redact:
    description:
      - Values to blank out wherever they stand, besides those of the connections.
      - In the controller every variable of the run with the name of a secret is among them.
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds after which what is not done is told with what it has seen so far.
    type: float
    default: 40
"""

EXAMPLES = r"""
- name: Look into a crash loop
  easymo.deploy.diagnosis:
    entries: [crash_loop]
    service: wallet-service
    release: 2.0.0
    dest: .deploy/2.0.0
    kubernetes:
      host: https://k8s.example.com:6443
      api_key: "{{ secret_kubernetes_token }}"
      namespace: shop-prod
"""

RETURN = r"""
causes:
  description:
    - The likely causes, the surest first. Each has which C(entry) it belongs to, its C(certainty), V(almost certain),
      V(likely) or V(possible), and in C(sentence) what it is. C(hint) is what to do next, and C(evidence) has files and
      lines in the folder.
  returned: success
  type: list
  elements: dict
lines:
  description: The causes, what could not be seen and what was left out, for a terminal.
  returned: success
  type: list
  elements: str
unseen:
  description: What could not be looked at, each with why.
  returned: success
  type: list
  elements: str
folder:
  description: The folder, empty in check mode and when none could be made.
  returned: success
  type: str
"""

import typing as t
from datetime import datetime
from pathlib import Path

from ..module_utils._diagnosis import evidence
from ..module_utils._diagnosis.task import diagnose_platform
from ..module_utils._errors import DeployError
from ..module_utils._module import Module, documented, execute, refuse_below
from ..module_utils._time import now

module_spec = documented(
    DOCUMENTATION,
    no_log=["redact"],
    inside={"prometheus.metrics": {"required_if": [("kind", "postgres", ["connection"])]}},
)


def run(module: Module) -> dict[str, t.Any]:
    params = module.params
    refuse_below(params, timeout=1)
    at = now()
    diagnosis = diagnose_platform(params, at)
    folder = "" if module.check_mode else keep(module, diagnosis, at)
    return {
        "changed": bool(folder) or module.check_mode,
        "causes": [evidence.cause_to_json(cause) for cause in diagnosis.causes],
        "lines": evidence.summary(diagnosis, evidence.SHOWN),
        "unseen": [entry for part in diagnosis.parts for entry in part.unseen],
        "folder": folder,
    }


def keep(module: Module, diagnosis: evidence.Diagnosis, at: datetime) -> str:
    """The folder's path. A full disk must not hide what was found."""
    try:
        files = evidence.files_of(diagnosis)
        return str(evidence.write_folder(Path(module.params["dest"]), files, at))
    except DeployError as exc:
        module.warn(f"The diagnosis is not stored. {exc}")
        return ""


def main() -> None:
    execute(module_spec, run)


if __name__ == "__main__":
    main()
