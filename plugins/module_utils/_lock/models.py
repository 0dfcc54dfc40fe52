# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock as its Lease stores it, a run's claim to it, and the freeze that stops all deployments."""

from __future__ import annotations

import re
import typing as t
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta

from .._cluster import (
    FENCE_ANNOTATION,
    Cluster,
    Object,
    Texts,
    Tries,
    operation,
    read_object,
    set_annotations,
)
from .._decode import restored, under
from .._errors import ConflictError, VerificationError
from .._run_process import Run
from .._time import parse_time


class LockedError(ConflictError):
    reason = "Locked"


class LeaseLostError(ConflictError):
    reason = "LeaseLost"


class FrozenError(ConflictError):
    reason = "Frozen"


DEPLOY, UNDO = "deploy", "undo"

PREFIX = "easymo.com/lock-"
_TEXTS = {
    **{name: name for name in ("release", "reason", "ticket", "purpose")},
    "actor": "holder",
    "stolen-from": "stolen_from",
}
"""Fields by the annotations of a held lock that have them, without PREFIX."""
_RUNS = ("run", "keeper")
_SHOWN = (
    *("name", "holder", "release", "reason", "ticket", "manual"),
    *("renewed", "until", "fence", "stolen_from"),
)


@dataclass(frozen=True, kw_only=True)
class LockClaim:
    """A request for the lock. `run` is None where the run is unknown, as on a remote host."""

    holder: str = ""
    run: Run | None = None
    release: str = ""
    reason: str = ""
    ticket: str = ""
    purpose: str = DEPLOY
    manual: bool = False
    duration: int = 120


@dataclass(frozen=True)
class _Lease:
    """As the API has it. `duration` in seconds, times as RFC 3339."""

    name: str = under("metadata.name", required=True)
    resource_version: str = under("metadata.resourceVersion", required=True)
    annotations: Texts = under("metadata.annotations", default_factory=dict)  # noqa: RUF009 - frozen
    holder: str = under("spec.holderIdentity")
    duration: int = under("spec.leaseDurationSeconds", default=0)
    acquired: str = under("spec.acquireTime")
    renewed: str = under("spec.renewTime")
    fence: int = under("spec.leaseTransitions", default=0)


@dataclass(frozen=True, kw_only=True)
class Lock(LockClaim):
    """The Lease with the claim that has it. `fence` grows whenever that changes; `holder` is empty when it is free."""

    name: str
    keeper: Run | None = None
    duration: int = 0
    acquired: str = ""
    renewed: str = ""
    fence: int = 0
    stolen_from: str = ""
    resource_version: str = ""
    others: t.Mapping[str, str] = field(default_factory=dict)
    """Annotations that are not ours and stay."""

    @property
    def until(self) -> str:
        """The time at which it lapses unless renewed; "" for a lock that never lapses."""
        renewed = parse_time(self.renewed)
        if not self.holder or self.manual or renewed is None:
            return ""
        try:
            return format_time(renewed + timedelta(seconds=self.duration))
        except OverflowError:
            return ""

    @classmethod
    def from_json(cls, body: Object) -> Lock:
        try:
            lease = restored(_Lease, body, "Lease")
        except ValueError as exc:
            raise VerificationError(
                f"The Lease cannot be read as a deploy lock ({exc}): check it with kubectl, and delete it when no "
                "deployment runs."
            ) from exc
        annotations = dict(lease.annotations)
        fields: dict[str, t.Any] = {
            key: annotations.pop(PREFIX + name, "") for name, key in _TEXTS.items()
        }
        for name in _RUNS:
            fields[name] = Run.from_text(annotations.pop(PREFIX + name, ""))
        manual = annotations.pop(PREFIX + "manual", "") == "true"
        # A holder that wrote no actor is another program than ours.
        fields["holder"] = lease.holder and (fields["holder"] or lease.holder)
        fields["purpose"] = fields["purpose"] or DEPLOY
        return cls(
            name=lease.name,
            **fields,
            manual=manual,
            duration=lease.duration,
            acquired=lease.acquired,
            renewed=lease.renewed,
            fence=lease.fence,
            resource_version=lease.resource_version,
            others=annotations,
        )

    def to_json(self, namespace: str) -> Object:
        runs = {name: run.to_text() for name in _RUNS if (run := getattr(self, name))}
        texts = {name: getattr(self, key) for name, key in _TEXTS.items()} | runs
        texts |= {"purpose": self.purpose if self.holder else ""}
        texts |= {"manual": "true" if self.manual else ""}
        spec: dict[str, t.Any] = {"leaseTransitions": self.fence}
        if self.holder:
            spec |= {
                "holderIdentity": f"{self.holder}/{self.run.pid}" if self.run else self.holder,
                "leaseDurationSeconds": self.duration,
                "acquireTime": self.acquired,
                "renewTime": self.renewed,
            }
        metadata: dict[str, t.Any] = {
            "name": self.name,
            "namespace": namespace,
            "annotations": {
                **self.others,
                **{PREFIX + name: text for name, text in texts.items() if text},
            },
        }
        if self.resource_version:
            metadata["resourceVersion"] = self.resource_version
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": metadata,
            "spec": spec,
        }

    def to_result(self) -> dict[str, t.Any]:
        return {name: getattr(self, name) for name in _SHOWN} | {
            "held": bool(self.holder),
            "purpose": self.purpose if self.holder else "",
            "pid": self.run.pid if self.run else 0,
            "since": self.acquired,
        }

    def to_face(self) -> dict[str, t.Any]:
        """The fields for a diff: those that a renewal does not change."""
        face = self.to_result()
        return {name: face[name] for name in face if name not in ("renewed", "until", "since")}


@dataclass(frozen=True)
class DeployFreeze:
    """A ConfigMap that stops every deployment. Undo and kill switch do not ask for it."""

    name: str = under("metadata.name", required=True)
    reason: str = under("data.reason")
    by: str = under("data.by")
    until: str = under("data.until")

    @classmethod
    def from_json(cls, body: Object) -> DeployFreeze:
        known = read_object(cls, body, "ConfigMap")
        return cls(known.name, *(text.strip() for text in (known.reason, known.by, known.until)))

    def in_force(self, now: datetime) -> bool:
        """An `until` that can't be read holds: better stopped too long than deployed into a freeze."""
        end = parse_time(self.until)
        return end is None or now < end

    def to_result(self) -> dict[str, t.Any]:
        return asdict(self)

    def __str__(self) -> str:
        by = f" by {self.by}" if self.by else ""
        until = f" until {self.until}" if self.until else ""
        return f"Deployments are frozen{by}{until}: {self.reason or 'no reason was given'}"


def format_time(moment: datetime) -> str:
    """As Kubernetes writes a MicroTime.

    Never on a whole second: the client would write that without its microseconds, and the server,
    which insists on them, would refuse it.
    """
    moment = moment.astimezone(UTC)
    return moment.replace(microsecond=moment.microsecond or 1).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


EPOCH = re.compile(r"[0-9]{1,10}")


def epoch_in(annotations: t.Mapping[str, str], annotation: str = FENCE_ANNOTATION) -> int:
    """The epoch; 0 without one and for a text that no run writes, as manifests/policy reads it."""
    text = annotations.get(annotation, "")
    return int(text) if EPOCH.fullmatch(text) else 0


def fence_of(body: Object) -> int:
    return epoch_in(body["metadata"].get("annotations") or {})


def refuse_later(what: str, written: int, ours: int, **details: t.Any) -> None:
    """Raise LeaseLostError for an object that a later holder of the lock wrote. `ours` is 0 without a lock."""
    if ours and written > ours:
        raise LeaseLostError(
            f"{what} was written under a later deploy lock (epoch {written}, ours is {ours}), so it was left alone: "
            "another run took the lock over. Check playbooks/status.yml before deploying again.",
            **details,
        )


def leave_epoch(cluster: Cluster, name: str, epoch: int) -> None:
    """Write the epoch on a ConfigMap, if there is one, and nothing else. Raises LeaseLostError for a later one.

    A run that read the ConfigMap before and writes it by that version is refused.
    """
    tries = Tries(f"ConfigMap {name!r}")
    while True:
        body = cluster.read("ConfigMap", name)
        if body is None or fence_of(body) == epoch:
            return
        refuse_later(f"ConfigMap {name!r}", fence_of(body), epoch)
        metadata, fence = body["metadata"], {FENCE_ANNOTATION: str(epoch)}
        present = metadata.get("annotations") or {}
        operations = [
            operation("test", "/metadata/resourceVersion", metadata["resourceVersion"]),
            *set_annotations("/metadata/annotations", present, fence),
        ]
        with tries:
            cluster.patch("ConfigMap", name, operations)
            return
