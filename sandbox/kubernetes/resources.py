# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds this server knows, as one table: routes, discovery and storage are read from it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True)
class Subresource:
    name: str
    kind: str = ""
    group: str = ""
    version: str = ""
    verbs: tuple[str, ...] = ("get", "patch", "update")


@dataclass(frozen=True)
class Resource:
    """One kind. `plural` is also the name of its storage: two groups may show the same objects."""

    group: str
    version: str
    plural: str
    kind: str
    model: str
    """The name of its type in the schema."""
    short_names: tuple[str, ...] = ()
    namespaced: bool = True
    verbs: tuple[str, ...] = ALL_VERBS
    subresources: tuple[Subresource, ...] = ()
    categories: tuple[str, ...] = ()
    has_generation: bool = False
    singular: str = ""

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """`deployments.apps`, `pods`: how messages name it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def singular_name(self) -> str:
        return self.singular or self.kind.lower()

    @property
    def stored(self) -> bool:
        return "list" in self.verbs

    @property
    def has_status(self) -> bool:
        return any(item.name == "status" for item in self.subresources)


STATUS = Subresource("status")
SCALE = Subresource("scale", "Scale", "autoscaling", "v1")
CREATE_ONLY = ("create",)
POD_SUBRESOURCES = (
    Subresource("eviction", "Eviction", "policy", "v1", CREATE_ONLY),
    Subresource("exec", "PodExecOptions", verbs=("create", "get")),
    Subresource("log", verbs=("get",)),
    Subresource("portforward", "PodPortForwardOptions", verbs=("create", "get")),
    Subresource("proxy", "PodProxyOptions", verbs=("create", "delete", "get", "patch", "update")),
    STATUS,
)

RESOURCES: tuple[Resource, ...] = (
    Resource("", "v1", "configmaps", "ConfigMap", "V1ConfigMap", ("cm",)),
    Resource("", "v1", "endpoints", "Endpoints", "V1Endpoints", ("ep",)),
    Resource("", "v1", "events", "Event", "CoreV1Event", ("ev",)),
    Resource(
        "", "v1", "namespaces", "Namespace", "V1Namespace", ("ns",), namespaced=False,
        verbs=tuple(verb for verb in ALL_VERBS if verb != "deletecollection"),
        subresources=(Subresource("finalize", verbs=("update",)), STATUS),
    ),
    Resource(
        "", "v1", "nodes", "Node", "V1Node", ("no",), namespaced=False, subresources=(STATUS,),
    ),
    Resource(
        "", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", "V1PersistentVolumeClaim",
        ("pvc",), subresources=(STATUS,),
    ),
    Resource(
        "", "v1", "pods", "Pod", "V1Pod", ("po",),
        subresources=POD_SUBRESOURCES, categories=("all",), has_generation=True,
    ),
    Resource(
        "", "v1", "resourcequotas", "ResourceQuota", "V1ResourceQuota", ("quota",),
        subresources=(STATUS,),
    ),
    Resource("", "v1", "secrets", "Secret", "V1Secret"),
    Resource(
        "", "v1", "serviceaccounts", "ServiceAccount", "V1ServiceAccount", ("sa",),
        subresources=(Subresource("token", "TokenRequest", "authentication.k8s.io", "v1", CREATE_ONLY),),
    ),
    Resource(
        "", "v1", "services", "Service", "V1Service", ("svc",),
        subresources=(STATUS,), categories=("all",),
    ),
    Resource(
        "apps", "v1", "deployments", "Deployment", "V1Deployment", ("deploy",),
        subresources=(SCALE, STATUS), categories=("all",), has_generation=True,
    ),
    Resource(
        "apps", "v1", "replicasets", "ReplicaSet", "V1ReplicaSet", ("rs",),
        subresources=(SCALE, STATUS), categories=("all",), has_generation=True,
    ),
    Resource(
        "apps", "v1", "statefulsets", "StatefulSet", "V1StatefulSet", ("sts",),
        subresources=(SCALE, STATUS), categories=("all",), has_generation=True,
    ),
    Resource(
        "apps", "v1", "daemonsets", "DaemonSet", "V1DaemonSet", ("ds",),
        subresources=(STATUS,), categories=("all",), has_generation=True,
    ),
    Resource("apps", "v1", "controllerrevisions", "ControllerRevision", "V1ControllerRevision"),
    Resource(
        "batch", "v1", "jobs", "Job", "V1Job",
        subresources=(STATUS,), categories=("all",), has_generation=True,
    ),
    Resource(
        "batch", "v1", "cronjobs", "CronJob", "V1CronJob", ("cj",),
        subresources=(STATUS,), categories=("all",), has_generation=True,
    ),
    Resource(
        "authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview",
        "V1SelfSubjectReview", namespaced=False, verbs=CREATE_ONLY,
    ),
    Resource(
        "authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview",
        "V1SelfSubjectAccessReview", namespaced=False, verbs=CREATE_ONLY,
    ),
    Resource(
        "authorization.k8s.io", "v1", "selfsubjectrulesreviews", "SelfSubjectRulesReview",
        "V1SelfSubjectRulesReview", namespaced=False, verbs=CREATE_ONLY,
    ),
    Resource(
        "autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler",
        "V2HorizontalPodAutoscaler", ("hpa",), subresources=(STATUS,), categories=("all",),
    ),
    Resource(
        "policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", "V1PodDisruptionBudget",
        ("pdb",), subresources=(STATUS,), has_generation=True,
    ),
    Resource("coordination.k8s.io", "v1", "leases", "Lease", "V1Lease"),
    Resource("rbac.authorization.k8s.io", "v1", "roles", "Role", "V1Role"),
    Resource("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding", "V1RoleBinding"),
    Resource(
        "discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", "V1EndpointSlice",
        has_generation=True,
    ),
    # Nobody here acts on these two either.
    Resource(
        "networking.k8s.io", "v1", "ingresses", "Ingress", "V1Ingress", ("ing",), has_generation=True,
    ),
    Resource(
        "networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy", "V1NetworkPolicy",
        ("netpol",), has_generation=True,
    ),
    # A custom resource, as a cluster has it with the Prometheus operator; nobody here acts on it.
    Resource(
        "monitoring.coreos.com", "v1", "prometheusrules", "PrometheusRule", "V1PrometheusRule",
        ("promrule",), categories=("prometheus-operator",), has_generation=True,
    ),
)  # fmt: skip

_BY_PATH = {(item.group, item.version, item.plural): item for item in RESOURCES}
_STORED: dict[str, Resource] = {}
for _item in RESOURCES:
    if _item.stored:
        # The first group of the table is the one its objects are stored in.
        _STORED.setdefault(_item.plural, _item)
STORED: t.Mapping[str, Resource] = _STORED


def find(group: str, version: str, plural: str) -> Resource | None:
    return _BY_PATH.get((group, version, plural))
