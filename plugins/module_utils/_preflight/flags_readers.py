# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the Deployments that read the feature flags have them from the ConfigMap, as the release says they do."""

from __future__ import annotations

import typing as t

from .._cluster import Object
from .._errors import InputError
from .._flags.flagd import Document
from .._flags.probe import DELIVERIES, ENVIRONMENT, VOLUME, to_probe
from .._flags.values import to_values
from .._jmespath import JMESPATH
from .._kubernetes_client import KUBERNETES
from .._templates import JINJA2
from .models import Finding, Ground, Kind, Options, failed, passed
from .options import names


def look(options: Options, ground: Ground) -> t.Sequence[Finding]:
    cluster = ground.cluster()
    seen = {name: cluster.read("Deployment", name) for name in options["deployments"]}
    body = cluster.read("ConfigMap", options["name"])
    return [judge(options, seen, None if body is None else body.get("data") or {})]


def judge(
    options: Options,
    deployments: t.Mapping[str, Object | None],
    data: t.Mapping[str, str] | None,
) -> Finding:
    """`data` is None where there is no ConfigMap yet."""
    name, delivery = options["name"], options["delivery"]
    gone = [one for one, body in deployments.items() if body is None]
    if gone:
        return failed(f"there is no Deployment {', '.join(gone)} that would read the flags")
    found = {one: body for one, body in deployments.items() if body}
    problem = _by_volume(name, found) if delivery == VOLUME else _by_environment(name, found)
    if problem:
        return failed(problem)
    try:
        probe = to_probe(delivery, options["probe"])
        document = Document.from_options(options["flagd"])
        for values in options["values"] if document else ():
            _render(document, data or {}, values)
    except InputError as exc:
        return failed(str(exc).rstrip("."))
    new = "" if data is not None else "; the release creates it"
    verb = "mounts" if delivery == VOLUME else "reads"
    return passed(
        f"{', '.join(deployments)} {verb} the ConfigMap {name}{new}",
        warnings=(probe.weakness,) if probe.weakness else (),
    )


def _render(
    document: Document | None, data: t.Mapping[str, str], values: t.Mapping[str, t.Any]
) -> None:
    wanted = {key: text for key, text in to_values(values, {}).items() if text is not None}
    if document:
        document.render({**data, **wanted})


def _by_environment(name: str, deployments: t.Mapping[str, Object]) -> str:
    blind = [one for one, body in deployments.items() if name not in sources(body)]
    if not blind:
        return ""
    return f"{', '.join(blind)} takes no environment from the ConfigMap {name}, so flags would change nothing"


def _by_volume(name: str, deployments: t.Mapping[str, Object]) -> str:
    mounts = {one: mounted(body, name) for one, body in deployments.items()}
    blind = [one for one, found in mounts.items() if not found]
    if blind:
        return (
            f"{', '.join(blind)} does not mount the ConfigMap {name}, so flags would change nothing"
        )
    fixed = [one for one, found in mounts.items() if all(mount.get("subPath") for mount in found)]
    if fixed:
        return (
            f"{', '.join(fixed)} mounts the ConfigMap {name} by subPath alone, which the kubelet never brings "
            "up to date: mount the folder"
        )
    return ""


def sources(deployment: Object) -> set[str]:
    """The ConfigMaps that its containers take environment variables from."""
    found: set[str] = set()
    for container in deployment["spec"]["template"]["spec"]["containers"]:
        for entry in container.get("envFrom") or []:
            found.add(str((entry.get("configMapRef") or {}).get("name")))
        for entry in container.get("env") or []:
            source = entry.get("valueFrom") or {}
            found.add(str((source.get("configMapKeyRef") or {}).get("name")))
    return found


def mounted(deployment: Object, name: str) -> list[Object]:
    """Where its containers mount the ConfigMap."""
    spec = deployment["spec"]["template"]["spec"]
    volumes = {
        one["name"]
        for one in spec.get("volumes") or []
        for source in (one, *((one.get("projected") or {}).get("sources") or []))
        if (source.get("configMap") or {}).get("name") == name
    }
    return [
        mount
        for container in spec["containers"]
        for mount in container.get("volumeMounts") or []
        if mount["name"] in volumes
    ]


KIND = Kind(
    look,
    {
        "name": {"type": "str", "default": "feature-flags"},
        "deployments": names(required=True),
        "delivery": {"type": "str", "choices": [*DELIVERIES], "default": ENVIRONMENT},
        "probe": {"type": "dict", "default": {}},
        "flagd": {"type": "dict", "default": {}},
        "values": {"type": "list", "elements": "dict", "default": []},
    },
    (KUBERNETES, JMESPATH, JINJA2),
)
