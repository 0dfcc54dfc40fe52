"""Every benchmark still measures: each at its small size, those that need a sandbox on one that they share."""

import math
import typing as t

import pytest

from tests.benchmarks.measurement import Size
from tests.benchmarks.registry import BENCHMARKS
from tests.benchmarks.stage import SEED_MB, Stage, own_stage, sharing


@pytest.fixture(scope="module")
def place() -> t.Iterator[Stage]:
    with own_stage() as made:
        made.sandbox("up", "--seed-mb", SEED_MB)
        yield made


@pytest.mark.nightly
@pytest.mark.parametrize("name", BENCHMARKS)
def test_it_measures_something(place, name):
    with sharing(place):
        measured = list(BENCHMARKS[name](Size.SMALL))

    assert measured
    for each in measured:
        assert math.isfinite(each.value), each
    assert any(each.value for each in measured), measured
