# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from textwrap import indent

ADDRESSES = r"""targets:
  description: The public addresses.
  type: list
  elements: dict
  default: []
  suboptions:
    name: {type: str, required: true, description: What people call it.}
    url: {type: str, required: true, description: What is asked by GET.}
    verify_token: {type: str, default: "", description: The verify token of a webhook.}
    ca_cert: {type: path, description: File of the authorities that may have signed its certificate.}
controls:
  description:
    - Addresses elsewhere that have nothing to do with the platform. They are asked for a connection only, and only
      while something does not answer.
  type: list
  elements: str
  default: []
rate:
  description: How often each address is asked, in times a second.
  type: float
  default: 1
timeout:
  description: Seconds in which an address has to answer.
  type: float
  default: 5
enabled:
  description: Whether anything is measured. V(false) needs O(reason), and the record says so.
  type: bool
  default: true
reason:
  description: Why nothing is measured.
  type: str
"""


class ModuleDocFragment:
    DOCUMENTATION: str = "options:\n" + indent(ADDRESSES, "  ")
