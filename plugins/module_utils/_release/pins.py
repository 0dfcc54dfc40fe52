# SPDX-License-Identifier: GPL-3.0-or-later
"""Pins: Deployments and ConfigMaps as they were before a release. An undo returns to them."""

from __future__ import annotations

import base64
import binascii
import gzip
import hashlib
import json
import re
import typing as t
from dataclasses import dataclass, field, replace

from .._cluster import (
    FENCE_ANNOTATION,
    OWN_ANNOTATIONS,
    RELEASE_ANNOTATION,
    Clock,
    Cluster,
    Object,
    Texts,
)
from .._decode import restored, under
from .._errors import ConflictError, InputError, VerificationError
from .._formats import read_json
from .._images import split_image
from .._lock.models import epoch_in, refuse_later
from .._rollout.models import Deployment, ReplicaSet, current_replica_set, owned_by
from .._rollout.observer import observe_deployments
from .._rollout.plan import Pin, is_as_pinned, may_run_release, runs_release
from .record import Record

LIMIT = 900_000
"""Bytes of packed content a ConfigMap may hold here; the API server's own limit is 1 MiB in all."""

MANAGED_BY = "app.kubernetes.io/managed-by"
COMPONENT = "app.kubernetes.io/component"
RECORD, PINS, ATTACHMENT = "record", "pins", "attachment"
"""Values of the label COMPONENT of a release's ConfigMaps. Earlier versions of the collection set none."""
RECORDS = f"{RELEASE_ANNOTATION},{COMPONENT}!={PINS},{COMPONENT}!={ATTACHMENT}"
"""Selects the records of all releases, for the rest may be large."""
NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")


def record_name(version: str) -> str:
    """Name of the ConfigMap of a release's record. The release's other ConfigMaps extend this name."""
    if not NAME.fullmatch(version) or len(version) > 60:
        raise InputError(
            f"The release {version!r} cannot name a ConfigMap: use at most 60 of the lower-case letters, "
            "digits, '.' and '-', beginning and ending with a letter or digit, like '2.0.0'."
        )
    return f"release-{version}"


def write_over(
    cluster: Cluster,
    name: str,
    version: str,
    component: str,
    data: t.Mapping[str, str],
    over: str,
    *,
    fence: int = 0,
) -> str:
    """Create a ConfigMap of release `version`, or replace that whose resourceVersion `over` was read; the new one.

    Raises ConflictError when another writer changed it meanwhile.
    """
    labels = {MANAGED_BY: "easymo.deploy", COMPONENT: component, RELEASE_ANNOTATION: version}
    metadata: Object = {"name": name, "namespace": cluster.namespace, "labels": labels}
    metadata |= {"annotations": {FENCE_ANNOTATION: str(fence)}} if fence else {}
    body: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {**data}}
    if over:
        metadata["resourceVersion"] = over
        written = cluster.replace("ConfigMap", body)
    else:
        written = cluster.create("ConfigMap", body)
    return str(written["metadata"]["resourceVersion"])


def pack(content: bytes, what: str) -> str:
    # Without a time stamp the same content always packs to the same text.
    packed = base64.b64encode(gzip.compress(content, compresslevel=9, mtime=0)).decode("ascii")
    if len(packed) > LIMIT:
        raise InputError(
            f"{what} is too large for a ConfigMap: {len(packed)} bytes when packed, at most "
            f"{LIMIT}. Keep it in object storage and record where it is."
        )
    return packed


def unpack(text: str, what: str) -> bytes:
    try:
        return gzip.decompress(base64.b64decode(text, validate=True))
    except (binascii.Error, OSError, EOFError, ValueError) as exc:
        raise VerificationError(f"{what} is damaged and cannot be read: {exc}.") from exc


KEY, PACKED = "record.json", "record.json.gz"
"""Where a record is. Packed is one of so many services that a ConfigMap would not take it."""


def text_of(body: Object) -> str:
    """The record of a ConfigMap, "" for none. Raises VerificationError for a damaged one."""
    data = body.get("data") or {}
    if PACKED in data:
        what = f"The record in ConfigMap {body['metadata']['name']!r}"
        return unpack(data[PACKED], what).decode("utf-8", "replace")
    return str(data.get(KEY, ""))


SEEN_WITHIN = 10.0
PAUSE = 0.5


@dataclass(frozen=True)
class Pins:
    """All pins of one attempt of a release. `fence` is the epoch under which they were last written."""

    attempt: int
    deployments: t.Mapping[str, Object] = field(default_factory=dict)
    config_maps: t.Mapping[str, Object] = field(default_factory=dict)
    resource_version: str = ""
    fence: int = 0
    sha256: str = ""
    """Of the packed text, "" before the first write."""

    def deployment(self, name: str) -> Pin | None:
        body = self.deployments.get(name)
        return None if body is None else Pin.from_json(body)

    def to_summary(self) -> dict[str, t.Any]:
        """The pins for people and playbooks, without the templates."""
        return {
            "attempt": self.attempt,
            "deployments": {
                name: {key: value for key, value in body.items() if key != "template"}
                for name, body in self.deployments.items()
            },
            "config_maps": dict(self.config_maps),
        }


@dataclass(frozen=True)
class _Packed:
    pins: str = under("data.pins", required=True)
    resource_version: str = under("metadata.resourceVersion", required=True)
    annotations: Texts = under("metadata.annotations", default_factory=dict)  # noqa: RUF009 - frozen


def pins_name(record: str) -> str:
    return f"{record}-pins"


def read_pins(cluster: Cluster, record: str) -> Pins | None:
    """None where there are none. Raises VerificationError for damaged ones, and for others than the record names.

    A rollback runs what they say, and more accounts may write a ConfigMap than may roll back.
    """
    name = pins_name(record)
    body = cluster.read("ConfigMap", name)
    if body is None:
        return None
    what = f"ConfigMap {name!r}"
    try:
        packed = restored(_Packed, body, what)
        known = restored(Pins, read_json(unpack(packed.pins, what)), "pins")
        pins = replace(
            known,
            resource_version=packed.resource_version,
            fence=epoch_in(packed.annotations),
            sha256=_sha256(packed.pins),
        )
        _refuse_foreign(cluster, record, pins.sha256)
        return pins
    except ValueError as exc:
        raise VerificationError(
            f"{what} has no valid pins ({exc}): restore it, or begin a new release."
        ) from exc


def _sha256(packed: str) -> str:
    return hashlib.sha256(packed.encode()).hexdigest()


def _refuse_foreign(cluster: Cluster, record: str, sha256: str) -> None:
    """A record of version 0.3 or earlier names no pins: then any count."""
    body = cluster.read("ConfigMap", record)
    named = Record.load(text_of(body), f"ConfigMap {record!r}").facts.pins if body else ()
    if named and sha256 not in named:
        raise VerificationError(
            f"ConfigMap {pins_name(record)!r} is not the one that the release wrote: its sha256 differs from the "
            "record's. Find out who changed it and restore it, or begin a new release; nothing returns to it."
        )


Remember = t.Callable[[t.Sequence[str]], object]
"""Has the record name the checksums of pins."""


class PinStore:
    """The pins of one release, in one ConfigMap."""

    def __init__(self, cluster: Cluster, version: str, *, clock: Clock) -> None:
        self._cluster = cluster
        self._version = version
        self._clock = clock
        self._record = record_name(version)
        self.name = pins_name(self._record)

    def of(self, attempt: int) -> Pins:
        """The pins of this attempt. Pins of an earlier attempt no longer count."""
        known = read_pins(self._cluster, self._record)
        if known is None:
            return Pins(attempt=attempt)
        if known.attempt != attempt:
            return Pins(
                attempt,
                resource_version=known.resource_version,
                fence=known.fence,
                sha256=known.sha256,
            )
        return known

    def add(
        self,
        attempt: int,
        remember: Remember,
        *,
        deployments: t.Sequence[str],
        config_maps: t.Sequence[str],
        digests: t.Container[str] = (),
        fence: int = 0,
        check_mode: bool,
    ) -> tuple[list[str], list[str]]:
        """The Deployments and the ConfigMaps that are pinned by this, as they are now.

        A pin stays as it is, except that of a Deployment that another writer changed and that does not
        run this release. `digests` are those of the release's images. Refuses an object that the release has already
        changed, and raises LeaseLostError when a later holder of the lock has written the pins.
        """
        known = self.of(attempt)
        refuse_later(f"ConfigMap {self.name!r}", known.fence, fence)
        new_deployments = [name for name in deployments if name not in known.deployments]
        new_config_maps = [name for name in config_maps if name not in known.config_maps]
        new_deployments += self._outdated(known, deployments, digests)
        if not new_deployments and not new_config_maps:
            return [], []
        pinned = self._pin_deployments(new_deployments, digests)
        maps = {name: _pin_config_map(self._cluster, name) for name in new_config_maps}
        pins = replace(
            known,
            deployments={**known.deployments, **pinned},
            config_maps={**known.config_maps, **maps},
        )
        if not check_mode:
            self._write(replace(pins, fence=max(pins.fence, fence)), remember)
        return new_deployments, new_config_maps

    def _outdated(self, pins: Pins, names: t.Iterable[str], digests: t.Container[str]) -> list[str]:
        """The pinned Deployments that another writer has changed since they were pinned.

        The change came after a rollback or before the release reached them. The next try replaces this state, and its
        rollback must return to it.
        """
        version, outdated = self._version, []
        pinned = [name for name in names if name in pins.deployments]
        listed = self._cluster.list_objects("Deployment") if pinned else []
        bodies = {body["metadata"]["name"]: body for body in listed}
        for name in pinned:
            pin = Pin.from_json(pins.deployments[name])
            body = bodies.get(name)
            if body is None or is_as_pinned(deployment := Deployment.from_json(body), pin):
                continue
            if may_run_release(deployment, version):
                continue
            if not carries(deployment, version, digests):
                outdated.append(name)
        return outdated

    def _pin_deployments(
        self, names: t.Sequence[str], digests: t.Container[str]
    ) -> dict[str, Object]:
        cluster, version = self._cluster, self._version
        observed = _seen_by_their_controller(cluster, names, self._clock) if names else []
        late = [deployment for deployment in observed if carries(deployment, version, digests)]
        if late:
            places = ", ".join(f"{e.name} ({', '.join(e.images.values())})" for e in late)
            raise ConflictError(
                f"Release {version!r} is already on {places}, so the previous versions are unknown and "
                "not pinned. Roll these back by hand first, or release under a new version."
            )
        listed = cluster.list_objects("ReplicaSet") if names else []
        replica_sets = [ReplicaSet.from_json(body) for body in listed]
        return {entry.name: _pin_deployment(entry, replica_sets) for entry in observed}

    def _write(self, pins: Pins, remember: Remember) -> None:
        """A conflict with our own write, whose response was lost, is no error.

        The record names both the pins of before and these, for a run may end between the two writes.
        """
        content = {name: getattr(pins, name) for name in ("attempt", "deployments", "config_maps")}
        encoded = json.dumps(content, sort_keys=True).encode()
        packed = pack(encoded, f"The pins of release {self._version!r}")
        data = {"attempt": str(pins.attempt), "pins": packed}
        written = replace(pins, sha256=_sha256(packed))
        remember([sha256 for sha256 in (pins.sha256, written.sha256) if sha256])
        where, over = (self._cluster, self.name, self._version), pins.resource_version
        try:
            write_over(*where, PINS, data, over, fence=pins.fence)
        except ConflictError:
            stored = read_pins(self._cluster, self._record)
            if stored is None or stored != replace(
                written, resource_version=stored.resource_version
            ):
                raise
        stored = read_pins(self._cluster, self._record)
        if stored is None or {*stored.deployments} != {*pins.deployments}:
            raise VerificationError(
                f"ConfigMap {self.name!r} was written but reads differently: nothing "
                "may be released without its pins."
            )


def carries(deployment: Deployment, version: str, digests: t.Container[str] = ()) -> bool:
    """Whether a Deployment already runs this release, by our annotations, or by an image's digest or tag."""
    if runs_release(deployment, version):
        return True
    images = [split_image(image) for image in deployment.images.values()]
    return any(
        digest in digests or tag.removeprefix("v") == version for _name, tag, digest in images
    )


def _seen_by_their_controller(
    cluster: Cluster, names: t.Sequence[str], clock: Clock
) -> list[Deployment]:
    """Before that, which takes a moment after each change, the ReplicaSet of a template may not be there.

    A change of annotations or of replicas, as by an autoscaler, is one too. One list for all: a request for each takes
    as many as there are services.
    """
    give_up = clock.now() + SEEN_WITHIN
    while True:
        deployments = observe_deployments(cluster, names)
        unseen = [
            entry.name for entry in deployments if entry.observed_generation < entry.generation
        ]
        if not unseen:
            return deployments
        if clock.now() >= give_up:
            raise ConflictError(
                f"Deployment {', '.join(map(repr, unseen))} was changed, and its controller has not seen that for "
                f"{SEEN_WITHIN:.0f} s, so it cannot be pinned: check that the kube-controller-manager works, and run "
                "the same command again."
            )
        clock.sleep(PAUSE)


def _pin_deployment(deployment: Deployment, replica_sets: t.Sequence[ReplicaSet]) -> Object:
    if not owned_by(deployment, replica_sets):
        raise InputError(
            f"Deployment {deployment.name!r} has no ReplicaSet, so it never ran: let it roll out once "
            "before releasing over it."
        )
    current = current_replica_set(deployment, replica_sets)
    own = {k: v for k, v in deployment.annotations.items() if k in OWN_ANNOTATIONS}
    return {
        "uid": deployment.uid,
        "revision": current.revision if current else None,
        "replica_set": current.name if current else "",
        "images": deployment.images,
        "replicas": deployment.counts.desired,
        "annotations": own,
        "template": deployment.template,
    }


def _pin_config_map(cluster: Cluster, name: str) -> Object:
    body = cluster.read("ConfigMap", name)
    return {"exists": body is not None, "data": (body or {}).get("data") or {}}
