# SPDX-License-Identifier: GPL-3.0-or-later
"""The status of a release: what is read for it, and the same as data, whose keys other programs read."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from datetime import datetime

from .._availability.claims import RELEASE, availability_of, facts_of
from .._cluster import Cluster, MonotonicClock
from .._flags.apply import KillSwitch
from .._flags.values import only_flags
from .._gate.store import watches_of
from .._images import version_of
from .._lock.apply import Locking
from .._lock.models import LockClaim
from .._lock.plan import describe
from .._release.models import DONE
from .._release.order import switched_off
from .._release.store import ReleaseStore
from .._rollout.observer import observe_standings
from .._run_process import never_alive
from .._story.plan import UNPLANNED, Plan
from .._story.record import NO_PHASE, ON_HOLD, Phase, Record
from .._terminal.commands import Typed
from .verdict import Body, Verdict, next_commands, verdict

HELD, NOT_STARTED = "on_hold", "not_started"
NO_TAG = "no tag"


@dataclass(frozen=True)
class Seen:
    """What was read. `lock` is what deploy_lock returns, `sentence` has lock and freeze in words.

    `flags` is None when the ConfigMap is not there. `killed` says who set the kill switch, "" for nobody.
    `automatic`: a failed phase or a rollback did, and the next deployment resets it. `switched_off`: the phases of
    whose flags one is off since.
    """

    lock: Body
    sentence: str
    record: Record
    deployments: t.Sequence[Body]
    freeze: str = ""
    flags: t.Mapping[str, str] | None = None
    killed: str = ""
    automatic: bool = False
    switched_off: frozenset[str] = frozenset()
    availability: Body = field(default_factory=dict)
    watches: Body = field(default_factory=dict)


@dataclass(frozen=True)
class Asked:
    """`ramp` and `guard`: as feature_ramp and feature_guard return them with state=read."""

    services: t.Sequence[str]
    plan: Plan = UNPLANNED
    ramp: Body = field(default_factory=dict)
    guard: Body = field(default_factory=dict)
    page: str = ""
    typed: Typed = field(default_factory=Typed)


def status_of(observed: Seen, requested: Asked, now: datetime) -> dict[str, t.Any]:
    record, plan = observed.record, requested.plan
    text = verdict(
        record,
        observed.lock,
        observed.killed,
        plan,
        now,
        observed.watches,
        automatic=observed.automatic,
    )
    planned = plan.names
    known = record.ordered(planned)
    names = [*planned, *(name for name in known if name not in planned)]
    phases = [_phase(name, known.get(name, NO_PHASE), plan) for name in names]
    return {
        "verdict": text.word,
        "why": text.why,
        "release": record.version,
        "attempt": record.attempt,
        "by": record.actor,
        "since": record.started,
        "finished": record.finished,
        "phase": text.phase,
        "watching": text.watching,
        "phases": phases,
        "lock": {"sentence": observed.sentence, **observed.lock},
        "freeze": observed.freeze,
        "services": _services(observed.deployments, requested.services),
        "flags": dict(observed.flags or {}),
        "kill_switch": observed.killed,
        "ramp": _ramp(requested.ramp),
        "guard": _guard(requested.guard, record, requested.ramp),
        "backups": _backups(record),
        "availability": availability_of(observed.availability.get(RELEASE), at=now).to_json(),
        "page": requested.page,
        "next": _next(text, observed, requested),
    }


def _next(text: Verdict, observed: Seen, requested: Asked) -> list[dict[str, str]]:
    settled = [
        name
        for name, phase in observed.record.phases.items()
        if phase.settled and name not in observed.switched_off
    ]
    left = [name for name in requested.plan.names if name not in settled]
    # Of a release without a phase that is done, the whole.
    left = left if len(left) < len(requested.plan) else []
    commands = next_commands(
        text,
        requested.typed,
        left=left,
        decides=observed.record.evidence(text.phase).decides,
        ramp=_ramp(requested.ramp),
        kept_out_by=str(observed.lock["holder"]) if observed.lock.get("manual") else "",
    )
    return [{"command": command.command, "why": command.why} for command in commands]


def _phase(name: str, phase: Phase, plan: Plan) -> dict[str, t.Any]:
    return {
        "name": name,
        "title": plan.phase(name).title,
        "number": plan.number(name),
        "status": HELD if phase.outcome == ON_HOLD else phase.status or NOT_STARTED,
        "started": phase.started,
        "finished": phase.finished,
    }


def _services(deployments: t.Sequence[Body], names: t.Sequence[str]) -> dict[str, dict[str, t.Any]]:
    known = {deployment["name"]: deployment for deployment in deployments}
    return {name: _service(known.get(name)) for name in names}


def _service(deployment: Body | None) -> dict[str, t.Any]:
    if deployment is None:
        return {"exists": False, "version": "", "desired": 0, "available": 0, "complete": False}
    replicas = deployment["replicas"]
    return {
        "exists": True,
        "version": service_version(deployment["name"], deployment["images"]),
        "desired": replicas["desired"],
        "available": replicas["available"],
        "terminating": replicas["terminating"],
        "complete": deployment["complete"],
        "paused": deployment["paused"],
    }


def service_version(name: str, images: t.Mapping[str, str]) -> str:
    """The tag of the container that is called as its Deployment, else those of all its containers."""
    chosen = [images[name]] if name in images else images.values()
    return " + ".join(dict.fromkeys(version_of(entry) or NO_TAG for entry in chosen)) or NO_TAG


def _ramp(ramp: Body) -> dict[str, t.Any]:
    """Empty when nobody looked."""
    if not ramp:
        return {}
    return {
        "percentage": ramp["before"]["percentage"],
        "step": ramp["before"]["step"],
        "steps": ramp["steps"],
        "since": ramp["ramp"]["since"],
        "sentence": ramp["sentence"],
        "next": ramp["next"],
        "notes": ramp["notes"],
    }


def _guard(guard: Body, record: Record, ramp: Body) -> dict[str, t.Any]:
    """Empty while there is nothing to guard. Of a ramp without a next step nobody need look."""
    if not guard or record.status != DONE:
        return {}
    silent = guard["silent"] if ramp and ramp["next"] else ""
    if not guard["looks"] and not silent:
        return {}
    return {"sentence": guard["sentence"], "silent": silent, "looks": guard["looks"]}


def _backups(record: Record) -> list[dict[str, t.Any]]:
    names = ("name", "finished", "size", "uri")
    backups = [{name: getattr(backup, name) for name in names} for backup in record.backups]
    return sorted(backups, key=lambda backup: str(backup["finished"]))


def look(cluster: Cluster, *, lock: str, release: str, config_map: str) -> Seen:
    """While somebody deploys, at the release of the lock; else at `release`. `config_map`: that of the flags."""
    clock = MonotonicClock()
    locking = Locking(cluster, lock, LockClaim(holder=""), clock=clock, alive=never_alive)
    held, freeze = locking.read(), locking.freeze()
    store = ReleaseStore(cluster, held.release or release, clock=clock)
    record = store.read()
    attempt = record.attempt if record else 1
    flags = cluster.read("ConfigMap", config_map) if config_map else None
    switch = KillSwitch.from_config_map(flags)
    return Seen(
        lock=held.to_result(),
        # Begins as a holder is called, who may be called with a small letter.
        sentence=". ".join([describe(held), *([str(freeze)] if freeze else [])]) + ".",
        record=Record.read(record.to_json() if record else None),
        deployments=observe_standings(cluster, None),
        freeze=str(freeze) if freeze else "",
        flags=only_flags(flags.get("data") or {}) if flags is not None else None,
        killed=str(switch) if switch else "",
        automatic=bool(switch and switch.automatic),
        switched_off=switched_off(record, flags),
        availability=facts_of(store, attempt, store.attachments()),
        watches=watches_of(store, attempt) if record else {},
    )
