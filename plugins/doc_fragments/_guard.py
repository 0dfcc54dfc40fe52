# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  fence:
    description:
      - The epoch at which this run took the deploy lock, as M(easymo.deploy.deploy_lock) returns it. Before each write
        the lock is looked at, unless that was done less than 5 seconds ago, and the task fails with V(LeaseLost) when
        another run holds it, or V(Frozen) when deployments are frozen.
      - A rollout keeps it in the annotation C(easymo.com/fence), and leaves alone what was written under a later one. A
        way back writes it on each Deployment that it is asked to return, also on one that stands at its pin.
      - The release record, its pins and the flags carry it too. What was written under a later one is left alone, and
        the task fails with V(LeaseLost).
      - V(0) asks for no lock at all, and leaves the epoch that stands there.
    type: int
    default: 0
    version_added: 0.2.0
  lock:
    description: The Lease that is the lock. C(easymo-deploy) when not given.
    type: str
    version_added: 0.2.0
"""
