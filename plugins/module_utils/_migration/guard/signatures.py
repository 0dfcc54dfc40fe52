# SPDX-License-Identifier: GPL-3.0-or-later
"""What callers of a routine rely on, and what of it another one in its place has no more."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .names import Name, Types, input_types, same_types, type_name

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from .parser import Node

_INPUTS = ("FUNC_PARAM_IN", "FUNC_PARAM_INOUT", "FUNC_PARAM_VARIADIC", "FUNC_PARAM_DEFAULT")
_OUTPUTS = ("FUNC_PARAM_OUT", "FUNC_PARAM_INOUT", "FUNC_PARAM_TABLE")


@dataclass(frozen=True)
class Signature:
    """`types`, `names` (empty where it has none) and `optional` (how many of the last have defaults) are of inputs."""

    types: Types
    names: tuple[str, ...]
    optional: int = 0
    variadic: bool = False
    procedure: bool = False
    returns_set: bool = False
    columns: tuple[tuple[str, Name], ...] = ()
    """Name and type of each column of the result; one without a name for a plain type."""


def read_signature(body: Node) -> Signature:
    """Of a CreateFunctionStmt."""
    parameters = [
        each["FunctionParameter"]
        for each in body.get("parameters", ())
        if "FunctionParameter" in each
    ]
    inputs = [each for each in parameters if each.get("mode") in _INPUTS]
    columns = tuple(
        (each.get("name", ""), type_name(each["argType"]))
        for each in parameters
        if each.get("mode") in _OUTPUTS
    )
    result = body.get("returnType")
    return Signature(
        types=input_types(body.get("parameters", ())),
        names=tuple(each.get("name", "") for each in inputs),
        optional=sum("defexpr" in each for each in inputs),
        variadic=any(each.get("mode") == "FUNC_PARAM_VARIADIC" for each in inputs),
        procedure=bool(body.get("is_procedure")),
        returns_set=bool(result and result.get("setof")) or _returns_table(parameters),
        columns=columns or ((("", type_name(result)),) if result else ()),
    )


def _returns_table(parameters: list[Node]) -> bool:
    return any(each.get("mode") == "FUNC_PARAM_TABLE" for each in parameters)


def lost_for_callers(old: Signature, new: Signature) -> Iterator[str]:
    """A clause for each thing that callers of `old` cannot rely on with `new`, which may have more inputs."""
    if old.procedure != new.procedure:
        yield f"is a {'procedure' if new.procedure else 'function'} now"
    elif not _same_result(old, new):
        yield f"returns {_result(new)} instead of {_result(old)}"
    for number, name in enumerate(old.names):
        if name and name != new.names[number]:
            yield f"calls its parameter {name} {new.names[number] or 'nothing'} now"
    required = len(new.types) - new.optional
    if required > len(old.types) - old.optional:
        yield "has fewer defaults"
    if old.variadic and not new.variadic:
        yield "is no longer VARIADIC"


def _same_result(old: Signature, new: Signature) -> bool:
    if old.returns_set != new.returns_set or len(old.columns) != len(new.columns):
        return False
    return all(
        was == name and same_types((before,), (after,))
        for (was, before), (name, after) in zip(old.columns, new.columns, strict=True)
    )


def _result(of: Signature) -> str:
    listed = ", ".join(f"{name} {type_}".strip() for name, type_ in of.columns)
    listed = f"({listed})" if len(of.columns) > 1 else listed or "nothing"
    return f"a set of {listed}" if of.returns_set else listed
