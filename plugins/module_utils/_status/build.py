# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""From what was read to the status of a release as data, whose keys other programs read. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from datetime import datetime

from .._availability.claims import availability_of
from .._availability.store import RELEASE
from .._images import version_of
from .._release.failure import is_held
from .._release.models import DONE, FAILED, SETTLED
from .._terminal.commands import Typed
from .commands import next_commands
from .verdict import Body, Verdict, in_order, number_of, title_of, verdict

HELD, NOT_STARTED = "on_hold", "not_started"
NO_TAG = "no tag"


@dataclass(frozen=True)
class Seen:
    """What was read. `lock` is as deploy_lock_info returns it, `sentence` is both of lock and freeze in words.

    `flags` is None when the ConfigMap is not there. `killed` says who set the kill switch, "" for nobody.
    `automatic`: a failed phase or a rollback did, and the next deployment resets it. `switched_off`: the phases of
    whose flags one is off since.
    """

    lock: Body
    sentence: str
    record: Body
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
    """`plan`: the phases, each with `name`, `title` and `minutes`. `ramp` and `guard`: as feature_ramp_info and
    feature_guard_info return them."""

    services: t.Sequence[str]
    plan: t.Sequence[Body] = ()
    ramp: Body = field(default_factory=dict)
    guard: Body = field(default_factory=dict)
    page: str = ""
    typed: Typed = field(default_factory=Typed)


def status_of(seen: Seen, asked: Asked, now: datetime) -> dict[str, t.Any]:
    record, plan = seen.record, asked.plan
    told = verdict(
        record, seen.lock, seen.killed, plan, now, seen.watches, automatic=seen.automatic
    )
    known = dict(in_order(record, plan))
    phases = [_phase(name, known.get(name, {}), plan) for name in names_of(plan, known)]
    return {
        "verdict": told.word,
        "why": told.why,
        "release": str(record.get("version") or ""),
        "attempt": record.get("attempt") or 0,
        "by": str(record.get("actor") or ""),
        "since": str(record.get("started") or ""),
        "finished": str(record.get("finished") or ""),
        "phase": told.phase,
        "watching": told.watching,
        "phases": phases,
        "lock": {"sentence": seen.sentence, **seen.lock},
        "freeze": seen.freeze,
        "services": _services(seen.deployments, asked.services),
        "flags": dict(seen.flags or {}),
        "kill_switch": seen.killed,
        "ramp": _ramp(asked.ramp),
        "guard": _guard(asked.guard, record, asked.ramp),
        "backups": _backups(record),
        "availability": availability_of(seen.availability.get(RELEASE), at=now).to_json(),
        "page": asked.page,
        "next": _next(told, seen, asked),
    }


def _next(told: Verdict, seen: Seen, asked: Asked) -> list[dict[str, str]]:
    phases = seen.record.get("phases") or {}
    evidence = (phases.get(told.phase) or {}).get("evidence") or {}
    settled = [
        name
        for name, one in phases.items()
        if one.get("status") in SETTLED and name not in seen.switched_off
    ]
    left = [one["name"] for one in asked.plan if one["name"] not in settled]
    # Of a release without a phase that is done, the whole.
    left = left if len(left) < len(asked.plan) else []
    found = next_commands(
        told,
        asked.typed,
        left=left,
        decides="decision" in evidence,
        ramp=_ramp(asked.ramp),
    )
    return [{"command": one.command, "why": one.why} for one in found]


def names_of(plan: t.Sequence[Body], known: Body) -> list[str]:
    """All that are planned, then those that only the record has."""
    planned = [one["name"] for one in plan]
    return [*planned, *(name for name in known if name not in planned)]


def _phase(name: str, phase: Body, plan: t.Sequence[Body]) -> dict[str, t.Any]:
    status = str(phase.get("status") or NOT_STARTED)
    held = status == FAILED and is_held(phase.get("evidence"))
    return {
        "name": name,
        "title": title_of(name, plan),
        "number": number_of(name, plan),
        "status": HELD if held else status,
        "started": str(phase.get("started") or ""),
        "finished": str(phase.get("finished") or ""),
    }


def _services(deployments: t.Sequence[Body], names: t.Sequence[str]) -> dict[str, dict[str, t.Any]]:
    known = {one["name"]: one for one in deployments}
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
    return " + ".join(dict.fromkeys(version_of(one) or NO_TAG for one in chosen)) or NO_TAG


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


def _guard(guard: Body, record: Body, ramp: Body) -> dict[str, t.Any]:
    """Empty while there is nothing to guard. Of a ramp without a next step nobody need look."""
    if not guard or record.get("status") != DONE:
        return {}
    silent = guard["silent"] if ramp and ramp["next"] else ""
    if not guard["looks"] and not silent:
        return {}
    return {"sentence": guard["sentence"], "silent": silent, "looks": guard["looks"]}


def _backups(record: Body) -> list[dict[str, t.Any]]:
    kept = record.get("backups") or {}
    names = ("name", "finished", "size", "uri")
    found = [{name: one.get(name) for name in names} for one in kept.values()]
    return sorted(found, key=lambda one: str(one["finished"]))
