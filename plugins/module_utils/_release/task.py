# SPDX-License-Identifier: GPL-3.0-or-later
"""One task of the release module: change the record first, then pin."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass, replace

from .._cluster import Cluster, MonotonicClock
from .._errors import InputError
from .._kubernetes import actor_of, cluster_elsewhere
from .._module import Module
from .._time import utc_now
from .order import read_order
from .plan import RecordChange, diff_face
from .record import Record
from .store import ReleaseStore

Pin = t.Mapping[str, t.Any]
"""The option `pin` of the module release, {} for nothing to pin."""


def read_change(params: t.Mapping[str, t.Any]) -> RecordChange:
    """By the options of the module release."""
    if params["evidence"] and not params["phase"]:
        raise InputError("'evidence' belongs to a phase: set 'phase' too.")
    texts = ("phase", "phase_status", "phase_started", "status")
    bodies = ("evidence", "backups", "facts")
    given: dict[str, t.Any] = {
        **{name: params[name] or "" for name in texts},
        **{name: plain(params[name]) for name in bodies},
    }
    return RecordChange(
        version=params["name"],
        actor=actor_of({"actor": None}),
        now=utc_now(),
        phase_changed=params["phase_changed"],
        fence=params["fence"],
        notes=tuple(params["notes"]),
        order=read_order(params["order"] or {}),
        **given,
    )


@dataclass(frozen=True)
class ReleaseOutcome:
    change: RecordChange
    before: Record | None
    after: Record
    pinned: t.Mapping[str, t.Sequence[str]]

    def to_result(self) -> dict[str, t.Any]:
        after, phase = self.after, self.change.phase
        return {
            "changed": self.before != after or any(self.pinned.values()),
            "at": self.change.now,
            **after.to_result(),
            "phase": after.body["phases"].get(phase, {}),
            "repaired_since": after.repaired_since(phase),
            "pinned": dict(self.pinned),
        }

    def to_diff(self) -> dict[str, t.Any]:
        return {"before": diff_face(self.before), "after": diff_face(self.after)}


def carry_out(
    cluster: Cluster, change: RecordChange, pin: Pin, *, check_mode: bool
) -> ReleaseOutcome:
    """Change the record, and pin."""
    store = ReleaseStore(cluster, change.version, clock=MonotonicClock())
    before, after = store.change(change, check_mode=check_mode)
    if change.fence and change.opens and not check_mode:
        store.leave_epoch(change.fence)
    pinned = take_pins(store, change, pin, after, check_mode=check_mode)
    return ReleaseOutcome(change, before, after, pinned)


def take_pins(
    store: ReleaseStore, change: RecordChange, pin: Pin, record: Record, *, check_mode: bool
) -> dict[str, t.Sequence[str]]:
    """Names of what the task pinned, by kind."""
    wanted = {kind: tuple(pin.get(kind) or ()) for kind in ("deployments", "config_maps")}
    if not any(wanted.values()):
        return {"deployments": [], "config_maps": []}
    naming = RecordChange(change.version, change.actor, change.now, fence=change.fence)
    deployments, config_maps = store.pins.add(
        record.attempt,
        lambda pins: store.change(
            replace(naming, facts={"pins": dict.fromkeys(pins, change.now)}), check_mode=False
        ),
        **wanted,
        digests={image.digest for image in record.facts.images if image.digest},
        fence=change.fence,
        check_mode=check_mode,
    )
    return {"deployments": deployments, "config_maps": config_maps}


def store_of(module: Module) -> ReleaseStore | None:
    """By the options `release` and `kubernetes` of a module whose work is elsewhere. None without a release."""
    if not module.params["release"]:
        return None
    return ReleaseStore(cluster_elsewhere(module), module.params["release"], clock=MonotonicClock())


def change_record(
    store: ReleaseStore, *, check_mode: bool = False, **changes: t.Any
) -> tuple[Record | None, Record]:
    """The record before and after these changes by this machine's user, as `RecordChange` names them."""
    actor = actor_of({"actor": None})
    change = RecordChange(version=store.version, actor=actor, now=utc_now(), **changes)
    return store.change(change, check_mode=check_mode)


def plain(value: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """As it will be read back from JSON, so that a second look compares equal."""
    return t.cast("dict[str, t.Any]", json.loads(json.dumps(dict(value), default=str)))
