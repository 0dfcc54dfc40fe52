# SPDX-License-Identifier: GPL-3.0-or-later
"""The protobuf that kubectl sends of kinds that it knows; client-go falls back to JSON for nobody but CBOR.

The numbers are those of generated.proto in https://github.com/kubernetes/api; the types are those of the schema. Zeros
and empty messages are left out where Go leaves them out of JSON. Answers are JSON, which kubectl takes too.
"""

from __future__ import annotations

import base64
import typing as t

from sandbox.kubernetes import schema
from sandbox.kubernetes.errors import Object, bad_request

MAGIC = b"k8s\x00"
CONTENT_TYPE = "application/vnd.kubernetes.protobuf"
WHOLE = "metadata spec status"
_SELECTOR = "+localObjectReference key optional"
MESSAGES: t.Mapping[str, str] = {
    "V1ObjectMeta": "name generateName namespace - uid resourceVersion generation - -"
    " deletionGracePeriodSeconds labels annotations ownerReferences finalizers",
    "V1OwnerReference": "kind - name uid apiVersion controller blockOwnerDeletion",
    "V1LabelSelector": "matchLabels matchExpressions",
    "V1LabelSelectorRequirement": "key operator values",
    "V1ConfigMap": "metadata data binaryData immutable",
    "V1Secret": "metadata data type stringData immutable",
    "V1ServiceAccount": "metadata secrets imagePullSecrets automountServiceAccountToken",
    "V1ResourceQuotaSpec": "hard scopes",
    "V1ServiceSpec": "ports selector clusterIP type externalIPs - sessionAffinity loadBalancerIP - externalName"
    " externalTrafficPolicy - publishNotReadyAddresses",
    "V1ServicePort": "name protocol port targetPort nodePort appProtocol",
    "V1PodTemplateSpec": "metadata spec",
    "V1PodSpec": "volumes containers restartPolicy terminationGracePeriodSeconds activeDeadlineSeconds dnsPolicy"
    " nodeSelector serviceAccountName - nodeName hostNetwork hostPID hostIPC securityContext imagePullSecrets hostname"
    " subdomain - schedulerName initContainers automountServiceAccountToken",
    "V1LocalObjectReference": "name",
    "V1Container": "name image command args workingDir ports env resources volumeMounts livenessProbe readinessProbe"
    " lifecycle terminationMessagePath imagePullPolicy - stdin stdinOnce tty envFrom terminationMessagePolicy -"
    " startupProbe",
    "V1ContainerPort": "name hostPort containerPort protocol hostIP",
    "V1EnvVar": "name value valueFrom",
    "V1EnvVarSource": "fieldRef - configMapKeyRef secretKeyRef",
    "V1ObjectFieldSelector": "apiVersion fieldPath",
    "V1ConfigMapKeySelector": _SELECTOR,
    "V1SecretKeySelector": _SELECTOR,
    "V1EnvFromSource": "prefix configMapRef secretRef",
    "V1ConfigMapEnvSource": "+localObjectReference optional",
    "V1SecretEnvSource": "+localObjectReference optional",
    "+localObjectReference": "name",
    "V1ResourceRequirements": "limits requests",
    "V1VolumeMount": "name readOnly mountPath subPath",
    "V1Volume": "name +volumeSource",
    "+volumeSource": "hostPath emptyDir - - - secret - - - - - - - - - - - - configMap",
    "V1ConfigMapVolumeSource": "+localObjectReference items defaultMode optional",
    "V1SecretVolumeSource": "secretName items defaultMode optional",
    "V1KeyToPath": "key path mode",
    "V1Probe": "+handler initialDelaySeconds timeoutSeconds periodSeconds successThreshold failureThreshold",
    "V1Lifecycle": "postStart preStop",
    "V1LifecycleHandler": "exec httpGet tcpSocket sleep",
    "+handler": "exec httpGet tcpSocket grpc",
    "V1ExecAction": "command",
    "V1HTTPGetAction": "path port host scheme",
    "V1TCPSocketAction": "port host",
    "V1SleepAction": "seconds",
    "V1DeploymentSpec": "replicas selector template strategy minReadySeconds revisionHistoryLimit paused -"
    " progressDeadlineSeconds",
    "V1DeploymentStrategy": "type rollingUpdate",
    "V1RollingUpdateDeployment": "maxUnavailable maxSurge",
    "V1JobSpec": "parallelism completions activeDeadlineSeconds selector manualSelector template backoffLimit"
    " ttlSecondsAfterFinished completionMode suspend",
    "V1JobTemplateSpec": "metadata spec",
    "V1CronJobSpec": "schedule startingDeadlineSeconds concurrencyPolicy suspend jobTemplate"
    " successfulJobsHistoryLimit failedJobsHistoryLimit timeZone",
    "V1Role": "metadata rules",
    "V1PolicyRule": "verbs apiGroups resources resourceNames nonResourceURLs",
    "V1RoleBinding": "metadata subjects roleRef",
    "RbacV1Subject": "kind apiGroup name namespace",
    "V1RoleRef": "apiGroup kind name",
    "V2HorizontalPodAutoscalerSpec": "scaleTargetRef minReplicas maxReplicas metrics",
    "V2CrossVersionObjectReference": "kind name apiVersion",
    "V2MetricSpec": "type object pods resource",
    "V2ResourceMetricSource": "name target",
    "V2MetricTarget": "type value averageValue averageUtilization",
    "V1PodDisruptionBudgetSpec": "minAvailable selector maxUnavailable unhealthyPodEvictionPolicy",
    "V1ScaleSpec": "replicas",
    "V1Eviction": "metadata deleteOptions",
    "V1DeleteOptions": "gracePeriodSeconds preconditions - propagationPolicy dryRun",
    "V1Preconditions": "uid resourceVersion",
    "V1SelfSubjectAccessReviewSpec": "resourceAttributes nonResourceAttributes",
    "V1ResourceAttributes": "namespace verb group version resource subresource name",
    "V1NonResourceAttributes": "path verb",
    "V1SelfSubjectRulesReviewSpec": "namespace",
    "V1TokenRequestSpec": "audiences - - expirationSeconds",
}
"""By model of the schema, the names of its fields in the order of their numbers. What `+` stands before is inlined."""
POINTERS = frozenset(
    {
        "averageUtilization", "backoffLimit", "completions", "failedJobsHistoryLimit", "gracePeriodSeconds",
        "minReplicas", "parallelism", "replicas", "revisionHistoryLimit", "successfulJobsHistoryLimit",
        "terminationGracePeriodSeconds", "ttlSecondsAfterFinished",
    }
)  # fmt: skip
"""Numbers that are there when they are 0."""
QUANTITIES = (*schema.QUANTITY_MAPS, "averageValue", "value")


def decode(data: bytes, model: str) -> Object:
    """The object in a `runtime.Unknown` envelope."""
    if not data.startswith(MAGIC):
        raise bad_request("the body of the request is not Kubernetes protobuf")
    try:
        message = dict(_parts(data[len(MAGIC) :])).get(2, b"")
        return _read(message if isinstance(message, bytes) else b"", model)
    except (IndexError, UnicodeDecodeError) as exc:
        raise bad_request("the body of the request is broken protobuf") from exc


def _read(data: bytes, model: str, names: str = "") -> Object:
    numbered = (names or MESSAGES.get(model, WHOLE)).split()
    types, message = schema.fields(model), t.cast("Object", {})
    for number, payload in _parts(data):
        name = numbered[number - 1] if number <= len(numbered) else "-"
        if isinstance(payload, bytes) and name in MESSAGES:
            message |= _read(payload, model, MESSAGES[name])
        elif name in types and (payload or name in POINTERS):
            container = schema.container(types[name])
            if container is None:
                value = _value(payload, types[name], name)
                message |= {} if value == {} else {name: value}
            elif container[1] is not None:
                message.setdefault(name, []).append(_value(payload, container[1], name))
            elif isinstance(payload, bytes):
                entry = dict(_parts(payload))
                key = _text(entry.get(1, b""))
                message.setdefault(name, {})[key] = _value(entry.get(2, b""), container[2], name)
    return message


def _value(payload: bytes | int, kind: str, name: str) -> t.Any:
    if isinstance(payload, int):
        return bool(payload) if kind == "bool" else payload
    if kind == "bytes":
        return base64.b64encode(payload).decode()
    if kind == "object":
        number_or_text = dict(_parts(payload))
        return _text(number_or_text[3]) if number_or_text.get(1) else number_or_text.get(2, 0)
    if kind in schema.SCALARS:
        return _text(dict(_parts(payload)).get(1, b"") if name in QUANTITIES else payload)
    return _read(payload, kind)


def _text(payload: bytes | int) -> str:
    return payload.decode() if isinstance(payload, bytes) else str(payload)


def _parts(data: bytes) -> t.Iterator[tuple[int, bytes | int]]:
    """The fields of a message: length-delimited ones, and numbers."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        if tag & 7 == 2:
            length, at = _varint(data, at)
            yield tag >> 3, data[at : at + length]
            at += length
        else:
            value, at = _varint(data, at)
            yield tag >> 3, value


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at
