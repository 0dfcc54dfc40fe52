# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from textwrap import indent

from ._kubernetes import CONNECTION
from ._module import nested

LOCK = r"""reason:
  description: Why, for others to read. Required with O(force=true).
  type: str
ticket:
  description: Where more about it is written, for others to read.
  type: str
wait:
  description:
    - Seconds to wait while another run holds the lock.
    - A lock without renewals is watched for its duration even so, to be taken over.
    - Check mode does not wait.
  type: int
  default: 0
force:
  description: Whether another run's lock is taken or freed even so. Needs O(reason), which goes into the lock.
  type: bool
  default: false
"""


class ModuleDocFragment:
    DOCUMENTATION: str = "options:\n" + indent(LOCK, "  ")

    # Of what is done in the lock's cluster.
    FENCE = r"""
options:
  fence:
    description:
      - The epoch at which this run took the deploy lock, as M(easymo.deploy.deploy_lock) returns it. Before each write
        the lock is looked at, unless that was done less than 5 seconds ago, and the task fails with V(LeaseLost) when
        another run holds it, or V(Frozen) when deployments are frozen.
      - A rollout keeps it in the annotation C(easymo.com/fence), and leaves alone what was written under a later one. A
        rollback writes it on each Deployment that it is asked to return, also on one that stands at its pin.
      - The release record, its pins and the flags carry it too. What was written under a later one is left alone, and
        the task fails with V(LeaseLost).
      - V(0) asks for no lock at all, and leaves the epoch that stands there.
    type: int
    default: 0
  lock:
    description: The Lease that is the lock. C(easymo-deploy) when not given.
    type: str
"""

    # Of what is done elsewhere.
    FENCE_ELSEWHERE: str = f"""
options:
  fence:
    description:
      - The epoch at which this run took the deploy lock, as M(easymo.deploy.deploy_lock) returns it. Before each write
        the lock is looked at in O(kubernetes), unless that was done less than 5 seconds ago, and the task fails with
        V(LeaseLost) when another run holds it, or V(Frozen) when deployments are frozen.
      - V(0) asks for no lock at all.
    type: int
    default: 0
  lock:
    description: The Lease that is the lock. C(easymo-deploy) when not given.
    type: str
  kubernetes:
    description: The cluster of the deploy lock. Needed with O(fence).
    type: dict
    suboptions:
{nested(CONNECTION, 4, "kubernetes")}requirements:
  - kubernetes, only with O(fence)
"""
