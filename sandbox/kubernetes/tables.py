# SPDX-License-Identifier: GPL-3.0-or-later
"""What `kubectl get` prints: a Table per kind, with the columns of the real server."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from sandbox.kubernetes import selectors
from sandbox.kubernetes.errors import Object
from sandbox.kubernetes.pod_summary import pod_cells
from sandbox.kubernetes.quantities import since

if t.TYPE_CHECKING:
    from sandbox.kubernetes.resources import Resource

Cells = list[t.Any]


@dataclass(frozen=True)
class Column:
    """`wide` columns are printed with -o wide only."""

    name: str
    type: str = "string"
    wide: bool = False

    def to_dict(self) -> Object:
        return {
            "name": self.name,
            "type": self.type,
            "format": "name" if self.name == "Name" else "",
            "description": "",
            "priority": int(self.wide),
        }


@dataclass(frozen=True)
class Printer:
    columns: tuple[Column, ...]
    cells: t.Callable[[Object], Cells]


def columns(*names: str) -> tuple[Column, ...]:
    """`Name`, `Desired:integer`, `Images+` (wide)."""
    made = []
    for name in names:
        plain, _, kind = name.rstrip("+").partition(":")
        made.append(Column(plain, kind or "string", name.endswith("+")))
    return tuple(made)


def table(
    resource: Resource, objects: t.Sequence[Object], metadata: Object, include: str, *, head: bool
) -> Object:
    """A Table of `objects`; `include` is what each row carries: Metadata, Object or None."""
    printer = PRINTERS.get(resource.plural, DEFAULT_PRINTER)
    body: Object = {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata}
    # A watch sends the head of the table once only.
    shown = [column.to_dict() for column in printer.columns] if head else None
    body["columnDefinitions"] = shown
    body["rows"] = [
        {"cells": printer.cells(obj), "object": row_object(obj, include)} for obj in objects
    ]
    return body


def row_object(obj: Object, include: str) -> Object | None:
    if include == "None":
        return None
    if include == "Object":
        return obj
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": obj["metadata"],
    }


def age(obj: Object) -> str:
    return since(obj["metadata"].get("creationTimestamp"))


def name(obj: Object) -> str:
    return str(obj["metadata"]["name"])


def workload_tail(obj: Object) -> Cells:
    """Containers, images and selector: the wide columns of Deployments and ReplicaSets."""
    spec = obj.get("spec", {})
    containers = spec.get("template", {}).get("spec", {}).get("containers", [])
    return [
        ",".join(item["name"] for item in containers),
        ",".join(item.get("image", "") for item in containers),
        selectors.to_text(spec.get("selector")),
    ]


def deployment_cells(obj: Object) -> Cells:
    status = obj.get("status", {})
    return [
        name(obj),
        f"{status.get('readyReplicas', 0)}/{obj.get('spec', {}).get('replicas', 0)}",
        status.get("updatedReplicas", 0),
        status.get("availableReplicas", 0),
        age(obj),
        *workload_tail(obj),
    ]


def replicaset_cells(obj: Object) -> Cells:
    status = obj.get("status", {})
    counts = [status.get("replicas", 0), status.get("readyReplicas", 0)]
    return [
        name(obj),
        obj.get("spec", {}).get("replicas", 0),
        *counts,
        age(obj),
        *workload_tail(obj),
    ]


def service_cells(obj: Object) -> Cells:
    spec = obj.get("spec", {})
    ports = ",".join(
        f"{port['port']}{':' + str(port['nodePort']) if 'nodePort' in port else ''}/{port['protocol']}"
        for port in spec.get("ports", ())
    )
    external = ",".join(spec.get("externalIPs", ())) or "<none>"
    selector = ",".join(f"{k}={v}" for k, v in sorted((spec.get("selector") or {}).items()))
    return [
        name(obj), spec.get("type"), spec.get("clusterIP", "<none>"), external,
        ports or "<none>", age(obj), selector or "<none>",
    ]  # fmt: skip


def endpoints_cells(obj: Object) -> Cells:
    found = [
        f"{address['ip']}:{port['port']}"
        for subset in obj.get("subsets", ())
        for port in subset.get("ports", ())
        for address in subset.get("addresses", ())
    ]
    more = f" + {len(found) - 3} more..." if len(found) > 3 else ""
    return [name(obj), ",".join(found[:3]) + more or "<none>", age(obj)]


def slice_cells(obj: Object) -> Cells:
    ports = ",".join(str(port.get("port", "*")) for port in obj.get("ports") or ()) or "<unset>"
    found = [ip for item in obj.get("endpoints") or () for ip in item.get("addresses", ())]
    more = f" + {len(found) - 3} more..." if len(found) > 3 else ""
    shown = ",".join(found[:3]) + more or "<unset>"
    return [name(obj), obj.get("addressType"), ports, shown, age(obj)]


def event_cells(obj: Object) -> Cells:
    last = (obj.get("series") or {}).get("lastObservedTime") or obj.get("lastTimestamp")
    first = obj.get("firstTimestamp") or obj.get("eventTime")
    about, source = obj.get("involvedObject") or {}, obj.get("source") or {}
    count = (obj.get("series") or {}).get("count") or obj.get("count") or 1
    reporter = source.get("component") or obj.get("reportingComponent")
    instance = source.get("host") or obj.get("reportingInstance")
    return [
        since(last or first), obj.get("type", ""), obj.get("reason", ""),
        f"{about.get('kind', '').lower()}/{about.get('name', '')}", about.get("fieldPath", ""),
        ", ".join(filter(None, (reporter, instance))),
        obj.get("message", "").strip(), since(first), count, name(obj),
    ]  # fmt: skip


def node_cells(obj: Object) -> Cells:
    status = obj.get("status", {})
    conditions = {item["type"]: item["status"] for item in status.get("conditions", ())}
    states = ["Ready" if conditions.get("Ready") == "True" else "NotReady"]
    if obj.get("spec", {}).get("unschedulable"):
        states.append("SchedulingDisabled")
    prefix = "node-role.kubernetes.io/"
    labels = obj["metadata"].get("labels") or {}
    roles = sorted(key.removeprefix(prefix) for key in labels if key.startswith(prefix))
    addresses = {item["type"]: item["address"] for item in status.get("addresses", ())}
    info = status.get("nodeInfo", {})
    return [
        name(obj), ",".join(states), ",".join(roles) or "<none>", age(obj),
        info.get("kubeletVersion", ""), addresses.get("InternalIP", "<none>"),
        addresses.get("ExternalIP", "<none>"), info.get("osImage", "<unknown>"),
        info.get("kernelVersion", "<unknown>"), info.get("containerRuntimeVersion", "<unknown>"),
    ]  # fmt: skip


def quota_cells(obj: Object) -> Cells:
    status = obj.get("status", {})
    hard, used = status.get("hard", {}), status.get("used", {})
    shown = [f"{key}: {used.get(key, '0')}/{hard[key]}" for key in sorted(hard)]
    limits = [item for item in shown if item.startswith("limits.")]
    requests = [item for item in shown if item not in limits]
    return [name(obj), ", ".join(requests), ", ".join(limits), age(obj)]


def budget_cells(obj: Object) -> Cells:
    spec = obj.get("spec", {})
    bounds = [spec.get("minAvailable", "N/A"), spec.get("maxUnavailable", "N/A")]
    return [
        name(obj),
        *map(str, bounds),
        obj.get("status", {}).get("disruptionsAllowed", 0),
        age(obj),
    ]


def autoscaler_cells(obj: Object) -> Cells:
    spec, about = obj.get("spec", {}), obj.get("spec", {}).get("scaleTargetRef", {})
    return [
        name(obj), f"{about.get('kind', '')}/{about.get('name', '')}", "<unknown>",
        str(spec.get("minReplicas", 1)), spec.get("maxReplicas", 0),
        obj.get("status", {}).get("currentReplicas", 0), age(obj),
    ]  # fmt: skip


def data_count(obj: Object) -> int:
    return len(obj.get("data") or {}) + len(obj.get("binaryData") or {})


DEFAULT_PRINTER = Printer(
    columns("Name", "Created At:date"),
    lambda obj: [name(obj), obj["metadata"].get("creationTimestamp")],
)
PRINTERS: t.Mapping[str, Printer] = {
    "pods": Printer(
        columns("Name", "Ready", "Status", "Restarts", "Age", "IP+", "Node+", "Nominated Node+",
                "Readiness Gates+"),
        pod_cells,
    ),
    "deployments": Printer(
        columns("Name", "Ready", "Up-to-date", "Available", "Age", "Containers+", "Images+",
                "Selector+"),
        deployment_cells,
    ),
    "replicasets": Printer(
        columns("Name", "Desired:integer", "Current:integer", "Ready:integer", "Age", "Containers+",
                "Images+", "Selector+"),
        replicaset_cells,
    ),
    "services": Printer(
        columns("Name", "Type", "Cluster-IP", "External-IP", "Port(s)", "Age", "Selector+"),
        service_cells,
    ),
    "endpoints": Printer(columns("Name", "Endpoints", "Age"), endpoints_cells),
    "endpointslices": Printer(
        columns("Name", "AddressType", "Ports", "Endpoints", "Age"), slice_cells
    ),
    "configmaps": Printer(
        columns("Name", "Data", "Age"), lambda obj: [name(obj), data_count(obj), age(obj)]
    ),
    "secrets": Printer(
        columns("Name", "Type", "Data:integer", "Age"),
        lambda obj: [name(obj), obj.get("type", ""), data_count(obj), age(obj)],
    ),
    "namespaces": Printer(
        columns("Name", "Status", "Age"),
        lambda obj: [name(obj), obj.get("status", {}).get("phase", ""), age(obj)],
    ),
    "nodes": Printer(
        columns("Name", "Status", "Roles", "Age", "Version", "Internal-IP+", "External-IP+",
                "OS-Image+", "Kernel-Version+", "Container-Runtime+"),
        node_cells,
    ),
    "leases": Printer(
        columns("Name", "Holder", "Age"),
        lambda obj: [name(obj), obj.get("spec", {}).get("holderIdentity", ""), age(obj)],
    ),
    "events": Printer(
        columns("Last Seen", "Type", "Reason", "Object", "Subobject+", "Source+", "Message",
                "First Seen+", "Count+", "Name+"),
        event_cells,
    ),
    "resourcequotas": Printer(columns("Name", "Request", "Limit", "Age"), quota_cells),
    "serviceaccounts": Printer(columns("Name", "Age"), lambda obj: [name(obj), age(obj)]),
    "poddisruptionbudgets": Printer(
        columns("Name", "Min Available", "Max Unavailable", "Allowed Disruptions:integer", "Age"),
        budget_cells,
    ),
    "horizontalpodautoscalers": Printer(
        columns("Name", "Reference", "Targets", "MinPods", "MaxPods", "Replicas", "Age"),
        autoscaler_cells,
    ),
}  # fmt: skip
