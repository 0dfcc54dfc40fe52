"""One act for each cause, never two, over ten days in which looks are lost, late, doubled, killed and blind."""

import pytest

from tests.source_seed import source_seed
from tests.unit.plugins.module_utils._guard.ten_days import live

pytestmark = pytest.mark.slow


def test_one_act_for_each_cause() -> None:
    life = live(500470809)
    assert life.acts, "nothing was tried"
    assert not life.wrong


def test_one_act_for_each_cause_with_a_fresh_seed() -> None:
    life = live(source_seed())
    assert not life.wrong, f"seed {life.seed}"
