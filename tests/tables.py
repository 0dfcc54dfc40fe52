"""Tables of cases, each beside its name."""

import typing as t

import pytest


def cases(names: str | tuple[str, ...], table: t.Mapping[str, object]) -> pytest.MarkDecorator:
    """`pytest.mark.parametrize` over the table's values; what a case is called stands before it."""
    return pytest.mark.parametrize(names, [*table.values()], ids=[*table])
