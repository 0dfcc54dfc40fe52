# SPDX-License-Identifier: GPL-3.0-or-later
"""
Reasons for which a run must stop:

* LockedError     another run deploys; nothing was touched
* LeaseLostError  the lock was ours and is no more: change nothing, undo nothing, its new holder decides
* FrozenError     all deployments are stopped for a while
"""

from __future__ import annotations

from .._errors import ConflictError


class LockedError(ConflictError):
    reason = "Locked"


class LeaseLostError(ConflictError):
    reason = "LeaseLost"


class FrozenError(ConflictError):
    reason = "Frozen"
