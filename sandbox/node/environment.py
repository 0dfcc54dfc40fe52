# SPDX-License-Identifier: GPL-3.0-or-later
"""A container's environment, from its spec and the ConfigMaps and Secrets as they are at this moment."""

from __future__ import annotations

import base64
import re
import typing as t

Object = dict[str, t.Any]

Objects = t.Mapping[tuple[str, str], Object]
"""What there is in the pod's namespace, by (`configmaps` or `secrets`, name)."""

_VARIABLE = re.compile(r"\$(\$|\((?P<name>[A-Za-z_.-][A-Za-z0-9_.-]*)\))")
_ENV_NAME = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")
_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['(.+)'\]")
_KINDS = {"configmaps": ("configmap", "ConfigMap"), "secrets": ("secret", "Secret")}


class ConfigError(Exception):
    """CreateContainerConfigError, in the kubelet's words."""


def resolve(container: Object, pod: Object, objects: Objects) -> dict[str, str]:
    """The variables: envFrom in order, then env in order; a later one of the same name wins."""
    env: dict[str, str] = {}
    for source in container.get("envFrom") or ():
        env.update(_from_source(source, objects))
    for entry in container.get("env") or ():
        value = _value(entry, pod, env, objects)
        if value is not None:
            env[entry["name"]] = value
    return env


def _from_source(source: Object, objects: Objects) -> dict[str, str]:
    for field, resource in (("configMapRef", "configmaps"), ("secretRef", "secrets")):
        if field in source:
            found = _found(resource, source[field], objects)
            data = _texts(resource, found) if found else {}
            prefix = source.get("prefix", "")
            named = {f"{prefix}{name}": value for name, value in data.items()}
            # A key that cannot be a variable is skipped, not refused.
            return {name: value for name, value in named.items() if _ENV_NAME.fullmatch(name)}
    return {}


def _found(resource: str, reference: Object, objects: Objects) -> Object | None:
    found = objects.get((resource, reference["name"]))
    if found is None and not reference.get("optional"):
        raise ConfigError(f'{_KINDS[resource][0]} "{reference["name"]}" not found')
    return found


def _texts(resource: str, obj: Object) -> dict[str, str]:
    data = obj.get("data") or {}
    if resource == "configmaps":
        return dict(data)
    return {name: base64.b64decode(value).decode(errors="replace") for name, value in data.items()}


def _value(entry: Object, pod: Object, env: t.Mapping[str, str], objects: Objects) -> str | None:
    source = entry.get("valueFrom")
    if not source:
        return _expanded(entry.get("value", ""), env)
    for field, resource in (("configMapKeyRef", "configmaps"), ("secretKeyRef", "secrets")):
        if field in source:
            return _key(resource, source[field], pod, objects)
    if "fieldRef" in source:
        return field_value(source["fieldRef"]["fieldPath"], pod)
    return ""


def _key(resource: str, reference: Object, pod: Object, objects: Objects) -> str | None:
    found = _found(resource, reference, objects)
    value = _texts(resource, found).get(reference["key"]) if found else None
    if value is None and not reference.get("optional"):
        where = f"{pod['metadata']['namespace']}/{reference['name']}"
        kind = _KINDS[resource][1]
        raise ConfigError(f"couldn't find key {reference['key']} in {kind} {where}")
    return value


def field_value(path: str, pod: Object) -> str:
    """A fieldRef: `metadata.name`, `metadata.labels['app']`, `status.podIP`, `spec.nodeName`, ..."""
    subscript = _SUBSCRIPT.fullmatch(path)
    if subscript:
        entries = pod["metadata"].get(subscript[1]) or {}
        return str(entries.get(subscript[2], ""))
    value: t.Any = pod
    for part in path.split("."):
        value = value.get(part, "") if isinstance(value, dict) else ""
    return str(value)


def _expanded(value: str, env: t.Mapping[str, str]) -> str:
    """`$(NAME)` of a variable defined before; `$$` is one dollar; unknown names stay as they are."""

    def replace(found: re.Match[str]) -> str:
        name = found["name"]
        if name is None:
            return "$"
        return env.get(name, found[0])

    return _VARIABLE.sub(replace, value)
