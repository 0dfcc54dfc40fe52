# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Why the ramp does not go up."""

from __future__ import annotations

from .._errors import ConflictError


class RampRefusedError(ConflictError):
    reason = "RampRefused"
