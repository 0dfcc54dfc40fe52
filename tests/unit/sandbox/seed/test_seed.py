"""The seed's size and identity."""

import pytest

from sandbox.seed import fingerprint, volumes


def test_the_fingerprint_names_the_size_too():
    assert fingerprint(5) == fingerprint(5)
    assert fingerprint(5) != fingerprint(6)


@pytest.mark.parametrize("megabytes", [0, 1, 50])
def test_there_is_some_of_every_kind(megabytes):
    assert min(volumes(megabytes).values()) >= 20


def test_rows_grow_with_the_size():
    assert volumes(100)["messages"] == 2 * volumes(50)["messages"]
