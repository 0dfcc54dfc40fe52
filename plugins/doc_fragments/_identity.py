# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from textwrap import indent

IDENTITY = r"""verified:
  description:
    - How it is verified who signs and who approves. Without it a name is what somebody typed.
    - V(cluster) takes the account that the API server named to the run that wrote it. Who writes the record by another
      program can write another account.
    - V(ssh) takes the principal of an SSH signature by C(ssh-keygen -Y). It is over the line or the decision, its
      time, and the release in this namespace of this cluster, for this environment.
  type: str
  choices: ["", cluster, ssh]
  default: ""
allowed_signers:
  description: With V(ssh), the file of who may sign, as C(ssh-keygen -Y verify) reads it, from the checkout.
  type: path
  default: ""
checkout:
  description: The checkout that has this file.
  type: path
  default: ""
environment:
  description: With V(ssh), the environment that signatures are for.
  type: str
  default: ""
other_than_deployer:
  description: Whether nothing counts that was signed by the account which deploys.
  type: bool
  default: false
different_people:
  description: Sign-offs of which no two count by one person.
  type: list
  elements: str
  default: []
approvers:
  description: The accounts or principals who may approve a hold. Everybody when empty.
  type: list
  elements: str
  default: []
"""


class ModuleDocFragment:
    DOCUMENTATION: str = f"""
options:
  identity:
    description: What a release wants of who signs and decides.
    type: dict
    default: {{}}
    suboptions:
{indent(IDENTITY, " " * 6)}"""
