# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Reads a failure of a release: of this run, or as the record keeps it."""

from __future__ import annotations

import typing as t

from .._errors import HoldError


def is_hold(failure: t.Mapping[str, t.Any]) -> bool:
    """Whether nothing went wrong for sure: by `reason`, or in old records without one by how `message` begins."""
    if "reason" in failure:
        return bool(failure["reason"] == HoldError.reason)
    return str(failure.get("message")).startswith(f"{HoldError.reason}: ")
