# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.easymo.deploy.plugins.module_utils._gate.points import (
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
        kept = add_point(kept, (at * 10.0, value))
    shown = thin(kept)
    assert len(kept) <= 2 * SHOWN
    assert len(shown) <= SHOWN
    assert list(shown) == sorted(shown, key=lambda point: point[0])
    definite = [value for value in values if value is not None]
    seen = [value for _at, value in shown if value is not None]
    if definite:
        assert (min(seen), max(seen)) == (min(definite), max(definite))
    if values:
        assert shown[-1] == ((len(values) - 1) * 10.0, values[-1])


def test_a_long_gap_is_seen():
    kept: tuple[Point, ...] = ()
    for at in range(1000):
        kept = add_point(kept, (float(at), None if 400 <= at < 600 else 1.0))
    assert any(value is None for _at, value in thin(kept))


def test_old_points_are_as_dense_as_new_ones():
    kept: tuple[Point, ...] = ()
    for at in range(5000):
        kept = add_point(kept, (float(at), float(at % 7)))
    shown = thin(kept)
    early = sum(at < 2500 for at, _value in shown)
    assert 40 <= early <= 80
