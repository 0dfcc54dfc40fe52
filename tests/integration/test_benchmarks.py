# SPDX-License-Identifier: GPL-3.0-or-later
"""Every benchmark still measures: each at its small size, those that need a sandbox on one that they share."""

from __future__ import annotations

import math
import typing as t

import pytest

from tests.benchmarks.measurement import Size
from tests.benchmarks.registry import BENCHMARKS
from tests.benchmarks.stage import SEED_MB, own_stage, sharing

if t.TYPE_CHECKING:
    from tests.benchmarks.stage import Stage


@pytest.fixture(scope="module")
def place() -> t.Iterator[Stage]:
    with own_stage() as made:
        made.sandbox("up", "--seed-mb", SEED_MB)
        yield made


@pytest.mark.nightly
@pytest.mark.parametrize("name", BENCHMARKS)
def test_it_measures_something(place: Stage, name: str) -> None:
    with sharing(place):
        measured = list(BENCHMARKS[name](Size.SMALL))

    assert measured
    for each in measured:
        assert math.isfinite(each.value), each
    assert any(each.value for each in measured), measured
