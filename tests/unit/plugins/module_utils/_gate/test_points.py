from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.easymo.deploy.plugins.module_utils._gate.models import (
    SHOWN,
    Point,
    add_point,
    thin,
)

COURSE = st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), max_size=700)


@given(COURSE)
def test_a_course_of_any_length_is_shown_by_few_points_with_its_extremes(values):
    kept: tuple[Point, ...] = ()
    for at, value in enumerate(values):
        kept = add_point(kept, Point(at * 10.0, value, "good"))
    shown = thin(kept)
    assert len(kept) <= 2 * SHOWN
    assert len(shown) <= SHOWN
    assert list(shown) == sorted(shown, key=lambda point: point.at)
    definite = [value for value in values if value is not None]
    seen = [one.value for one in shown if one.value is not None]
    if definite:
        assert (min(seen), max(seen)) == (min(definite), max(definite))
    if values:
        assert shown[-1] == ((len(values) - 1) * 10.0, values[-1], "good")


def test_a_long_gap_is_seen():
    kept: tuple[Point, ...] = ()
    for at in range(1000):
        kept = add_point(kept, Point(float(at), None if 400 <= at < 600 else 1.0))
    assert any(one.value is None for one in thin(kept))


def test_old_points_are_as_dense_as_new_ones():
    kept: tuple[Point, ...] = ()
    for at in range(5000):
        kept = add_point(kept, Point(float(at), float(at % 7)))
    assert len(kept) <= 2 * SHOWN
    shown = thin(kept)
    early = sum(one.at < 2500 for one in shown)
    assert 40 <= early <= 80
