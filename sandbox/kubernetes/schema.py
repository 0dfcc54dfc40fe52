# SPDX-License-Identifier: GPL-3.0-or-later
"""The fields and types of every kind, read from the installed Python client's models.

The client's generated models carry the whole API as two literal tables each. They are read as text, one
model when it is first asked for: importing the client itself would cost a second and 50 MB.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import re
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.kubernetes.errors import Object

TABLE = r"{name}[^=\n]*= (\{{.*?\}})"
CONTAINER = re.compile(r"(?:List|list)\[(.+)\]|(?:Dict|dict)\[str, (.+)\]")
# Quantities may be written as numbers and are stored as strings; the models call them strings.
QUANTITY_MAPS = ("limits", "requests", "hard", "used", "capacity", "allocatable")
INT64 = (
    "activeDeadlineSeconds", "generation", "observedGeneration", "terminationGracePeriodSeconds",
    "tolerationSeconds", "deletionGracePeriodSeconds", "runAsUser", "runAsGroup", "fsGroup",
)  # fmt: skip
KEPT_EMPTY = ("endpoints", "containers", "items")


# Custom resources, whose fields no client knows.
CUSTOM: t.Mapping[str, t.Mapping[str, str]] = {
    "V1PrometheusRule": {
        "apiVersion": "str",
        "kind": "str",
        "metadata": "V1ObjectMeta",
        "spec": "V1PrometheusRuleSpec",
    },
    "V1PrometheusRuleSpec": {"groups": "list[V1PrometheusRuleGroup]"},
    "V1PrometheusRuleGroup": {
        "name": "str",
        "interval": "str",
        "labels": "dict[str, str]",
        "limit": "int",
        "partial_response_strategy": "str",
        "query_offset": "str",
        "rules": "list[V1PrometheusRuleRule]",
    },
    "V1PrometheusRuleRule": {
        "alert": "str",
        "annotations": "dict[str, str]",
        "expr": "object",
        "for": "str",
        "keep_firing_for": "str",
        "labels": "dict[str, str]",
        "record": "str",
    },
}


@functools.cache
def container(kind: str) -> re.Match[str] | None:
    """Whether it is a list, of the first group's type, or a map, of the second's."""
    return CONTAINER.fullmatch(kind)


@functools.cache
def model_files() -> t.Mapping[str, Path]:
    spec = importlib.util.find_spec("kubernetes")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError(
            "The Python package 'kubernetes' is not installed; see requirements.lock."
        )
    folder = Path(next(iter(spec.submodule_search_locations))) / "client" / "models"
    return {path.stem.replace("_", ""): path for path in folder.glob("*.py")}


@functools.cache
def fields(model: str) -> t.Mapping[str, str]:
    """JSON field name to type: `int`, `str`, `V1Container`, `List[V1Container]`, `Dict[str, str]`, ..."""
    if model in CUSTOM:
        return CUSTOM[model]
    text = model_files()[model.lower()].read_text(encoding="utf-8")
    types = _table(text, "openapi_types")
    return {json_name: types[name] for name, json_name in _table(text, "attribute_map").items()}


def _table(text: str, name: str) -> dict[str, str]:
    match = re.search(TABLE.format(name=name), text, re.DOTALL)
    if match is None:
        raise RuntimeError(f"The Python client's models have no {name}: pin another version.")
    return t.cast("dict[str, str]", ast.literal_eval(match[1]))


@dataclass(frozen=True)
class FieldError:
    """A value that does not fit: where, what is there, the Go type that was wanted, and by whom."""

    path: str
    value: object
    wanted: str
    struct: str = ""


@dataclass
class Decoded:
    """An object as the server would decode it, and what it had to drop or could not take."""

    value: t.Any = None
    unknown: list[str] = field(default_factory=list)
    field_errors: list[FieldError] = field(default_factory=list)
    structs: list[str] = field(default_factory=list)
    """The models that are being read, the innermost last."""

    def field_error(self, path: str, value: object, wanted: str) -> None:
        self.field_errors.append(FieldError(path, value, wanted, self.structs[-1]))


def decode_model(model: str, obj: Object) -> Decoded:
    """Drop nulls, empty lists and maps, and unknown fields; find values of the wrong type."""
    report = Decoded()
    report.value = _struct(model, obj, "", report)
    return report


def _struct(model: str, obj: Object, path: str, report: Decoded) -> Object:
    known = fields(model)
    clean: Object = {}
    report.structs.append(model)
    for key, value in obj.items():
        where = f"{path}.{key}" if path else key
        if key not in known:
            report.unknown.append(where)
        elif value is not None:
            taken = _value(known[key], value, where, report)
            if taken not in ([], {}) or key in KEPT_EMPTY or known[key].startswith(("V", "Core")):
                clean[key] = taken
    report.structs.pop()
    return clean


def _value(wanted: str, value: object, path: str, report: Decoded) -> object:
    parts = container(wanted)
    if parts is not None:
        return _container(parts[1], parts[2], value, path, report)
    if wanted == "object":
        return value
    if wanted in SCALARS:
        return _scalar(wanted, value, path, report)
    if not isinstance(value, dict):
        report.field_error(path, value, wanted)
        return {}
    if wanted == "V1FieldsV1":
        return value
    return _struct(wanted, value, path, report)


def _container(
    item: str | None, entry: str | None, value: object, path: str, report: Decoded
) -> object:
    if item is not None:
        if isinstance(value, list):
            return [_value(item, child, f"{path}[{i}]", report) for i, child in enumerate(value)]
        report.field_error(path, value, "slice")
        return []
    if isinstance(value, dict) and entry is not None:
        return {key: _value(entry, child, f"{path}[{key}]", report) for key, child in value.items()}
    report.field_error(path, value, "map")
    return {}


SCALARS: t.Mapping[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "str": (str,),
    "bytes": (str,),
    "datetime": (str,),
}


def _scalar(wanted: str, value: object, path: str, report: Decoded) -> object:
    fits = isinstance(value, SCALARS[wanted]) and (wanted == "bool") == isinstance(value, bool)
    if fits:
        return value
    name = plain_path(path)[-1]
    if wanted == "str" and name in QUANTITY_MAPS:
        return str(value)
    go_type = {"str": "string", "bytes": "[]byte", "float": "float64", "datetime": "Time"}
    if wanted == "int":
        report.field_error(path, value, "int64" if name in INT64 else "int32")
    else:
        report.field_error(path, value, go_type.get(wanted, wanted))
    return value


def plain_path(path: str) -> list[str]:
    return re.sub(r"\[[^\]]*\]", "", path).split(".")


def json_kind(value: object) -> str:
    """How Go's JSON decoder names what it found."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def go_kind(value: object) -> str:
    """How Go names the type of a value read from JSON into `any`."""
    names = {"number": "int64", "array": "[]interface {}", "object": "map[string]interface {}"}
    kind = json_kind(value)
    if isinstance(value, float):
        return "float64"
    return names.get(kind, kind)
