# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from textwrap import indent

LOCK = r"""reason:
  description: Why, for others to read. Required with O(force=true).
  type: str
ticket:
  description: Where more about it is written, for others to read.
  type: str
wait:
  description:
    - Seconds to wait while another run holds the lock.
    - One that nobody seems to renew is watched for its duration even so, to be taken over.
    - In check mode nobody waits.
  type: int
  default: 0
force:
  description: Whether another's lock is taken, or freed, whoever holds it. Needs O(reason), which goes into the lock.
  type: bool
  default: false
"""


class ModuleDocFragment:
    DOCUMENTATION: str = "options:\n" + indent(LOCK, "  ")
