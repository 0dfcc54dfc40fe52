# SPDX-License-Identifier: GPL-3.0-or-later
"""One task of the release module: change the record first, then pin, attach and fetch."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass, field, replace
from pathlib import Path

from .._cluster import Cluster, MonotonicClock
from .._errors import InputError
from .._kubernetes import actor_of, cluster_elsewhere
from .._module import Module
from .._time import utc_now
from .models import NO_RECORD
from .order import read_order
from .plan import RecordChange, check_attempt, diff_face
from .record import Record
from .store import ReleaseStore

ASKS = ("phase", "status", "announcements", "backups", "facts", "notes")


@dataclass(frozen=True)
class ReleaseTask:
    """`writes`: the record itself is written, not only pins and attachments. `fences`: only the epoch is written."""

    change: RecordChange
    writes: bool
    fences: bool = False
    pin_deployments: tuple[str, ...] = ()
    pin_config_maps: tuple[str, ...] = ()
    attach: t.Mapping[str, str] = field(default_factory=dict)
    fetch: t.Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_params(cls, params: t.Mapping[str, t.Any]) -> ReleaseTask:
        if params["evidence"] and not params["phase"]:
            raise InputError("'evidence' belongs to a phase: set 'phase' too.")
        hangs = bool(params["pin"] or params["attach"] or params["fetch"])
        return cls(
            change=RecordChange(
                version=params["name"],
                actor=actor_of(params),
                now=utc_now(),
                git_sha=params["git_sha"] or "",
                phase=params["phase"] or "",
                phase_status=params["phase_status"] or "",
                phase_started=params.get("phase_started") or "",
                phase_changed=bool(params.get("phase_changed")),
                fence=params.get("fence") or 0,
                evidence=plain(params["evidence"]),
                status=params["status"] or "",
                announcements=plain(params["announcements"]),
                backups=plain(params["backups"]),
                facts=plain(params["facts"]),
                notes=tuple(params["notes"]),
                order=read_order(params.get("order") or {}),
            ),
            writes=not hangs or any(params[name] for name in ASKS),
            attach={name: str(path) for name, path in params["attach"].items()},
            fetch={name: str(path) for name, path in params["fetch"].items()},
        ).pinning(params["pin"] or {})

    def pinning(self, pin: t.Mapping[str, t.Any]) -> ReleaseTask:
        """The same with these pins, as the option of the module release has them."""
        return replace(
            self,
            pin_deployments=tuple(pin.get("deployments") or ()),
            pin_config_maps=tuple(pin.get("config_maps") or ()),
        )


@dataclass(frozen=True)
class ReleaseOutcome:
    task: ReleaseTask
    before: Record | None
    after: Record | None
    pinned: t.Mapping[str, t.Sequence[str]]
    attached: tuple[str, ...]
    fetched: tuple[str, ...]

    def to_result(self) -> dict[str, t.Any]:
        after = self.after
        phases = after.body["phases"] if after else {}
        changed = self.before != self.after
        return {
            "changed": bool(changed or any(self.pinned.values()) or self.attached or self.fetched),
            "at": self.task.change.now,
            **(after.to_result() if after else NO_RECORD),
            "phase": phases.get(self.task.change.phase, {}),
            "repaired_since": after.repaired_since(self.task.change.phase) if after else "",
            "pinned": dict(self.pinned),
            "attached": list(self.attached),
            "fetched": list(self.fetched),
        }

    def to_diff(self) -> dict[str, t.Any]:
        return {"before": diff_face(self.before), "after": diff_face(self.after)}


def carry_out(cluster: Cluster, task: ReleaseTask, *, check_mode: bool) -> ReleaseOutcome:
    contents = {name: _read_file(name, path) for name, path in task.attach.items()}
    store = ReleaseStore(cluster, task.change.version, clock=MonotonicClock())
    before: Record | None
    after: Record | None
    if task.writes:
        before, after = store.change(task.change, check_mode=check_mode)
    else:
        before = after = store.read()
    epoch = task.change.fence
    if epoch and (task.fences or task.change.opens) and not check_mode:
        store.leave_epoch(epoch)
    return ReleaseOutcome(
        task=task,
        before=before,
        after=after,
        pinned=take_pins(store, task, after, check_mode=check_mode),
        attached=_attach(store, after, contents, check_mode=check_mode),
        fetched=_fetch(store, task.fetch, check_mode=check_mode),
    )


def take_pins(
    store: ReleaseStore, task: ReleaseTask, after: Record | None, *, check_mode: bool
) -> dict[str, t.Sequence[str]]:
    """Names of what the task pinned, by kind. `after`: the record, which pins need."""
    if not (task.pin_deployments or task.pin_config_maps):
        return {"deployments": [], "config_maps": []}
    record = check_attempt(after, task.change.version)
    deployments, config_maps = store.pin(
        record.attempt,
        deployments=task.pin_deployments,
        config_maps=task.pin_config_maps,
        digests=digests_of(record),
        fence=task.change.fence,
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


def digests_of(record: Record) -> set[str]:
    """Digests of the release's images, as far as they were looked up."""
    return {image.digest for image in record.facts.images if image.digest}


def plain(value: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """As it will be read back from JSON, so that a second look compares equal."""
    return t.cast("dict[str, t.Any]", json.loads(json.dumps(dict(value), default=str)))


def _attach(
    store: ReleaseStore, record: Record | None, contents: t.Mapping[str, bytes], *, check_mode: bool
) -> tuple[str, ...]:
    if not contents:
        return ()
    attempt = check_attempt(record, store.version).attempt
    return tuple(
        name
        for name, content in contents.items()
        if store.attach(attempt, name, content, check_mode=check_mode)
    )


def _fetch(
    store: ReleaseStore, wanted: t.Mapping[str, str], *, check_mode: bool
) -> tuple[str, ...]:
    fetched = []
    for name, path in wanted.items():
        content, target = store.fetch(name), Path(path)
        if target.is_file() and target.read_bytes() == content:
            continue
        if not target.parent.is_dir():
            raise InputError(
                f"The attachment {name!r} cannot be written to {path!r}: its folder does not exist."
            )
        if not check_mode:
            target.write_bytes(content)
        fetched.append(path)
    return tuple(fetched)


def _read_file(name: str, path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as exc:
        raise InputError(
            f"The file {path!r} to attach as {name!r} cannot be read: {exc.strerror}."
        ) from exc
