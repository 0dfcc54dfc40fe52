# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep release records and their attachments in ConfigMaps, one writer at a time."""

from __future__ import annotations

import contextlib
import hashlib
import json
import typing as t
from dataclasses import dataclass, replace

from .._cluster import RELEASE_ANNOTATION, Clock, Cluster, Tries
from .._errors import VerificationError
from .._lock.models import fence_of, leave_epoch, refuse_later
from .history import with_history
from .models import ROLLBACK_PHASE
from .order import below_later, flags_of, override_of, superseded, switched_off
from .pins import (
    ATTACHMENT,
    KEY,
    LIMIT,
    PACKED,
    RECORD,
    RECORDS,
    PinStore,
    pack,
    record_name,
    text_of,
    unpack,
    write_over,
)
from .plan import RecordChange, begins_release, merge, plan_record
from .record import Record


@dataclass(frozen=True)
class StoredRecord:
    """The record in the cluster: None and "" before its first write."""

    record: Record | None = None
    resource_version: str = ""
    fence: int = 0


class ReleaseStore:
    """One release in one namespace."""

    def __init__(self, cluster: Cluster, version: str, *, clock: Clock) -> None:
        self._cluster = cluster
        self._clock = clock
        self.version = version
        self.name = record_name(version)
        self.pins = PinStore(cluster, version, clock=clock)

    def read(self) -> Record | None:
        return self._read().record

    def change(self, change: RecordChange, *, check_mode: bool) -> tuple[Record | None, Record]:
        """The record before and after, compare-and-swap on the resourceVersion.

        Raises LeaseLostError when a later holder of the lock has written it. A write under a later epoch stores that
        epoch even without another change.
        """
        tries = Tries(
            f"The record of release {self.version!r}",
            self._clock,
            why="another deployment of it is running. Find out whose",
        )
        while True:
            stored = self._read()
            before = stored.record
            refuse_later(f"ConfigMap {self.name!r}", stored.fence, change.fence)
            after = plan_record(
                before, self._beside_others(before, self._seeing_flags(before, change))
            )
            if check_mode or (after == before and stored.fence >= change.fence):
                return before, after
            if after != before:
                known = before.body if before else {}
                body = with_history(known, after.body, change.actor, change.now)
                after = replace(after, body=body)
            with tries:
                self._write(after, replace(stored, fence=max(stored.fence, change.fence)))
                return before, after

    def _seeing_flags(self, before: Record | None, change: RecordChange) -> RecordChange:
        """The change, with the phases whose flags were switched off since."""
        order = change.order
        if not (change.opens and order.flags and flags_of(before)):
            return change
        off = switched_off(before, self._cluster.read("ConfigMap", order.flags))
        return replace(change, order=replace(order, switched_off=off))

    def _beside_others(self, before: Record | None, change: RecordChange) -> RecordChange:
        """The change, with its overrides of other releases. Raises PhaseOrderError for a release that is not named.

        A release begins beside no unfinished one, and goes neither on nor back below one that began later.
        """
        order = change.order
        if begins_release(before, change):
            named = superseded(self.version, self._others(), order)
            past = "began while {} was not finished"
        elif change.opens and order.phases and change.phase in (*order.phases, ROLLBACK_PHASE):
            named = below_later(self.version, before, self._others(), order, change.phase)
            past = "went on below {}, which began later"
        else:
            return change
        known = before.overrides if before else {}
        overrides = {}
        for version, waiver in named.items():
            other = override_of(version)
            what = f"release {self.version} {past.format(other)}"
            overrides[other] = waiver.to_override(what, known.get(other), change.now)
        more = {"overrides": overrides} if overrides else {}
        return replace(change, facts=merge(change.facts, more))

    def _others(self) -> t.Iterator[Record]:
        """The other releases' records, without unreadable ones."""
        for body in self._cluster.list_objects("ConfigMap", label_selector=RECORDS):
            version = body["metadata"].get("labels", {}).get(RELEASE_ANNOTATION, "")
            name = body["metadata"]["name"]
            if version and name != self.name and name == record_name(version):
                with contextlib.suppress(VerificationError):
                    yield Record.load(text_of(body), f"ConfigMap {name!r}")

    def leave_epoch(self, fence: int) -> None:
        """On the record and its pins, as far as there are any, so that no earlier holder of the lock writes them."""
        for name in (self.name, self.pins.name):
            leave_epoch(self._cluster, name, fence)

    def _read(self) -> StoredRecord:
        body = self._cluster.read("ConfigMap", self.name)
        if body is None:
            return StoredRecord()
        record = Record.load(text_of(body), f"ConfigMap {self.name!r}")
        return StoredRecord(record, body["metadata"]["resourceVersion"], fence_of(body))

    def _write(self, record: Record, over: StoredRecord) -> None:
        text = json.dumps(record.body, indent=1, sort_keys=True)
        content = text.encode()
        what = f"The record of release {self.version!r}"
        data = {PACKED: pack(content, what)} if len(content) > LIMIT else {KEY: text}
        at, fence = over.resource_version, over.fence
        write_over(self._cluster, self.name, self.version, RECORD, data, at, fence=fence)


class Attachment:
    """A file beside the record, in a ConfigMap of its own. `store` may be replaced by one over another connection.

    `attempt` is the one that it was written in, as far as it was read.
    """

    def __init__(self, store: ReleaseStore, name: str) -> None:
        self.store = store
        self.attempt = 0
        self.version = ""
        self._what = f"The attachment {name!r}"
        self._name = f"{store.name}-{record_name(name).removeprefix('release-')}"

    def read(self) -> bytes | None:
        """None where there is none. Raises VerificationError for what is damaged, which may be written over even so."""
        body = self.store._cluster.read("ConfigMap", self._name)
        self.version = str(body["metadata"]["resourceVersion"]) if body else ""
        if body is None:
            return None
        what = f"ConfigMap {self._name!r}"
        try:
            data = body["data"]
            self.attempt, checksum = int(data["attempt"]), data["sha256"]
            content = unpack(data["content"], what)
        except (KeyError, ValueError, TypeError) as exc:
            raise VerificationError(f"{what} has no valid attachment ({exc}).") from exc
        if hashlib.sha256(content).hexdigest() != checksum:
            raise VerificationError(f"{what} is damaged: its content does not match its sha256.")
        return content

    def write(self, attempt: int, content: bytes) -> None:
        """Over what was read or written last. Raises ConflictError when another writer changed it meanwhile."""
        sha256, store = hashlib.sha256(content).hexdigest(), self.store
        data = {"attempt": str(attempt), "content": pack(content, self._what), "sha256": sha256}
        self.version = write_over(
            store._cluster, self._name, store.version, ATTACHMENT, data, self.version
        )
