# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of what runs in the cluster: Deployments, rights, pins, flags and who reads them, images."""

from __future__ import annotations

import typing as t
from textwrap import indent

from .._cluster import Cluster, Object
from .._doc_fragments._images import SIGNATURES
from .._doc_fragments._module import AUTHORITIES, nested
from .._errors import InputError, VerificationError
from .._flags.apply import KillSwitch
from .._flags.plan import FlagsMap
from .._flags.pods import VOLUME, to_probe
from .._formats import counted
from .._http import REQUESTS
from .._image_signatures import SignatureCheck
from .._images import HttpRegistry, MissingImagesError, Reference, resolve
from .._kubernetes_client import KUBERNETES
from .._lock.apply import LEASE
from .._release.pins import carries, read_pins, record_name
from .._rollout.models import Deployment, ReplicaSet, owned_by
from .._templates import JMESPATH
from .._time import Deadline
from .models import Finding, Ground, Kind, Kinds, Options, failed, passed, skipped
from .rollout import (
    ERROR,
    environment_of,
    find_problems,
    observe_facts,
    parts_of,
)


def look_rollout(options: Options, ground: Ground) -> Finding:
    """What stands against rolling the services without downtime."""
    services = options["services"]
    problems = find_problems(observe_facts(ground.cluster(), services, release=ground.release))
    errors = [str(entry) for entry in problems if entry.severity == ERROR]
    warnings = tuple(f"{entry}." for entry in problems if entry.severity != ERROR)
    if errors:
        return failed(
            f"{len(errors)} problems prevent a rollout without downtime: {'; '.join(errors)}",
            warnings=warnings,
        )
    return passed(f"{counted(len(services), 'service')} can roll", warnings=warnings)


RIGHTS = {
    "get deployments.apps": "read a Deployment",
    "list deployments.apps": "see Deployments",
    "watch deployments.apps": "follow a rollout in few requests",
    "patch deployments.apps": "release, restart and undo",
    "list replicasets.apps": "tell new pods from old ones",
    "list pods": "tell why a rollout fails",
    "watch pods": "follow a rollout in few requests",
    "delete pods": "replace a pod on a bad node",
    "get pods/log": "find start-up lines and show why pods crash",
    "list events": "show why pods do not start",
    "get configmaps": "read the release record and its pins",
    f"get leases.coordination.k8s.io {LEASE}": "read the deploy lock",
    "create leases.coordination.k8s.io": "take the deploy lock",
    f"update leases.coordination.k8s.io {LEASE}": "renew the deploy lock",
    "list configmaps": "find attachments of the record",
    "create configmaps": "create the release record",
    "update configmaps": "write the release record",
    "patch configmaps": "set feature flags",
    # Newer servers ask for create and older ones for get.
    "create pods/exec": "check the flags in every pod",
}
"""What the phases ask of the server: a verb, a resource, perhaps its part, group and name; and what for."""
DISPENSABLE = frozenset({"watch deployments.apps", "watch pods", "delete pods", "list events"})
"""Without these a release gets by."""


def denied(cluster: Cluster, rights: t.Iterable[str], namespace: str = "") -> list[str]:
    """Those of the rights that this user does not have. In the cluster's namespace without another."""
    results = []
    for right in rights:
        verb, what, *name = right.split()
        path, _dot, group = what.partition(".")
        resource, _slash, part = path.partition("/")
        where = {"group": group, "subresource": part, "namespace": namespace}
        if not cluster.may(verb, resource, **where, **({"name": name[0]} if name else {})):
            results.append(right)
    return results


def look_rbac(_options: Options, ground: Ground) -> Finding:
    """Whether the cluster lets this user do all that the phases do there."""
    cluster = ground.cluster()
    namespace, missing = cluster.namespace, denied(cluster, RIGHTS)
    warnings = tuple(
        f"You may not {right} in {namespace}, needed to {RIGHTS[right]}."
        for right in missing
        if right in DISPENSABLE
    )
    fatal = [f"{right} (to {RIGHTS[right]})" for right in missing if right not in DISPENSABLE]
    if fatal:
        return failed(
            f"in {namespace} you may not {'; '.join(fatal)}: apply manifests/rbac/, and bind its Role to your user",
            warnings=warnings,
        )
    return passed(f"{len(RIGHTS) - len(missing)} of {len(RIGHTS)} rights exist", warnings=warnings)


def look_rights(options: Options, ground: Ground) -> Finding:
    """Whether the cluster lets this user do more than what every release does, perhaps in another namespace."""
    cluster, namespace, rights = ground.cluster(), options["namespace"], options["rights"]
    where = f"in {namespace or cluster.namespace}"
    if missing := denied(cluster, rights, namespace):
        return failed(f"{where} you may not {', '.join(missing)}")
    return passed(f"{where} you may {', '.join(rights)}")


def look_pins(options: Options, ground: Ground) -> Finding:
    """Whether every service that is going to be rolled has something to return to."""
    cluster, record = ground.cluster(), ground.record.get()
    pins = read_pins(cluster, record_name(ground.release)) if record else None
    mine = pins if pins and record and pins.attempt == record.attempt else None
    deployments = {body["metadata"]["name"]: body for body in cluster.list_objects("Deployment")}
    replica_sets = [ReplicaSet.from_json(body) for body in cluster.list_objects("ReplicaSet")]
    services, pinned = options["services"], mine.deployments if mine else ()
    problems = {
        name: pin_problem(
            deployments.get(name), replica_sets, ground.release, pinned=name in pinned
        )
        for name in services
    }
    wrong = [f"{name} {problem}" for name, problem in problems.items() if problem]
    if wrong:
        return failed("; ".join(wrong))
    count = len(set(services) & set(pinned))
    known = f", {count} pinned by this attempt already" if count else ""
    have = "has" if len(services) == 1 else "have"
    return passed(f"{counted(len(services), 'service')} {have} a template to return to{known}")


def pin_problem(
    body: Object | None, replica_sets: t.Sequence[ReplicaSet], release: str, *, pinned: bool
) -> str:
    """Why a Deployment has nothing to return to. `pinned`: this attempt has kept its state from before the release."""
    if body is None:
        return "has no Deployment: create it, or remove it from the inventory"
    if body["spec"].get("revisionHistoryLimit", 10) < 1:
        return "keeps no old ReplicaSet: raise its revisionHistoryLimit from 0 to at least 1"
    if pinned:
        return ""
    deployment = Deployment.from_json(body)
    if not owned_by(deployment, replica_sets):
        return "never ran, so there is nothing to return to: roll it out once"
    if carries(deployment, release):
        images = ", ".join(deployment.images.values())
        return (
            f"runs {images} already, but not by this attempt: roll it back, or release a new "
            "version"
        )
    return ""


PHASE = "feature_flags"


def look_flags_start(options: Options, ground: Ground) -> Finding:
    """Whether the feature flags are where a release begins, with no user in the feature.

    The option `flag` is a percentage, or empty where `enabled_by` alone decides.
    """
    name, flag, enabled_by = (options[name] for name in ("name", "flag", "enabled_by"))
    flags = FlagsMap.from_json(name, ground.cluster().read("ConfigMap", name))
    record = ground.record.get()
    switch = KillSwitch.from_annotations(flags.annotations)
    ours = {flag, enabled_by}
    resets = switch and switch.automatic and ours & {*(switch.flags or ours)}
    automatic = f"; {switch}, which the deployment resets" if resets else ""
    name, off = (flag, "0") if flag else (enabled_by, "false")
    value = flags.data.get(name)
    if value in (None, "", off) or flags.data.get(enabled_by) == "false":
        shown = value or "not set"
        return passed(f"{name} is {shown}, no user is in the feature{automatic}")
    if record is not None and PHASE in record.phases:
        return passed(f"{name} is {value}, which this attempt of the release set{automatic}")
    return failed(
        f"{name} is {value}, but a release starts with no user in the feature: find who set it, and set it to {off}"
    )


def look_flags_readers(options: Options, ground: Ground) -> Finding:
    """Whether the Deployments that read the feature flags have them from the ConfigMap, as the release says they do."""
    cluster, name, delivery = ground.cluster(), options["name"], options["delivery"]
    deployments = {entry: cluster.read("Deployment", entry) for entry in options["deployments"]}
    body = cluster.read("ConfigMap", name)
    gone = [entry for entry, body in deployments.items() if body is None]
    if gone:
        return failed(f"there is no Deployment {', '.join(gone)} that would read the flags")
    specs = {entry: each["spec"]["template"]["spec"] for entry, each in deployments.items() if each}
    blind = [entry for entry, spec in specs.items() if not _has_flags(name, delivery, spec)]
    if blind:
        lacks = "does not mount" if delivery == VOLUME else "takes no environment from"
        whole = " as a folder (a subPath is never brought up to date)" if delivery == VOLUME else ""
        return failed(
            f"{', '.join(blind)} {lacks} the ConfigMap {name}{whole}, so flags would change nothing"
        )
    try:
        probe = to_probe(delivery, options["probe"])
    except InputError as exc:
        return failed(str(exc).rstrip("."))
    new = "" if body is not None else "; the release creates it"
    verb = "mounts" if delivery == VOLUME else "reads"
    return passed(
        f"{', '.join(deployments)} {verb} the ConfigMap {name}{new}",
        warnings=(probe.weakness,) if probe.weakness else (),
    )


def _has_flags(name: str, delivery: str, spec: Object) -> bool:
    """Whether a pod has them from the ConfigMap. The kubelet never brings a file by subPath up to date."""
    if delivery != VOLUME:
        sources, places = environment_of(spec["containers"]), ("configMapRef", "configMapKeyRef")
        return name in {(source.get(at) or {}).get("name") for source in sources for at in places}
    volumes = {
        volume["name"]
        for volume in spec.get("volumes") or []
        for part in parts_of(volume)
        if (part.get("configMap") or {}).get("name") == name
    }
    return any(
        mount["name"] in volumes and not mount.get("subPath")
        for container in spec["containers"]
        for mount in container.get("volumeMounts") or []
    )


def look_images(options: Options, ground: Ground) -> Finding:
    """Whether the images of the release are in their registry, before anything is touched."""
    if options["absent"]:
        return skipped(options["absent"])
    references = [Reference.parse(entry) for entry in dict.fromkeys(options["images"])]
    registry = HttpRegistry(options, timeout=ground.timeout, deadline=Deadline(ground.timeout))
    signatures = SignatureCheck.of(options)
    try:
        digests = resolve(registry, references)
        if signatures:
            signatures.verify_all(references, digests)
    except (MissingImagesError, VerificationError) as exc:
        return failed(str(exc))
    number, services = counted(len(references), "image"), counted(len(options["images"]), "service")
    signed = f", signed by {signatures.signer}" if signatures else ""
    return passed(f"the registry has the {number} of {services}{signed}")


_SERVICES = """    services:
      description: The Deployments that are going to be rolled.
      type: list
      elements: str
      required: true
"""
ROLLOUT_OPTIONS = f"""  description:
    - What stands against a rollout without downtime, every problem at once. An error is a rollout that would fail, or
      an outage while it goes on. A warning is what a release survives, and somebody should know.
    - Of Secrets that pods refer to only the names of their keys are looked at. What may not be seen is a warning.
  suboptions:
{_SERVICES}"""
PINS_OPTIONS = f"""  description:
    - Whether every Deployment has a template to return to, keeps old ReplicaSets, and does not run the image
      of the release already unless this attempt rolled it.
  suboptions:
{_SERVICES}"""
RBAC_OPTIONS = """  description: Whether the cluster lets this user do all that the phases do there. It has no options.
  suboptions: {}
"""
FLAGS_START_OPTIONS = """  description:
    - Whether the feature is still off for all users, unless this release itself let them in, and no person has set the
      kill switch.
  suboptions:
    name:
      description: The ConfigMap of the flags.
      type: str
      default: feature-flags
    flag:
      description: The flag with the percentage of users. Empty where O(ignore:enabled_by) alone lets them in.
      type: str
      default: ""
    enabled_by:
      description: The flag that switches the feature on and off.
      type: str
      default: ""
"""
IMAGES_OPTIONS = f"""  description: Whether images are in their registry, as M(easymo.deploy.images) asks it.
  suboptions:
    images:
      description: The images, with tag or digest.
      type: list
      elements: str
      required: true
    registry:
      description: URL of the registry's API. The registry that an image names when empty.
      type: str
      default: ""
    username:
      description: Login. Anonymous when empty.
      type: str
      default: ""
    password:
      description: Its password or token.
      type: str
      default: ""
{indent(AUTHORITIES, " " * 4)}{nested(SIGNATURES, 4, "images")}    absent:
      description: Why they cannot be there yet, for example because the release builds them. The check is skipped then.
      type: str
      default: ""
"""
RIGHTS_OPTIONS = """  description: Whether the cluster lets this user do more than what V(rbac) asks, perhaps
    in another namespace.
  suboptions:
    namespace:
      description: The namespace. O(namespace) when empty.
      type: str
      default: ""
    rights:
      description: What is to be done, as V(get deployments.apps), a verb with a resource, and its group and the name of
        one object if it has them.
      type: list
      elements: str
      required: true
"""
FLAGS_READERS_OPTIONS = """  description: Whether Deployments have the flags from their ConfigMap, in the way
    that the release says.
  suboptions:
    name:
      description: The ConfigMap.
      type: str
      default: feature-flags
    deployments:
      description: The Deployments.
      type: list
      elements: str
      required: true
    delivery:
      description: How they have the flags, as O(easymo.deploy.kill_switch#module:delivery).
      type: str
      choices: [environment, volume]
      default: environment
    probe:
      description: How pods will be asked, as O(easymo.deploy.feature_flags#module:probe).
      type: dict
      default: {}
"""

KINDS: Kinds = {
    "rollout": Kind(look_rollout, ROLLOUT_OPTIONS, (KUBERNETES,)),
    "rbac": Kind(look_rbac, RBAC_OPTIONS, (KUBERNETES,)),
    "rights": Kind(look_rights, RIGHTS_OPTIONS, (KUBERNETES,)),
    "pins": Kind(look_pins, PINS_OPTIONS, (KUBERNETES,), reads_record=True),
    "flags_start": Kind(look_flags_start, FLAGS_START_OPTIONS, (KUBERNETES,), reads_record=True),
    "flags_readers": Kind(look_flags_readers, FLAGS_READERS_OPTIONS, (KUBERNETES, JMESPATH)),
    "images": Kind(look_images, IMAGES_OPTIONS, (REQUESTS,)),
}
