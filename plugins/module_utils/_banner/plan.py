# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Decide what to do about a banner, from the one that is shown and the one that is wanted. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._errors import InputError

LONGEST = 500
"""Characters: what fits on the dashboard."""


@dataclass(frozen=True)
class Banner:
    message: str
    type: str

    def to_result(self) -> dict[str, str]:
        return {"message": self.message, "type": self.type}


@dataclass(frozen=True)
class BannerPlan:
    """None stands for no banner."""

    before: Banner | None
    after: Banner | None

    @property
    def changed(self) -> bool:
        return self.before != self.after

    def to_diff(self) -> dict[str, t.Any]:
        return {
            "before": self.before.to_result() if self.before else {},
            "after": self.after.to_result() if self.after else {},
        }


def wanted_banner(state: str, message: str | None, kind: str) -> Banner | None:
    if state == "absent":
        return None
    text = (message or "").strip()
    if not text or len(text) > LONGEST:
        raise InputError(
            f"'text' has {len(text)} characters: a banner needs from 1 to {LONGEST} of them."
        )
    return Banner(text, kind)
