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

PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
NOT_READY_SECONDS = 300
TOKEN_SECONDS = 3600
MICRO_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d\d:\d\d)")
_cluster_addresses = itertools.count(1)


def default(resource: Resource, obj: Object) -> None:
    setter = DEFAULTS.get(resource.plural)
    if setter is not None:
        setter(obj)


def default_deployment(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    default_template(spec)
    strategy = spec.setdefault("strategy", {})
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", "25%")
        rolling.setdefault("maxSurge", "25%")
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("progressDeadlineSeconds", 600)
    obj.setdefault("status", {})


def default_replicaset(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    default_template(spec)
    obj.setdefault("status", {"replicas": 0})


def default_statefulset(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    spec.setdefault("podManagementPolicy", "OrderedReady")
    default_owner(obj, "updateStrategy", {"rollingUpdate": {"partition": 0}})
    obj.setdefault("status", {"replicas": 0, "availableReplicas": 0})


def default_daemonset(obj: Object) -> None:
    default_owner(obj, "updateStrategy", {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}})
    counts = (
        "currentNumberScheduled",
        "numberMisscheduled",
        "desiredNumberScheduled",
        "numberReady",
    )
    obj.setdefault("status", dict.fromkeys(counts, 0))


def default_owner(obj: Object, strategy: str, rolling: Object) -> None:
    spec = obj.setdefault("spec", {})
    default_template(spec)
    spec.setdefault("revisionHistoryLimit", 10)
    wanted = spec.setdefault(strategy, {})
    if wanted.setdefault("type", "RollingUpdate") == "RollingUpdate":
        for name, value in rolling.items():
            wanted[name] = value | wanted.get(name, {})


def default_job(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    default_template(spec)
    for name in ("parallelism", "completions"):
        spec.setdefault(name, 1)
    spec.setdefault("backoffLimit", 6)
    spec.setdefault("completionMode", "NonIndexed")
    spec.setdefault("suspend", False)
    uid = obj["metadata"].get("uid", "")
    if not spec.get("selector"):
        spec["selector"] = {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
    obj.setdefault("status", {})


def default_cronjob(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    default_template(spec.setdefault("jobTemplate", {}).setdefault("spec", {}))
    spec.setdefault("concurrencyPolicy", "Allow")
    spec.setdefault("suspend", False)
    spec.setdefault("successfulJobsHistoryLimit", 3)
    spec.setdefault("failedJobsHistoryLimit", 1)
    obj.setdefault("status", {})


def default_claim(obj: Object) -> None:
    """As a provisioner that binds at once leaves it."""
    obj.setdefault("spec", {}).setdefault("volumeMode", "Filesystem")
    obj.setdefault("status", {"phase": "Bound"})


def default_template(spec: Object) -> None:
    if "template" in spec:
        spec["template"].setdefault("metadata", {})
        default_pod_spec(spec["template"].setdefault("spec", {}))


def default_pod(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    default_pod_spec(spec)
    spec.setdefault("priority", 0)
    spec.setdefault("enableServiceLinks", True)
    spec.setdefault("preemptionPolicy", "PreemptLowerPriority")
    tolerations = spec.setdefault("tolerations", [])
    for key in ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"):
        if not any(item.get("key") in (None, key) for item in tolerations):
            tolerations.append(
                {
                    "key": key,
                    "operator": "Exists",
                    "effect": "NoExecute",
                    "tolerationSeconds": NOT_READY_SECONDS,
                }
            )
    status = obj.setdefault("status", {})
    status.setdefault("phase", "Pending")
    status.setdefault("qosClass", quality_of_service(spec))


def default_pod_spec(spec: Object) -> None:
    for container in itertools.chain(spec.get("containers", ()), spec.get("initContainers", ())):
        default_container(container)
    for volume in spec.get("volumes", ()):
        default_volume(volume)
    if "serviceAccountName" in spec:
        # The name of the field's first version is written with it, by the API's conversion.
        spec["serviceAccount"] = spec["serviceAccountName"]
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("securityContext", {})
    spec.setdefault("schedulerName", "default-scheduler")


def default_container(container: Object) -> None:
    resources = container.setdefault("resources", {})
    if resources.get("limits"):
        resources["requests"] = resources["limits"] | resources.get("requests", {})
    for probe in PROBES:
        if probe in container:
            default_probe(container[probe])
    for port in container.get("ports", ()):
        port.setdefault("protocol", "TCP")
    for variable in container.get("env", ()):
        default_reference(variable.get("valueFrom") or {})
    for hook in (container.get("lifecycle") or {}).values():
        if "httpGet" in hook:
            default_http(hook["httpGet"])
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    container.setdefault("imagePullPolicy", pull_policy(container.get("image", "")))


def default_reference(source: Object) -> None:
    """What a variable or a file of the downward API names, as pkg/apis/core/v1/defaults.go has it."""
    if "fieldRef" in source:
        source["fieldRef"].setdefault("apiVersion", "v1")
    if "resourceFieldRef" in source:
        source["resourceFieldRef"].setdefault("divisor", "0")


def default_http(action: Object) -> None:
    action.setdefault("path", "/")
    action.setdefault("scheme", "HTTP")


def default_probe(probe: Object) -> None:
    if "httpGet" in probe:
        default_http(probe["httpGet"])
    if "grpc" in probe:
        probe["grpc"].setdefault("service", "")
    probe.setdefault("timeoutSeconds", 1)
    probe.setdefault("periodSeconds", 10)
    probe.setdefault("successThreshold", 1)
    probe.setdefault("failureThreshold", 3)


def default_volume(volume: Object) -> None:
    for source in ("configMap", "secret", "downwardAPI", "projected"):
        if source in volume:
            volume[source].setdefault("defaultMode", 0o644)
    projected = (volume.get("projected") or {}).get("sources") or []
    for source in (volume, *projected):
        for item in (source.get("downwardAPI") or {}).get("items") or ():
            default_reference(item)
        if "serviceAccountToken" in source:
            source["serviceAccountToken"].setdefault("expirationSeconds", TOKEN_SECONDS)
    if "hostPath" in volume:
        volume["hostPath"].setdefault("type", "")
    if "ephemeral" in volume:
        claim = volume["ephemeral"].setdefault("volumeClaimTemplate", {})
        claim.setdefault("spec", {}).setdefault("volumeMode", "Filesystem")
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
    spec = obj.setdefault("spec", {})
    for port in spec.get("ports", ()):
        port.setdefault("protocol", "TCP")
        port.setdefault("targetPort", port.get("port"))
    spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    if spec["type"] != "ExternalName":
        if not spec.get("clusterIP"):
            number = next(_cluster_addresses)
            spec["clusterIP"] = f"10.96.{number // 250}.{number % 250 + 1}"
        spec.setdefault("clusterIPs", [spec["clusterIP"]])
        spec.setdefault("ipFamilies", ["IPv4"])
        spec.setdefault("ipFamilyPolicy", "SingleStack")
        spec.setdefault("internalTrafficPolicy", "Cluster")
    obj.setdefault("status", {"loadBalancer": {}})


def default_secret(obj: Object) -> None:
    obj.setdefault("type", "Opaque")
    for key, value in obj.pop("stringData", {}).items():
        obj.setdefault("data", {})[key] = base64.b64encode(value.encode()).decode()


def default_namespace(obj: Object) -> None:
    metadata = obj["metadata"]
    metadata.setdefault("labels", {})["kubernetes.io/metadata.name"] = metadata["name"]
    obj.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
    obj.setdefault("status", {"phase": "Active"})


def default_slice(obj: Object) -> None:
    for port in obj.get("ports", ()):
        port.setdefault("name", "")
        port.setdefault("protocol", "TCP")


def default_autoscaler(obj: Object) -> None:
    obj.setdefault("spec", {}).setdefault("minReplicas", 1)
    obj.setdefault("status", {"currentMetrics": None, "desiredReplicas": 0})


def default_budget(obj: Object) -> None:
    counts = ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods")
    obj.setdefault("status", dict.fromkeys(counts, 0))


def default_quota(obj: Object) -> None:
    obj.setdefault("status", {})


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


DEFAULTS: t.Mapping[str, t.Callable[[Object], None]] = {
    "deployments": default_deployment,
    "replicasets": default_replicaset,
    "statefulsets": default_statefulset,
    "daemonsets": default_daemonset,
    "jobs": default_job,
    "cronjobs": default_cronjob,
    "persistentvolumeclaims": default_claim,
    "leases": default_lease,
    "pods": default_pod,
    "services": default_service,
    "secrets": default_secret,
    "namespaces": default_namespace,
    "endpointslices": default_slice,
    "horizontalpodautoscalers": default_autoscaler,
    "poddisruptionbudgets": default_budget,
    "resourcequotas": default_quota,
}
