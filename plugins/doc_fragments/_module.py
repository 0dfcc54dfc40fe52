# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules have in common: those that change something or only read, and those that run in the controller.

Also how the options of one module become a part of an option of another.
"""

from __future__ import annotations

from textwrap import indent

ANY = """author: [Maintainers of easymo.deploy (@easymo)]
notes:
  - A task that fails returns C(reason), one word for why, such as V(InvalidInput) or V(Unreachable).
  - What people should read of a result is in C(remarks), a list of lines, and shown with the task.
options: {}
attributes:
"""

ACTION = """  action:
    description: Runs in the controller when the connection is local, which spares each host its own start of Python.
    support: full
  async:
    description: Can be started with C(async).
    support: none
"""

CHANGING = """  check_mode:
    description: Predicts the change without making it.
    support: full
  diff_mode:
    description: Reports the state before and after.
    support: full
  idempotent:
    description: A second run with the same arguments reports no change.
    support: full
"""

READING = """  check_mode:
    description: Only reads, so it does the same in check mode.
    support: full
  diff_mode:
    description: Only reads, so there is no difference to report.
    support: N/A
  idempotent:
    description: Never reports a change.
    support: full
"""


AUTHORITIES = """ca_cert:
  description: File with the certificate authorities that may have signed the server's certificate.
  type: path
"""


def nested(options: str, spaces: int, at: str) -> str:
    """So many spaces in, and naming each other by the path `at`."""
    return indent(options.replace("O(", f"O({at}."), " " * spaces)


class ModuleDocFragment:
    CHANGES: str = f"{ANY}{CHANGING}"
    READS: str = f"{ANY}{READING}"
    IN_CONTROLLER: str = f"{ANY}{ACTION}"
    CHANGES_IN_CONTROLLER: str = f"{ANY}{ACTION}{CHANGING}"
    READS_IN_CONTROLLER: str = f"{ANY}{ACTION}{READING}"
    SECRETS = """
options:
  secrets:
    description: The secrets that the run needs.
    type: list
    elements: dict
    default: []
    suboptions:
      name: {description: The variable that holds the secret., type: str, required: true}
      environment: {description: The environment variable that it is read from., type: str, required: true}
      purpose: {description: "What needs it, for the message.", type: str, required: true}
      needed:
        description: Whether it must have a value, for example only when the connection has no other credential.
        type: bool
        default: true
"""
    TYPED = """
options:
  playbooks:
    description:
      - The folder of the playbooks in commands that are told, in the controller that of the one that runs. For those
        of an installed collection its name with a dot behind it.
    type: str
    default: ""
  inventories:
    description: The inventories in such commands, in the controller those of this run.
    type: list
    elements: str
    default: []
  program:
    description: How ansible-playbook is called in such commands, in the controller as it was typed for this run.
    type: str
    default: ""
"""
    VERDICT = """
options:
  fail_on:
    description: The verdicts that fail the task.
    type: list
    elements: str
    choices: [hold, rollback]
    default: [hold, rollback]
"""
