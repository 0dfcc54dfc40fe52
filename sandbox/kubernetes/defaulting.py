# SPDX-License-Identifier: GPL-3.0-or-later
"""What the API fills in when it is left out, in place: the values of apps/v1 and v1's defaulting."""

from __future__ import annotations

import base64
import itertools
import re
import typing as t
from datetime import UTC, datetime

from sandbox.kubernetes.errors import Object, bad_request

if t.TYPE_CHECKING:
    from sandbox.kubernetes.resources import Resource

Setter = t.Callable[[Object], None]

PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
MICRO_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d\d:\d\d)")
_cluster_addresses = itertools.count(1)

ROLLING = {"maxUnavailable": "25%", "maxSurge": "25%"}
POD_SPEC: Object = {
    "restartPolicy": "Always",
    "terminationGracePeriodSeconds": 30,
    "dnsPolicy": "ClusterFirst",
    "securityContext": {},
    "schedulerName": "default-scheduler",
}
HTTP = {"path": "/", "scheme": "HTTP"}
PROBE = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
DOWNWARD = {"fieldRef": {"apiVersion": "v1"}, "resourceFieldRef": {"divisor": "0"}}
"""What a variable or a file of the downward API names, as pkg/apis/core/v1/defaults.go has it."""
CLUSTER_IP: Object = {
    "ipFamilies": ["IPv4"],
    "ipFamilyPolicy": "SingleStack",
    "internalTrafficPolicy": "Cluster",
}
TOLERATED = {"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
FILES = {"defaultMode": 0o644}
VOLUME: Object = {
    **dict.fromkeys(("configMap", "secret", "downwardAPI", "projected"), FILES),
    "serviceAccountToken": {"expirationSeconds": 3600},
    "hostPath": {"type": ""},
    "ephemeral": {"volumeClaimTemplate": {"spec": {"volumeMode": "Filesystem"}}},
}


def fill(obj: Object, wanted: Object) -> None:
    """Put in what `obj` lacks of `wanted`, however deep."""
    for name, value in wanted.items():
        if isinstance(value, dict):
            fill(obj.setdefault(name, {}), value)
        else:
            obj.setdefault(name, [*value] if isinstance(value, list) else value)


def fill_known(obj: Object, wanted: Object) -> None:
    """The same for those that are there at all."""
    fill(obj, {name: value for name, value in wanted.items() if name in obj})


def default(resource: Resource, obj: Object) -> None:
    spec, status, more = DEFAULTS.get(resource.plural, ({}, None, None))
    if spec:
        fill(obj.setdefault("spec", {}), spec)
    if more is not None:
        more(obj)
    if status is not None:
        obj.setdefault("status", dict(status))


def default_owner(obj: Object) -> None:
    """The template of its pods, and what its strategy rolls by."""
    spec = obj["spec"]
    default_template(spec)
    for strategy, rolling in (
        ("strategy", ROLLING),
        (
            "updateStrategy",
            {"partition": 0} if "replicas" in spec else {"maxSurge": 0, "maxUnavailable": 1},
        ),
    ):
        if spec.get(strategy, {}).get("type") == "RollingUpdate":
            fill(spec[strategy], {"rollingUpdate": rolling})


def default_job(obj: Object) -> None:
    default_template(obj["spec"])
    uid = obj["metadata"].get("uid", "")
    if not obj["spec"].get("selector"):
        obj["spec"]["selector"] = {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}


def default_template(spec: Object) -> None:
    if "template" in spec:
        spec["template"].setdefault("metadata", {})
        default_pod_spec(spec["template"].setdefault("spec", {}))


def default_pod(obj: Object) -> None:
    spec = obj["spec"]
    default_pod_spec(spec)
    tolerations = spec.setdefault("tolerations", [])
    for key in ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"):
        if not any(item.get("key") in (None, key) for item in tolerations):
            tolerations.append({"key": key, **TOLERATED})
    fill(obj, {"status": {"phase": "Pending", "qosClass": quality_of_service(spec)}})


def default_pod_spec(spec: Object) -> None:
    for container in itertools.chain(spec.get("containers", ()), spec.get("initContainers", ())):
        default_container(container)
    for volume in spec.get("volumes", ()):
        default_volume(volume)
    if "serviceAccountName" in spec:
        # The name of the field's first version is written with it, by the API's conversion.
        spec["serviceAccount"] = spec["serviceAccountName"]
    fill(spec, POD_SPEC)


def default_container(container: Object) -> None:
    resources = container.setdefault("resources", {})
    if resources.get("limits"):
        resources["requests"] = resources["limits"] | resources.get("requests", {})
    for probe in PROBES:
        if probe in container:
            fill(container[probe], PROBE)
            fill_known(container[probe], {"httpGet": HTTP, "grpc": {"service": ""}})
    for port in container.get("ports", ()):
        port.setdefault("protocol", "TCP")
    for variable in container.get("env", ()):
        fill_known(variable.get("valueFrom") or {}, DOWNWARD)
    for hook in (container.get("lifecycle") or {}).values():
        fill_known(hook, {"httpGet": HTTP})
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    container.setdefault("imagePullPolicy", pull_policy(container.get("image", "")))


def default_volume(volume: Object) -> None:
    projected = (volume.get("projected") or {}).get("sources") or []
    fill_known(volume, VOLUME)
    for source in (volume, *projected):
        for item in (source.get("downwardAPI") or {}).get("items") or ():
            fill_known(item, DOWNWARD)
        fill_known(source, {"serviceAccountToken": VOLUME["serviceAccountToken"]})
    if set(volume) <= {"name"}:
        volume["emptyDir"] = {}


def pull_policy(image: str) -> str:
    tag = image.rpartition("/")[2].partition(":")[2]
    return "Always" if "@" not in image and tag in ("", "latest") else "IfNotPresent"


def quality_of_service(spec: Object) -> str:
    resources = [container.get("resources", {}) for container in spec.get("containers", ())]
    if not any(item.get("limits") or item.get("requests") for item in resources):
        return "BestEffort"
    guaranteed = all(
        {"cpu", "memory"} <= set(item.get("limits", {})) and item["limits"] == item.get("requests")
        for item in resources
    )
    return "Guaranteed" if guaranteed else "Burstable"


def default_service(obj: Object) -> None:
    spec = obj["spec"]
    for port in spec.get("ports", ()):
        fill(port, {"protocol": "TCP", "targetPort": port.get("port")})
    if spec["type"] != "ExternalName":
        if not spec.get("clusterIP"):
            number = next(_cluster_addresses)
            spec["clusterIP"] = f"10.96.{number // 250}.{number % 250 + 1}"
        fill(spec, {"clusterIPs": [spec["clusterIP"]], **CLUSTER_IP})


def default_secret(obj: Object) -> None:
    obj.setdefault("type", "Opaque")
    for key, value in obj.pop("stringData", {}).items():
        obj.setdefault("data", {})[key] = base64.b64encode(value.encode()).decode()


def default_namespace(obj: Object) -> None:
    metadata = obj["metadata"]
    metadata.setdefault("labels", {})["kubernetes.io/metadata.name"] = metadata["name"]


def default_slice(obj: Object) -> None:
    for port in obj.get("ports", ()):
        fill(port, {"name": "", "protocol": "TCP"})


def default_lease(obj: Object) -> None:
    """Its times are MicroTimes, which are read with six digits of a second only and written in UTC."""
    spec = obj.get("spec") or {}
    for name in ("acquireTime", "renewTime"):
        text = spec.get(name)
        if text is None:
            continue
        if not MICRO_TIME.fullmatch(text):
            layout = "2006-01-02T15:04:05.000000Z07:00"
            raise bad_request(
                'Lease in version "v1" cannot be handled as a Lease: parsing time '
                f'"{text}" as "{layout}": cannot parse "{text[19:]}" as ".000000"'
            )
        moment = datetime.fromisoformat(text).astimezone(UTC)
        spec[name] = moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


ROLLS = {"type": "RollingUpdate"}
DAEMONS = ("currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady")
BUDGET = ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods")

DEFAULTS: t.Mapping[str, tuple[Object, Object | None, Setter | None]] = {
    "deployments": (
        {
            "replicas": 1,
            "strategy": ROLLS,
            "revisionHistoryLimit": 10,
            "progressDeadlineSeconds": 600,
        },
        {},
        default_owner,
    ),
    "replicasets": ({"replicas": 1}, {"replicas": 0}, default_owner),
    "statefulsets": (
        {
            "replicas": 1,
            "podManagementPolicy": "OrderedReady",
            "revisionHistoryLimit": 10,
            "updateStrategy": ROLLS,
        },
        {"replicas": 0, "availableReplicas": 0},
        default_owner,
    ),
    "daemonsets": (
        {"revisionHistoryLimit": 10, "updateStrategy": ROLLS},
        dict.fromkeys(DAEMONS, 0),
        default_owner,
    ),
    "jobs": (
        {
            "parallelism": 1,
            "completions": 1,
            "backoffLimit": 6,
            "completionMode": "NonIndexed",
            "suspend": False,
        },
        {},
        default_job,
    ),
    "cronjobs": (
        {
            "jobTemplate": {"spec": {}},
            "concurrencyPolicy": "Allow",
            "suspend": False,
            "successfulJobsHistoryLimit": 3,
            "failedJobsHistoryLimit": 1,
        },
        {},
        lambda obj: default_template(obj["spec"]["jobTemplate"]["spec"]),
    ),
    # As a provisioner that binds at once leaves it.
    "persistentvolumeclaims": ({"volumeMode": "Filesystem"}, {"phase": "Bound"}, None),
    "leases": ({}, None, default_lease),
    "pods": (
        {"priority": 0, "enableServiceLinks": True, "preemptionPolicy": "PreemptLowerPriority"},
        None,
        default_pod,
    ),
    "services": (
        {"type": "ClusterIP", "sessionAffinity": "None"},
        {"loadBalancer": {}},
        default_service,
    ),
    "secrets": ({}, None, default_secret),
    "namespaces": ({"finalizers": ["kubernetes"]}, {"phase": "Active"}, default_namespace),
    "endpointslices": ({}, None, default_slice),
    "horizontalpodautoscalers": (
        {"minReplicas": 1},
        {"currentMetrics": None, "desiredReplicas": 0},
        None,
    ),
    "poddisruptionbudgets": ({}, dict.fromkeys(BUDGET, 0), None),
    "resourcequotas": ({}, {}, None),
}
"""By kind: what its spec has by default, what its status is at first, and what is not as plain as that."""
