# SPDX-License-Identifier: GPL-3.0-or-later
"""Label and field selectors: from the query string or a LabelSelector to a predicate over objects."""

from __future__ import annotations

import re
import typing as t

from sandbox.kubernetes.errors import ApiError, Object, bad_request

if t.TYPE_CHECKING:
    from sandbox.kubernetes.resources import Resource

Predicate = t.Callable[[Object], bool]
Labels = t.Mapping[str, str]

SET_BASED = re.compile(r"\s*(!?[^\s!=,()]+)\s+(in|notin)\s*\(([^)]*)\)\s*(?:,|$)")
EQUALITY = re.compile(r"\s*([^\s!=,()<>]+)\s*(==|=|!=)\s*([^\s,()]*)\s*(?:,|$)")
EXISTENCE = re.compile(r"\s*(!?)\s*([^\s!=,()]+)\s*(?:,|$)")

COMMON_FIELDS = ("metadata.name", "metadata.namespace")
FIELDS: t.Mapping[str, tuple[str, ...]] = {
    "pods": (
        "spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName",
        "spec.hostNetwork", "status.phase", "status.podIP", "status.nominatedNodeName",
    ),
    "events": (
        "involvedObject.kind", "involvedObject.namespace", "involvedObject.name",
        "involvedObject.uid", "involvedObject.apiVersion", "involvedObject.resourceVersion",
        "involvedObject.fieldPath", "reason", "reportingComponent", "source", "type",
    ),
    "namespaces": ("status.phase",),
    "nodes": ("spec.unschedulable",),
    "replicasets": ("status.replicas",),
    "secrets": ("type",),
}  # fmt: skip


def label_predicate(text: str) -> t.Callable[[Labels], bool]:
    """A `labelSelector` of the query string, as `app=a,tier in (x, y),!old`."""
    tests = list(_requirements(text))
    return lambda labels: all(test(labels) for test in tests)


def _requirements(text: str) -> t.Iterator[t.Callable[[Labels], bool]]:
    position = 0
    while position < len(text):
        for pattern, make in ((SET_BASED, _in_set), (EQUALITY, _equals), (EXISTENCE, _exists)):
            match = pattern.match(text, position)
            if match is not None:
                yield make(*match.groups())
                position = match.end()
                break
        else:
            raise bad_request(f'unable to parse requirement: found "{text[position:]}"')


def _in_set(key: str, operator: str, values: str) -> t.Callable[[Labels], bool]:
    wanted = {value.strip() for value in values.split(",")}
    if operator == "in":
        return lambda labels: labels.get(key) in wanted
    return lambda labels: labels.get(key) not in wanted


def _equals(key: str, operator: str, value: str) -> t.Callable[[Labels], bool]:
    if operator == "!=":
        return lambda labels: labels.get(key) != value
    return lambda labels: labels.get(key) == value


def _exists(negated: str, key: str) -> t.Callable[[Labels], bool]:
    return lambda labels: (key in labels) != bool(negated)


def matches(selector: Object | None, labels: Labels) -> bool:
    """Whether a LabelSelector (`matchLabels`, `matchExpressions`) selects `labels`; None selects nothing."""
    if selector is None:
        return False
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(_expression(item, labels) for item in selector.get("matchExpressions") or ())


def _expression(item: Object, labels: Labels) -> bool:
    key, values = item["key"], item.get("values") or ()
    match item["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case _:
            return key not in labels


def to_text(selector: Object | None) -> str:
    """A LabelSelector as kubectl prints it: `app=a,tier in (x,y)`."""
    if not selector:
        return "<none>"
    parts = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for item in selector.get("matchExpressions") or ():
        values = ",".join(item.get("values") or ())
        words = {"Exists": item["key"], "DoesNotExist": f"!{item['key']}"}
        spelled = f"{item['key']} {item['operator'].lower()} ({values})"
        parts.append(words.get(item["operator"], spelled))
    return ",".join(parts)


def field_predicate(resource: Resource, text: str) -> Predicate:
    """A `fieldSelector`; 400 for a field this kind cannot be selected by."""
    tests: list[tuple[tuple[str, ...], bool, str]] = []
    for part in filter(None, text.split(",")):
        key, operator, value = (
            re.split(r"(!=|==|=)", part, maxsplit=1) if "=" in part else (part, "", "")
        )
        if not operator:
            raise bad_request(f'invalid selector: "{text}"; can\'t understand "{part}"')
        if key not in COMMON_FIELDS + FIELDS.get(resource.plural, ()):
            raise ApiError(400, "BadRequest", f"field label not supported: {key}")
        tests.append((tuple(key.split(".")), operator == "!=", value))

    def predicate(obj: Object) -> bool:
        return all((_lookup(obj, path) == value) != negated for path, negated, value in tests)

    return predicate


def _lookup(obj: Object, path: tuple[str, ...]) -> str:
    if path == ("source",):
        path = ("source", "component")
    value: t.Any = obj
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def selection(resource: Resource, labels: str, fields: str) -> Predicate | None:
    """Both selectors of a request as one predicate; None when everything is asked for."""
    if not labels and not fields:
        return None
    by_label, by_field = label_predicate(labels), field_predicate(resource, fields)
    return lambda obj: by_label(obj["metadata"].get("labels") or {}) and by_field(obj)
