# SPDX-License-Identifier: GPL-3.0-or-later
"""What may not be stored: names, labels, pod templates, selectors, and fields that never change."""

from __future__ import annotations

import functools
import json
import re
import typing as t

from sandbox.kubernetes.errors import Cause, Object, invalid
from sandbox.kubernetes.selectors import matches

if t.TYPE_CHECKING:
    from sandbox.kubernetes.resources import Resource

LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
SUBDOMAIN = rf"{LABEL}(\.{LABEL})*"
SERVICE_LABEL = r"[a-z]([-a-z0-9]*[a-z0-9])?"
QUALIFIED = r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
LABEL_VALUE = rf"({QUALIFIED})?"
CONFIG_KEY = r"[-._a-zA-Z0-9]+"

LABEL_WORDS = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must"
    " start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for"
    f" validation is '{LABEL}')"
)
SUBDOMAIN_WORDS = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.',"
    " and must start and end with an alphanumeric character (e.g. 'example.com', regex used for"
    f" validation is '{SUBDOMAIN}')"
)
SERVICE_WORDS = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an"
    " alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123',"
    f" regex used for validation is '{SERVICE_LABEL}')"
)
VALUE_WORDS = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.',"
    " and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or"
    f" '12345', regex used for validation is '{LABEL_VALUE}')"
)
KEY_WORDS = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with"
    " an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for"
    f" validation is '{QUALIFIED}')"
)
NAME_RULES: t.Mapping[str, tuple[str, str, int]] = {
    "services": (SERVICE_LABEL, SERVICE_WORDS, 63),
    "namespaces": (LABEL, LABEL_WORDS, 63),
}
SUBDOMAIN_RULE = (SUBDOMAIN, SUBDOMAIN_WORDS, 253)

Causes = t.Iterator[Cause]


def validate(resource: Resource, obj: Object, current: Object | None) -> None:
    causes = [*check_metadata(resource, obj), *CHECKS.get(resource.plural, no_checks)(obj)]
    if current is not None:
        causes += UPDATE_CHECKS.get(resource.plural, no_checks)(obj, current)
    if causes:
        raise invalid(resource, obj["metadata"].get("name", ""), causes)


def no_checks(*_: Object) -> Causes:
    return iter(())


@functools.lru_cache(maxsize=8192)
def fits(pattern: str, text: str) -> bool:
    """The same names come again with every write."""
    return re.fullmatch(pattern, text) is not None


def bad(field: str, value: object, why: str) -> Cause:
    shown = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return Cause(field, f"Invalid value: {shown}: {why}")


def required(field: str, why: str = "") -> Cause:
    return Cause(field, f"Required value: {why}" if why else "Required value", "FieldValueRequired")


def check_metadata(resource: Resource, obj: Object) -> Causes:
    metadata = obj["metadata"]
    name = metadata.get("name", "")
    pattern, words, longest = NAME_RULES.get(resource.plural, SUBDOMAIN_RULE)
    if not name:
        yield required("metadata.name", "name or generateName is required")
    elif not fits(pattern, name):
        yield bad("metadata.name", name, words)
    elif len(name) > longest:
        yield bad("metadata.name", name, f"must be no more than {longest} characters")
    if resource.namespaced and not metadata.get("namespace"):
        yield required("metadata.namespace")
    yield from check_labels(metadata.get("labels") or {}, "metadata.labels")
    for key in metadata.get("annotations") or {}:
        yield from check_key(key, "metadata.annotations")


def check_labels(labels: t.Mapping[str, str], where: str) -> Causes:
    for key, value in labels.items():
        yield from check_key(key, where)
        if len(value) > 63:
            yield bad(where, value, "must be no more than 63 characters")
        if not fits(LABEL_VALUE, value):
            yield bad(where, value, VALUE_WORDS)


def check_key(key: str, where: str) -> Causes:
    prefix, slash, name = key.rpartition("/")
    if slash and not fits(SUBDOMAIN, prefix.lower()):
        yield bad(where, key, f"prefix part {SUBDOMAIN_WORDS}")
    if len(name) > 63:
        yield bad(where, key, "name part must be no more than 63 characters")
    if not fits(QUALIFIED, name):
        yield bad(where, key, KEY_WORDS)


def check_deployment(obj: Object) -> Causes:
    spec = obj["spec"]
    yield from check_workload(spec)
    deadline, ready = spec.get("progressDeadlineSeconds"), spec.get("minReadySeconds", 0)
    if deadline is not None and deadline <= ready:
        words = "must be greater than minReadySeconds"
        yield bad("spec.progressDeadlineSeconds", deadline, words)
    rolling = spec.get("strategy", {}).get("rollingUpdate") or {}
    if rolling and all(rolling.get(key) in (0, "0%") for key in ("maxSurge", "maxUnavailable")):
        where = "spec.strategy.rollingUpdate.maxUnavailable"
        yield bad(where, rolling["maxUnavailable"], "may not be 0 when `maxSurge` is 0")


def check_workload(spec: Object) -> Causes:
    yield from check_not_negative(
        spec, "spec", "replicas", "minReadySeconds", "revisionHistoryLimit"
    )
    selector, template = spec.get("selector"), spec.get("template") or {}
    labels = (template.get("metadata") or {}).get("labels") or {}
    if not selector:
        yield required("spec.selector")
    elif not matches(selector, labels):
        words = "`selector` does not match template `labels`"
        yield bad("spec.template.metadata.labels", labels, words)
    yield from check_labels(labels, "spec.template.metadata.labels")
    yield from check_pod_spec(template.get("spec") or {}, "spec.template.spec")
    policy = (template.get("spec") or {}).get("restartPolicy", "Always")
    if policy != "Always":
        message = f'Unsupported value: "{policy}": supported values: "Always"'
        yield Cause("spec.template.spec.restartPolicy", message, "FieldValueNotSupported")


def check_job(obj: Object) -> Causes:
    template = (obj["spec"].get("template") or {}).get("spec") or {}
    yield from check_pod_spec(template, "spec.template.spec")
    policy = template.get("restartPolicy", "Always")
    if policy not in ("OnFailure", "Never"):
        message = f'Required value: valid values: "OnFailure", "Never" (it is "{policy}")'
        yield Cause("spec.template.spec.restartPolicy", message, "FieldValueRequired")


def check_pod_spec(spec: Object, where: str) -> Causes:
    containers = spec.get("containers") or []
    if not containers:
        yield required(f"{where}.containers")
    names: set[str] = set()
    for index, container in enumerate(containers):
        yield from check_container(container, f"{where}.containers[{index}]", names)
    yield from check_not_negative(spec, where, "terminationGracePeriodSeconds")


def check_container(container: Object, where: str, names: set[str]) -> Causes:
    name, image = container.get("name", ""), container.get("image", "")
    if not name:
        yield required(f"{where}.name")
    elif not fits(LABEL, name):
        yield bad(f"{where}.name", name, LABEL_WORDS)
    elif name in names:
        yield Cause(f"{where}.name", f'Duplicate value: "{name}"', "FieldValueDuplicate")
    names.add(name)
    if not image:
        yield required(f"{where}.image")
    elif image.strip() != image:
        yield bad(f"{where}.image", image, "must not have leading or trailing whitespace")
    yield from check_ports(container, f"{where}.ports", "containerPort")


def check_ports(owner: Object, where: str, key: str) -> Causes:
    for index, port in enumerate(owner.get("ports", ())):
        if not 0 < port.get(key, 0) < 65536:
            words = "must be between 1 and 65535, inclusive"
            yield bad(f"{where}[{index}].{key}", port.get(key), words)


def check_not_negative(spec: Object, where: str, *keys: str) -> Causes:
    for key in keys:
        if spec.get(key, 0) < 0:
            yield bad(f"{where}.{key}", spec[key], "must be greater than or equal to 0")


def check_service(obj: Object) -> Causes:
    spec = obj.get("spec") or {}
    portless = spec.get("type") == "ExternalName" or spec.get("clusterIP") == "None"
    if not portless and not spec.get("ports"):
        yield required("spec.ports")
    yield from check_ports(spec, "spec.ports", "port")


def check_lease(obj: Object) -> Causes:
    spec = obj.get("spec") or {}
    if spec.get("leaseDurationSeconds", 1) <= 0:
        yield bad(
            "spec.leaseDurationSeconds", spec["leaseDurationSeconds"], "must be greater than 0"
        )
    yield from check_not_negative(spec, "spec", "leaseTransitions")


def check_config_map(obj: Object) -> Causes:
    for part in ("data", "binaryData"):
        for key in obj.get(part) or {}:
            if not fits(CONFIG_KEY, key) or len(key) > 253:
                words = (
                    "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
                    " (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is"
                    f" '{CONFIG_KEY}')"
                )
                yield bad(f"{part}[{key}]", key, words)
    size = sum(
        len(k) + len(v) for p in ("data", "binaryData") for k, v in (obj.get(p) or {}).items()
    )
    if size > 1024 * 1024:
        yield Cause("", "Too long: may not be more than 1048576 bytes", "FieldValueTooLong")


def selector_is_kept(obj: Object, current: Object) -> Causes:
    wanted = obj["spec"].get("selector")
    if wanted != current["spec"].get("selector"):
        yield bad("spec.selector", wanted, "field is immutable")


def immutable_data_is_kept(obj: Object, current: Object) -> Causes:
    if not current.get("immutable"):
        return
    for part in ("data", "binaryData", "immutable"):
        if obj.get(part) != current.get(part):
            words = "Forbidden: field is immutable when `immutable` is set"
            yield Cause(part, words, "FieldValueForbidden")


def pod_spec_is_kept(obj: Object, current: Object) -> Causes:
    if fixed_part(obj["spec"], current["spec"]) != fixed_part(current["spec"], current["spec"]):
        words = (
            "Forbidden: pod updates may not change fields other than"
            " `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,"
            "`spec.tolerations` (only additions to existing tolerations),"
            "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
        )
        yield Cause("spec", words, "FieldValueForbidden")


def fixed_part(spec: Object, current: Object) -> Object:
    """What of a pod never changes; its node may be set once, by the scheduler."""
    loose = {"activeDeadlineSeconds", "tolerations"} | (
        set() if current.get("nodeName") else {"nodeName"}
    )
    fixed = {key: value for key, value in spec.items() if key not in loose}
    for part in ("containers", "initContainers"):
        if part in fixed:
            fixed[part] = [
                {key: value for key, value in item.items() if key != "image"}
                for item in fixed[part]
            ]
    return fixed


CHECKS: t.Mapping[str, t.Callable[[Object], Causes]] = {
    "deployments": check_deployment,
    **dict.fromkeys(
        ("replicasets", "statefulsets", "daemonsets"), lambda obj: check_workload(obj["spec"])
    ),
    "jobs": check_job,
    "pods": lambda obj: check_pod_spec(obj.get("spec") or {}, "spec"),
    "services": check_service,
    "leases": check_lease,
    "configmaps": check_config_map,
}
UPDATE_CHECKS: t.Mapping[str, t.Callable[[Object, Object], Causes]] = {
    "deployments": selector_is_kept,
    **dict.fromkeys(("replicasets", "statefulsets", "daemonsets", "jobs"), selector_is_kept),
    "configmaps": immutable_data_is_kept,
    "secrets": immutable_data_is_kept,
    "pods": pod_spec_is_kept,
}
