# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Reads a failure of a release: of this run, or as the record keeps it."""

from __future__ import annotations

import typing as t

from .._errors import HoldError

_HOLD = f"{HoldError.reason}: "


def is_hold(failure: t.Mapping[str, t.Any]) -> bool:
    """Whether nothing went wrong for sure: by `reason`, or in old records without one by how `message` begins."""
    if "reason" in failure:
        return bool(failure["reason"] == HoldError.reason)
    return str(failure.get("message")).startswith(_HOLD)


def is_held(evidence: t.Any) -> bool:
    """Whether the phase with this evidence failed, and nothing went wrong for sure. Of rubbish, not."""
    failures = evidence.get("failures") if isinstance(evidence, dict) else None
    kept = failures.values() if isinstance(failures, dict) else ()
    found = [one for one in kept if isinstance(one, dict)]
    return bool(found) and all(map(is_hold, found))


def message_of(failure: t.Mapping[str, t.Any]) -> t.Any:
    """As it is kept, without the word that records of old begin that of a hold with."""
    message = failure.get("message", "no message")
    return message.removeprefix(_HOLD) if isinstance(message, str) and is_hold(failure) else message
