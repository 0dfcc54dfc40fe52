# SPDX-License-Identifier: GPL-3.0-or-later
"""What `kubectl get` prints: a Table per kind, with the columns of the real server.

The STATUS of a pod is one word: CrashLoopBackOff, Terminating, Init:0/1, Running.
"""

from __future__ import annotations

import typing as t

from sandbox.kubernetes import selectors
from sandbox.kubernetes.controllers.objects import pod_ready
from sandbox.kubernetes.errors import Object
from sandbox.kubernetes.quantities import since

if t.TYPE_CHECKING:
    from sandbox.kubernetes.resources import Resource

Cells = t.Iterable[t.Any]


def head_of(columns: str) -> list[Object]:
    """`Name|Desired:integer|Images+`: of another type than string, printed with -o wide only."""
    made: list[Object] = []
    for column in columns.split("|"):
        name, _, kind = column.rstrip("+").partition(":")
        shape = {"name": name, "type": kind or "string", "format": "name" if name == "Name" else ""}
        made.append(shape | {"description": "", "priority": int(column.endswith("+"))})
    return made


def table(
    resource: Resource, objects: t.Sequence[Object], metadata: Object, include: str, *, head: bool
) -> Object:
    """A Table of `objects`; `include` is what each row carries: Metadata, Object or None."""
    columns, cells = PRINTERS.get(resource.plural, DEFAULT_PRINTER)
    definitions = head_of(columns)
    names = [definition["name"] for definition in definitions]
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        # A watch sends the head of the table once only.
        "columnDefinitions": definitions if head else None,
        "rows": [
            {"cells": row(names, cells(obj), obj), "object": row_object(obj, include)}
            for obj in objects
        ],
    }


def row(names: t.Iterable[str], cells: Cells, obj: Object) -> list[t.Any]:
    """The cells of a kind, with its name and age where the columns have them."""
    left = iter(cells)
    return [COMMON[name](obj) if name in COMMON else next(left) for name in names]


def row_object(obj: Object, include: str) -> Object | None:
    if include == "None":
        return None
    if include == "Object":
        return obj
    head = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}
    return head | {"metadata": obj["metadata"]}


COMMON: t.Mapping[str, t.Callable[[Object], str]] = {
    "Name": lambda obj: str(obj["metadata"]["name"]),
    "Age": lambda obj: since(obj["metadata"].get("creationTimestamp")),
}


def workload_tail(obj: Object) -> Cells:
    spec = obj.get("spec", {})
    containers = spec.get("template", {}).get("spec", {}).get("containers", [])
    return (
        ",".join(item["name"] for item in containers),
        ",".join(item.get("image", "") for item in containers),
        selectors.to_text(spec.get("selector")),
    )


def deployment_cells(obj: Object) -> Cells:
    status = obj.get("status", {})
    yield f"{status.get('readyReplicas', 0)}/{obj.get('spec', {}).get('replicas', 0)}"
    yield status.get("updatedReplicas", 0)
    yield status.get("availableReplicas", 0)
    yield from workload_tail(obj)


def replicaset_cells(obj: Object) -> Cells:
    status = obj.get("status", {})
    yield obj.get("spec", {}).get("replicas", 0)
    yield status.get("replicas", 0)
    yield status.get("readyReplicas", 0)
    yield from workload_tail(obj)


def statefulset_cells(obj: Object) -> Cells:
    status = obj.get("status", {})
    yield f"{status.get('readyReplicas', 0)}/{obj.get('spec', {}).get('replicas', 0)}"
    yield from list(workload_tail(obj))[:2]


def daemonset_cells(obj: Object) -> Cells:
    names = ("desiredNumberScheduled", "currentNumberScheduled", "numberReady")
    for name in (*names, "updatedNumberScheduled", "numberAvailable"):
        yield obj.get("status", {}).get(name, 0)
    selector = obj["spec"]["template"]["spec"].get("nodeSelector") or {}
    yield ",".join(f"{key}={value}" for key, value in selector.items()) or "<none>"
    yield from workload_tail(obj)


def job_cells(obj: Object) -> Cells:
    status, spec = obj.get("status", {}), obj.get("spec", {})
    ended = [item["type"] for item in status.get("conditions") or () if item["status"] == "True"]
    yield ended[0] if ended else "Suspended" if spec.get("suspend") else "Running"
    yield f"{status.get('succeeded', 0)}/{spec.get('completions', 1)}"
    yield (
        since(status.get("startTime"), status.get("completionTime"))
        if "startTime" in status
        else ""
    )
    yield from workload_tail(obj)


def cronjob_cells(obj: Object) -> Cells:
    spec, status = obj["spec"], obj.get("status", {})
    last = since(status["lastScheduleTime"]) if "lastScheduleTime" in status else "<none>"
    timezone = spec.get("timeZone", "<none>")
    return (
        spec["schedule"],
        timezone,
        str(spec.get("suspend")),
        len(status.get("active") or ()),
        last,
    )


def service_cells(obj: Object) -> Cells:
    spec = obj.get("spec", {})
    ports = ",".join(
        f"{port['port']}{':' + str(port['nodePort']) if 'nodePort' in port else ''}/{port['protocol']}"
        for port in spec.get("ports", ())
    )
    external = ",".join(spec.get("externalIPs", ())) or "<none>"
    selector = ",".join(f"{k}={v}" for k, v in sorted((spec.get("selector") or {}).items()))
    address = spec.get("clusterIP", "<none>")
    return spec.get("type"), address, external, ports or "<none>", selector or "<none>"


def slice_cells(obj: Object) -> Cells:
    ports = ",".join(str(port.get("port", "*")) for port in obj.get("ports") or ()) or "<unset>"
    addresses = [ip for item in obj.get("endpoints") or () for ip in item.get("addresses", ())]
    more = f" + {len(addresses) - 3} more..." if len(addresses) > 3 else ""
    return obj.get("addressType"), ports, ",".join(addresses[:3]) + more or "<unset>"


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
        obj.get("message", "").strip(), since(first), count,
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
        ",".join(states), ",".join(roles) or "<none>",
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
    return ", ".join(requests), ", ".join(limits)


def budget_cells(obj: Object) -> Cells:
    spec = obj.get("spec", {})
    yield str(spec.get("minAvailable", "N/A"))
    yield str(spec.get("maxUnavailable", "N/A"))
    yield obj.get("status", {}).get("disruptionsAllowed", 0)


def autoscaler_cells(obj: Object) -> Cells:
    spec, about = obj.get("spec", {}), obj.get("spec", {}).get("scaleTargetRef", {})
    return [
        f"{about.get('kind', '')}/{about.get('name', '')}", "<unknown>",
        str(spec.get("minReplicas", 1)), spec.get("maxReplicas", 0),
        obj.get("status", {}).get("currentReplicas", 0),
    ]  # fmt: skip


def pod_cells(pod: Object) -> list[t.Any]:
    spec, status = pod.get("spec", {}), pod.get("status", {})
    statuses = status.get("containerStatuses") or []
    ready = sum(1 for item in statuses if item.get("ready"))
    gates = spec.get("readinessGates") or []
    conditions = {item["type"]: item["status"] for item in status.get("conditions") or ()}
    passed = sum(1 for gate in gates if conditions.get(gate["conditionType"]) == "True")
    return [
        f"{ready}/{len(spec.get('containers', ()))}",
        summary(pod),
        restarts(statuses),
        status.get("podIP") or "<none>",
        spec.get("nodeName") or "<none>",
        status.get("nominatedNodeName") or "<none>",
        f"{passed}/{len(gates)}" if gates else "<none>",
    ]


def restarts(statuses: t.Sequence[Object]) -> str:
    """`4 (1s ago)`: how often, and when the last time was."""
    count = sum(item.get("restartCount", 0) for item in statuses)
    ended = [
        item["lastState"]["terminated"].get("finishedAt", "")
        for item in statuses
        if (item.get("lastState") or {}).get("terminated")
    ]
    return f"{count} ({since(max(ended))} ago)" if count and any(ended) else str(count)


def summary(pod: Object) -> str:
    status = pod.get("status", {})
    reason = status.get("reason") or status.get("phase", "Unknown")
    statuses = status.get("containerStatuses") or []
    reason = initializing(pod) or worst_container(statuses, reason, pod_ready(pod))
    if "deletionTimestamp" in pod["metadata"]:
        return "Unknown" if status.get("reason") == "NodeLost" else "Terminating"
    return str(reason)


def initializing(pod: Object) -> str:
    """`Init:...` while an init container has not succeeded, else nothing."""
    statuses = pod.get("status", {}).get("initContainerStatuses") or []
    for index, item in enumerate(statuses):
        state = item.get("state") or {}
        ended, waits = state.get("terminated"), state.get("waiting")
        if ended and ended.get("exitCode") == 0:
            continue
        if ended:
            return f"Init:{ended.get('reason') or ended_word(ended)}"
        if waits and waits.get("reason") not in (None, "", "PodInitializing"):
            return f"Init:{waits['reason']}"
        return f"Init:{index}/{len(pod.get('spec', {}).get('initContainers', statuses))}"
    return ""


def worst_container(statuses: t.Sequence[Object], reason: str, pod_ready: bool) -> str:
    """The first container that waits or has ended gives its reason, read from the last to the first."""
    running = False
    for item in reversed(statuses):
        state = item.get("state") or {}
        ended, waits = state.get("terminated"), state.get("waiting")
        if waits and waits.get("reason"):
            reason = waits["reason"]
        elif ended:
            reason = ended.get("reason") or ended_word(ended)
        elif item.get("ready") and state.get("running"):
            running = True
    if reason == "Completed" and running:
        return "Running" if pod_ready else "NotReady"
    return reason


def ended_word(ended: Object) -> str:
    if ended.get("signal"):
        return f"Signal:{ended['signal']}"
    return f"ExitCode:{ended.get('exitCode', 0)}"


def data_count(obj: Object) -> int:
    return len(obj.get("data") or {}) + len(obj.get("binaryData") or {})


Printer = tuple[str, t.Callable[[Object], Cells]]
DEFAULT_PRINTER: Printer = (
    "Name|Created At:date", lambda obj: [obj["metadata"].get("creationTimestamp")],
)  # fmt: skip
PRINTERS: t.Mapping[str, Printer] = {
    "pods": (
        "Name|Ready|Status|Restarts|Age|IP+|Node+|Nominated Node+|Readiness Gates+", pod_cells,
    ),
    "deployments": (
        "Name|Ready|Up-to-date|Available|Age|Containers+|Images+|Selector+", deployment_cells,
    ),
    "replicasets": (
        "Name|Desired:integer|Current:integer|Ready:integer|Age|Containers+|Images+|Selector+",
        replicaset_cells,
    ),
    "statefulsets": ("Name|Ready|Age|Containers+|Images+", statefulset_cells),
    "daemonsets": (
        "Name|Desired:integer|Current:integer|Ready:integer|Up-to-date:integer|Available:integer|Node Selector|Age"
        "|Containers+|Images+|Selector+",
        daemonset_cells,
    ),
    "jobs": ("Name|Status|Completions|Duration|Age|Containers+|Images+|Selector+", job_cells),
    "cronjobs": (
        "Name|Schedule|Timezone|Suspend|Active:integer|Last Schedule|Age", cronjob_cells,
    ),
    "services": ("Name|Type|Cluster-IP|External-IP|Port(s)|Age|Selector+", service_cells),
    "endpointslices": ("Name|AddressType|Ports|Endpoints|Age", slice_cells),
    "configmaps": ("Name|Data|Age", lambda obj: [data_count(obj)]),
    "secrets": ("Name|Type|Data:integer|Age", lambda obj: [obj.get("type", ""), data_count(obj)]),
    "namespaces": ("Name|Status|Age", lambda obj: [obj.get("status", {}).get("phase", "")]),
    "nodes": (
        "Name|Status|Roles|Age|Version|Internal-IP+|External-IP+|OS-Image+|Kernel-Version+"
        "|Container-Runtime+",
        node_cells,
    ),
    "leases": ("Name|Holder|Age", lambda obj: [obj.get("spec", {}).get("holderIdentity", "")]),
    "events": (
        "Last Seen|Type|Reason|Object|Subobject+|Source+|Message|First Seen+|Count+|Name+",
        event_cells,
    ),
    "resourcequotas": ("Name|Request|Limit|Age", quota_cells),
    "serviceaccounts": ("Name|Age", lambda _obj: ()),
    "poddisruptionbudgets": (
        "Name|Min Available|Max Unavailable|Allowed Disruptions:integer|Age", budget_cells,
    ),
    "horizontalpodautoscalers": (
        "Name|Reference|Targets|MinPods|MaxPods|Replicas|Age", autoscaler_cells,
    ),
}  # fmt: skip
"""By kind: its columns, and the cells of those that are neither the name nor the age."""
