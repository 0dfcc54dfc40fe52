# SPDX-License-Identifier: GPL-3.0-or-later
"""What the server says it has: versions, groups and resources, and as much OpenAPI as kubectl needs."""

from __future__ import annotations

import typing as t

from sandbox.kubernetes import schema
from sandbox.kubernetes.errors import Object
from sandbox.kubernetes.resources import RESOURCES, Resource, Subresource

VERSION: Object = {
    "major": "1",
    "minor": "36",
    "emulationMajor": "1",
    "emulationMinor": "36",
    "minCompatibilityMajor": "1",
    "minCompatibilityMinor": "35",
    "gitVersion": "v1.36.2",
    "gitCommit": "sandbox",
    "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "go1.26.6",
    "compiler": "gc",
    "platform": "linux/amd64",
}
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


def answer(path: str) -> tuple[Object, str] | None:
    """The document at a discovery path and its content type; None for another path."""
    parts = [part for part in path.split("/") if part]
    plain = "application/json"
    match parts:
        case ["api"] | ["apis"]:
            return aggregated(core=parts == ["api"]), AGGREGATED
        case ["version"]:
            return VERSION, plain
        case ["api", "v1"]:
            return resource_list("", "v1"), plain
        case ["apis", group, version] if version in groups().get(group, ()):
            return resource_list(group, version), plain
        case ["openapi", "v3"]:
            return openapi_index(), plain
        case ["openapi", "v3", "api", "v1"]:
            return openapi("", "v1"), plain
        case ["openapi", "v3", "apis", group, version] if version in groups().get(group, ()):
            return openapi(group, version), plain
    return None


def groups() -> dict[str, list[str]]:
    """Group to its versions, without the core group; in the order of the table."""
    versions: dict[str, list[str]] = {}
    for item in RESOURCES:
        if item.group and item.version not in versions.setdefault(item.group, []):
            versions[item.group].append(item.version)
    return versions


def in_group(group: str, version: str) -> list[Resource]:
    return [item for item in RESOURCES if (item.group, item.version) == (group, version)]


def aggregated(*, core: bool) -> Object:
    wanted = {"": ["v1"]} if core else groups()
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": [
            {
                "metadata": {"name": group} if group else {},
                "versions": [
                    {
                        "version": version,
                        "resources": [aggregated_resource(r) for r in in_group(group, version)],
                        "freshness": "Current",
                    }
                    for version in versions
                ],
            }
            for group, versions in wanted.items()
        ],
    }


def aggregated_resource(resource: Resource) -> Object:
    described: Object = {
        "resource": resource.plural,
        "responseKind": {"group": "", "version": "", "kind": resource.kind},
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular_name,
        "verbs": list(resource.verbs),
    }
    described |= optional_names(resource)
    if resource.subresources:
        described["subresources"] = [
            {
                "subresource": item.name,
                "responseKind": {
                    "group": item.group,
                    "version": item.version,
                    "kind": item.kind or resource.kind,
                },
                "verbs": list(item.verbs),
            }
            for item in resource.subresources
        ]
    return described


def optional_names(resource: Resource) -> Object:
    """What kubectl also takes for the kind's name; absent where there is nothing."""
    names = {"shortNames": resource.short_names, "categories": resource.categories}
    return {key: list(value) for key, value in names.items() if value}


def resource_list(group: str, version: str) -> Object:
    rows: list[Object] = []
    for resource in in_group(group, version):
        rows.append(legacy_resource(resource))
        rows += [legacy_subresource(resource, item) for item in resource.subresources]
    full = f"{group}/{version}" if group else version
    head = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": full}
    return head | {"resources": rows}


def legacy_resource(resource: Resource) -> Object:
    return {
        "name": resource.plural,
        "singularName": resource.singular_name,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(resource.verbs),
        **optional_names(resource),
    }


def legacy_subresource(resource: Resource, item: Subresource) -> Object:
    row: Object = {
        "name": f"{resource.plural}/{item.name}",
        "singularName": "",
        "namespaced": resource.namespaced,
    }
    if item.group:
        row |= {"group": item.group, "version": item.version}
    return row | {"kind": item.kind or resource.kind, "verbs": list(item.verbs)}


def openapi_index() -> Object:
    names = ["api/v1"]
    names += [
        f"apis/{group}/{version}" for group, versions in groups().items() for version in versions
    ]
    return {"paths": {name: {"serverRelativeURL": f"/openapi/v3/{name}?hash=1"} for name in names}}


def openapi(group: str, version: str) -> Object:
    """Enough for `kubectl apply` (PATCH takes fieldValidation) and `kubectl explain` (field names)."""
    schemas: Object = {}
    paths: Object = {}
    root = f"/apis/{group}/{version}" if group else f"/api/{version}"
    for resource in in_group(group, version):
        kind = {"group": group, "kind": resource.kind, "version": version}
        middle = "/namespaces/{namespace}" if resource.namespaced else ""
        paths[f"{root}{middle}/{resource.plural}/{{name}}"] = {
            verb: {
                "x-kubernetes-group-version-kind": kind,
                "parameters": [
                    {"name": name, "in": "query", "schema": {"type": "string"}}
                    for name in ("dryRun", "fieldManager", "fieldValidation")
                ],
                "responses": {},
            }
            for verb in ("get", "put", "patch", "delete")
        }
        add_schema(resource.model, schemas)
        schemas[resource.model]["x-kubernetes-group-version-kind"] = [kind]
    info = {"title": "Kubernetes", "version": VERSION["gitVersion"]}
    return {"openapi": "3.0.0", "info": info, "paths": paths, "components": {"schemas": schemas}}


def add_schema(model: str, schemas: Object) -> None:
    if model in schemas:
        return
    properties: Object = {}
    schemas[model] = {"type": "object", "properties": properties}
    for name, kind in schema.fields(model).items():
        properties[name] = property_schema(kind, schemas)


def property_schema(kind: str, schemas: Object) -> Object:
    container = schema.container(kind)
    if container is not None and container[1] is not None:
        return {"type": "array", "items": property_schema(container[1], schemas)}
    if container is not None:
        entry = property_schema(container[2], schemas)
        return {"type": "object", "additionalProperties": entry}
    if kind == "object":
        return {}
    simple: t.Mapping[str, Object] = {
        "int": {"type": "integer"},
        "float": {"type": "number"},
        "bool": {"type": "boolean"},
        "datetime": {"type": "string", "format": "date-time"},
    }
    if kind in schema.SCALARS:
        return dict(simple.get(kind, {"type": "string"}))
    add_schema(kind, schemas)
    return {"$ref": f"#/components/schemas/{kind}"}
