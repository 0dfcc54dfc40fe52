# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""One number of several series, when the task says how. Pure."""

from __future__ import annotations

import math
import statistics
import typing as t

from .models import Sample, failed_sample

REDUCERS: dict[str, t.Callable[[t.Sequence[float]], float]] = {
    "max": max,
    "min": min,
    "mean": statistics.fmean,
    "sum": math.fsum,
}


def one_number(texts: t.Sequence[str], reduce: str | None) -> Sample:
    """Of the values of all series as they were answered, or why there is none."""
    if not texts:
        return Sample(None, "no series")
    if len(texts) > 1 and reduce is None:
        return failed_sample(f"{len(texts)} series where one is expected")
    values = [float(text) for text in texts]
    for value, text in zip(values, texts, strict=True):
        if not math.isfinite(value):
            return Sample(None, f"the value is {text}", error=math.isinf(value))
    return Sample(REDUCERS[reduce](values) if reduce else values[0])
