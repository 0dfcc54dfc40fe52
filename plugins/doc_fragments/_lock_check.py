# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ._kubernetes import CONNECTION
from ._nested import nested


class ModuleDocFragment:
    DOCUMENTATION: str = (
        """
options:
  fence:
    description:
      - The epoch at which this run took the deploy lock, as M(easymo.deploy.deploy_lock) returns it. Before each write
        the lock is looked at in O(kubernetes), unless that was done less than 5 seconds ago, and the task fails with
        V(LeaseLost) when another run holds it, or V(Frozen) when deployments are frozen.
      - V(0) asks for no lock at all.
    type: int
    default: 0
    version_added: 0.3.0
  lock:
    description: The Lease that is the lock. C(easymo-deploy) when not given.
    type: str
    version_added: 0.3.0
  kubernetes:
    description: The cluster of the deploy lock. Needed with O(fence).
    type: dict
    version_added: 0.3.0
    suboptions:
"""
        + nested(CONNECTION, 4, "kubernetes")
        + """\
requirements:
  - kubernetes, only with O(fence)
"""
    )
