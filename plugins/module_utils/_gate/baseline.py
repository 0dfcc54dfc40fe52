# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""The options of a comparison with the time before the release."""

from __future__ import annotations

import typing as t
from datetime import datetime

from .._errors import InputError
from .._options import Spec
from .comparison import Baseline
from .models import Bounds


def baseline_options() -> Spec:
    return {
        "window": {"type": "float", "default": 3600},
        "end": {"type": "str"},
        "step": {"type": "float"},
        "interval": {"type": "float", "default": 60},
        "direction": {"type": "str", "choices": ["increase", "decrease"]},
        "alpha": {"type": "float", "default": 0.02},
        "min_samples": {"type": "int", "default": 20},
        "effect": {"type": "float", "default": 0.25},
        "rollback": {"type": "bool", "default": False},
    }


def read_baseline(entry: t.Mapping[str, t.Any], bounds: Bounds, interval: float) -> Baseline | None:
    given = entry.get("baseline")
    if given is None:
        return None
    name = entry["name"]
    if entry["kind"] != "prometheus":
        raise InputError(f"Metric {name!r} has a 'baseline', and only Prometheus knows what was.")
    for option in ("window", "interval", "alpha", "min_samples", "effect"):
        if given[option] <= 0:
            raise InputError(f"Option {option!r} of the baseline of {name!r} is more than 0.")
    return Baseline(
        window=given["window"],
        step=given["step"] or interval,
        interval=given["interval"],
        higher_is_worse=_higher_is_worse(name, given["direction"], bounds),
        scale=abs(bounds.maximum or bounds.above or bounds.minimum or bounds.below or 0.0),
        before=_read_end(name, given["end"]),
        alpha=given["alpha"],
        least=given["min_samples"],
        effect=given["effect"],
        rolls_back=given["rollback"],
    )


def _higher_is_worse(name: str, direction: str | None, bounds: Bounds) -> bool:
    if direction:
        return direction == "increase"
    high = bounds.maximum is not None or bounds.above is not None
    low = bounds.minimum is not None or bounds.below is not None
    if high == low:
        raise InputError(
            f"The bounds of metric {name!r} do not tell which way is worse: set 'direction' of its baseline."
        )
    return high


def _read_end(name: str, text: str | None) -> float | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError as exc:
        raise InputError(
            f"The 'end' of the baseline of {name!r} is no time like 2026-11-25T09:00:00Z: {text!r}."
        ) from exc
    if moment.tzinfo is None:
        raise InputError(f"The 'end' of the baseline of {name!r} has no time zone: add Z for UTC.")
    return moment.timestamp()
