"""The protocol as a small model: nothing breaks it, every guard is needed, and the product goes the same steps."""

import functools
from pathlib import Path

import pytest

from tests.protocol.__main__ import ROSTERS
from tests.protocol.guards import GUARDS, Guard
from tests.protocol.model import GUARANTEES, SCRIPTS, Model
from tests.protocol.search import Found, search, tell
from tests.protocol.traces import replay, walk

pytestmark = pytest.mark.slow
PAGE = Path(__file__).parents[2] / "tests" / "simulation" / "README.md"
WALKS = 15
LARGE = (
    "two deployments of one release, a rollback",
    "deployments of two releases, a rollback of the first",
)
"""Together three times the others."""
SEARCHED = [
    pytest.param(scripts, id=name, marks=[pytest.mark.nightly] * (name in LARGE))
    for name, scripts in ROSTERS.items()
]


@functools.cache
def without(guard: Guard) -> tuple[Model, Found]:
    model = Model(guard.scripts, without=guard.names)
    found = search(model, services=guard.services, crashes=guard.crashes, troubles=guard.troubles)
    return model, found


def name_of(guard: Guard) -> str:
    return "+".join(guard.names)


@pytest.mark.parametrize("scripts", SEARCHED)
def test_no_order_of_events_breaks_a_guarantee(scripts):
    """In small; `python -m tests.protocol` tries three services and two crashes."""
    model = Model(scripts, symmetric=True)
    found = search(model, services=1, crashes=1, troubles=1)
    assert found.exhausted, tell(model, found)
    assert found.states > 1_000


@pytest.mark.parametrize("guard", GUARDS, ids=name_of)
def test_each_guard_that_is_taken_away_is_missed(guard):
    model, found = without(guard)
    print(tell(model, found))
    assert found.broken == guard.breaks


@pytest.mark.parametrize("guard", GUARDS, ids=name_of)
def test_the_product_withstands_what_would_break_it_without_the_guard(guard):
    """As far as the trace goes with the guard back in; the product stands where the model does after every step."""
    _model, found = without(guard)
    bounds = {"services": guard.services, "crashes": guard.crashes, "troubles": guard.troubles}
    assert replay(Model(guard.scripts), found.trace, **bounds) > 0


@pytest.mark.parametrize("scripts", ROSTERS.values(), ids=ROSTERS)
def test_the_product_goes_the_ways_of_the_model(scripts):
    for seed in range(WALKS):
        moves = walk(seed, scripts, services=3, crashes=2)
        assert replay(Model(scripts), moves, services=3, crashes=2) == len(moves)


@pytest.mark.parametrize("guard", ["fence", "intent", "pin", "way_back_fence"])
def test_a_model_that_is_wrong_parts_from_the_product(guard):
    wrong = next(one for one in GUARDS if guard in one.names)
    _model, found = without(wrong)
    with pytest.raises(AssertionError, match=r"the product (stands at|goes on to)"):
        replay(
            Model(wrong.scripts, without=wrong.names),
            found.trace[:-1],
            services=1,
            crashes=wrong.crashes,
        )


def test_the_page_says_what_is_searched():
    page = PAGE.read_text("utf-8")
    missing = [one for one in GUARANTEES.values() if one not in page]
    assert not missing
    assert set(SCRIPTS) == {"deploy", "rollback", "kill"}
