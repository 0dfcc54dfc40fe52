# SPDX-License-Identifier: GPL-3.0-or-later
"""The status of a release: what is read for it, and the same as data, whose keys other programs read."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo

from .._availability.claims import RELEASE, availability_of, facts_of
from .._availability.plan import as_json
from .._claims.claims import latest_cause
from .._cluster import Cluster, MonotonicClock
from .._flags.apply import KillSwitch
from .._flags.values import only_flags
from .._formats import lasting
from .._gate.store import watches_of
from .._images import version_of
from .._lock.apply import LEASE, Locking
from .._lock.models import UNDO, LockClaim
from .._lock.plan import describe
from .._release.models import DONE, ROLLBACK_PHASE
from .._release.order import switched_off
from .._release.record import ON_HOLD, Phase, Record
from .._release.store import ReleaseStore
from .._rollout.observer import observe_standings
from .._run_process import never_alive
from .._story import next_step as states
from .._story.next_step import (
    Body,
    PlaybookRun,
    ReleaseState,
    Step,
    Story,
    state_of,
    steps,
    watch_of,
    worded,
)
from .._story.plan import UNPLANNED, Plan
from .._terminal.commands import Typed
from .._time import UTC, parse_time
from .._window import closed_sentence, outlook, read_window

HELD, NOT_STARTED = "on_hold", "not_started"
NO_TAG = "no tag"


@dataclass(frozen=True)
class Observed:
    """What was read. `sentence` has lock and freeze in words. `flags` is None when the ConfigMap is not there."""

    story: Story
    sentence: str
    deployments: t.Sequence[Body]
    flags: t.Mapping[str, str] | None = None
    availability: Body = field(default_factory=dict)


@dataclass(frozen=True)
class StatusOptions:
    """By the names of the module's options."""

    services: t.Sequence[str]
    plan: Plan = UNPLANNED
    ramp: Body = field(default_factory=dict)
    launch_window: Body = field(default_factory=dict)
    changing: t.Sequence[str] = ()
    page_url: str = ""
    typed: Typed = field(default_factory=Typed)


def status_of(observed: Observed, requested: StatusOptions, now: datetime) -> dict[str, t.Any]:
    story = story_of(observed.story, requested, now)
    record, plan, state = story.record, story.plan, state_of(story)
    names = dict.fromkeys([*plan.names, *record.ordered(plan.names)])
    known = {deployment["name"]: deployment for deployment in observed.deployments}
    return {
        "verdict": state.word,
        "why": why_in(story, state),
        "release": record.version,
        "attempt": record.attempt,
        "by": record.actor,
        "since": record.started,
        "finished": record.finished,
        "phase": state.phase,
        "watching": state.watching,
        "phases": [_phase(name, record.phase(name), plan) for name in names],
        "lock": {"sentence": observed.sentence, **story.lock},
        "freeze": story.freeze,
        "services": {name: service_of(known.get(name)) for name in requested.services},
        "flags": dict(observed.flags or {}),
        "kill_switch": story.killed,
        "ramp": _ramp(requested.ramp),
        "guard": _guard(requested.ramp, record),
        "backups": [
            {name: getattr(backup, name) for name in ("name", "finished", "size", "uri")}
            for backup in sorted(record.backups, key=lambda backup: backup.finished)
        ],
        "availability": as_json(availability_of(observed.availability.get(RELEASE), at=now)),
        "page": requested.page_url,
        "next": [*_commands(steps(story), requested.typed)],
    }


def story_of(story: Story, requested: StatusOptions, now: datetime) -> Story:
    closed = ""
    if requested.launch_window:
        hours = read_window(requested.launch_window)
        current = outlook(hours, now)
        closed = "" if current.open else closed_sentence(hours, current)
    return replace(
        story,
        plan=requested.plan,
        ramp=requested.ramp,
        closed=closed,
        changing=frozenset(requested.changing),
        now=now,
    )


def _commands(next_steps: t.Iterable[Step], typed: Typed) -> t.Iterator[dict[str, str]]:
    """A person's step has no command, and one that asks for nothing has no row."""
    for step in next_steps:
        if isinstance(step, PlaybookRun):
            yield {"command": typed.line(step.playbook, *step.words), "why": step.reason}
        elif step.who:
            yield {"command": "", "why": worded(step)}


def _phase(name: str, phase: Phase, plan: Plan) -> dict[str, t.Any]:
    return {
        "name": name,
        "title": plan.phase(name).title,
        "number": plan.number(name),
        "status": HELD if phase.outcome == ON_HOLD else phase.status or NOT_STARTED,
        "started": phase.started,
        "finished": phase.finished,
    }


def service_of(deployment: Body | None, *, only_newest: bool = False) -> dict[str, t.Any]:
    """From what rollout reads of it. `only_newest`: of its pods only those of the newest version count."""
    if deployment is None:
        return {"exists": False, "version": "", "desired": 0, "available": 0, "complete": False}
    counts = deployment["replicas"]
    return {
        "exists": True,
        "version": service_version(deployment["name"], deployment["images"]),
        "desired": counts["desired"],
        "available": min(counts["available"], counts["updated" if only_newest else "available"]),
        **{name: deployment[name] for name in ("complete", "paused")},
    }


def service_version(name: str, images: t.Mapping[str, str]) -> str:
    """The tag of the container that is called as its Deployment, else those of all its containers."""
    chosen = [images[name]] if name in images else images.values()
    return " + ".join(dict.fromkeys(version_of(entry) or NO_TAG for entry in chosen)) or NO_TAG


def _ramp(ramp: Body) -> dict[str, t.Any]:
    """Empty without a look."""
    if not ramp:
        return {}
    before = {name: ramp["before"][name] for name in ("percentage", "step")}
    same = {name: ramp[name] for name in ("steps", "sentence", "next", "notes")}
    return {**before, **same, "since": ramp["ramp"]["since"]}


def _guard(ramp: Body, record: Record) -> dict[str, t.Any]:
    """Empty while there is nothing to guard. A ramp without a next step needs no guard."""
    guard: Body = ramp.get("guard") or {}
    if not guard or record.status != DONE:
        return {}
    silent = guard["silent"] if ramp["next"] else ""
    if not guard["looks"] and not silent:
        return {}
    return {"sentence": guard["sentence"], "silent": silent, "looks": guard["looks"]}


def look(cluster: Cluster, *, release: str, config_map: str) -> Observed:
    """While somebody deploys, at the release of the lock; else at `release`. `config_map`: that of the flags."""
    clock = MonotonicClock()
    locking = Locking(cluster, LEASE, LockClaim(holder=""), clock=clock, alive=never_alive)
    held, freeze = locking.read(), locking.freeze()
    store = ReleaseStore(cluster, held.release or release, clock=clock)
    record = store.read()
    attempt = record.attempt if record else 1
    flags = cluster.read("ConfigMap", config_map) if config_map else None
    switch = KillSwitch.from_config_map(flags)
    story = Story(
        record=record or Record(),
        lock=held.to_result(),
        freeze=str(freeze) if freeze else "",
        killed=str(switch) if switch else "",
        automatic=bool(switch and switch.automatic),
        switched_off=switched_off(record, flags),
        watches=watches_of(store, attempt) if record else {},
    )
    return Observed(
        story,
        # Begins as a holder is called, who may be called with a small letter.
        sentence=". ".join([describe(held), *([story.freeze] if freeze else [])]) + ".",
        deployments=observe_standings(cluster, None),
        flags=only_flags(flags.get("data") or {}) if flags is not None else None,
        availability=facts_of(store, attempt, store.attachments()),
    )


# --- in a sentence ----------------------------------------------------------------------------------------------------


def whole(sentence: str) -> str:
    """As one that stands alone."""
    end = "" if sentence.endswith((".", "!", "?", "…")) else "."
    return f"{sentence[:1].upper()}{sentence[1:]}{end}"


def why_in(story: Story, state: ReleaseState, zone: tzinfo = UTC) -> str:
    """The sentence behind the word of the state, with times in that zone."""
    record, now = story.record, story.now
    version, phase = f"release {record.version}", record.phase(state.phase)
    if state.watching:
        held = watch_of(story.watches, phase, state.phase).get("held_why") or ()
        reasons = "; ".join(map(str, held)) or "no reason is recorded"
        return f"{_in_progress(story, state.phase)}, still watching: {reasons}"
    half_done = {
        ROLLBACK_PHASE: ("the rollback", record.facts.rollback_asked.at),
        states.RESTORE: ("the restore of its databases", record.facts.restore_asked.at),
    }
    place, began = half_done.get(state.phase) or (story.plan.place(state.phase), phase.started)
    where = f"{version} in {place} since {shown(began, now, zone)}"
    ended = shown(record.finished, now, zone)
    back = f"{version} at {ended}. Cause: {latest_cause(record).sentence(zone)}"
    open_end = "the deploy lock is free" if story.lock else "no end is recorded"
    still = f". {story.killed}" if story.killed else ""
    signed = f"{version} has sign-offs, and no phase has begun"
    left = [story.plan.phase(name).title for name in story.left]
    rest = f"{', '.join(left)} {'is' if len(left) == 1 else 'are'} left"
    if not left:
        rest = "all phases are done, and its end is not recorded"
    causes = [failure.sentence for failure in phase.evidence.failures]
    more = f" (and {len(causes) - 1} more)" if len(causes) > 1 else ""
    stopped = f"{where}: {causes[0]}{more}" if causes else where
    return {
        states.IN_PROGRESS: _in_progress(story, state.phase),
        states.BACK: f"{back}{still}",
        states.KILLED: story.killed,
        states.INTERRUPTED: f"{where}; {open_end}",
        states.ON_HOLD: stopped,
        states.STOPPED: stopped,
        states.NONE: signed if record.exists else "no release is recorded",
        states.FINE: f"{version} is done since {ended}",
        states.UNFINISHED: f"{version}: {rest}",
    }[state.word]


def _in_progress(story: Story, name: str) -> str:
    """The deployer and the progress."""
    lock, plan, now = story.lock, story.plan, story.now or datetime.now(UTC)
    began = story.record.phase(name).begun
    where = [plan.place(name) if name else "between two phases"]
    if name and began:
        seconds = plan.phase(name).seconds
        planned = f" of {lasting(seconds)}" if seconds else ""
        spent = lasting(max(0, round((now - began).total_seconds())))
        where = [f"{plan.place(name)} for {spent}{planned}"]
    if lock.get("purpose") == UNDO:
        where = ["rolling back"]
    until = parse_time(lock.get("until"))
    lapsed = []
    if until and until < now:
        lapsed = [f"but its lock lapsed at {shown(until, now)}: the run may have died"]
    return ", ".join([*where, f"by {lock.get('holder')}", *lapsed])


def shown(moment: t.Any, now: datetime | None, zone: tzinfo = UTC) -> str:
    """A time for people: without its date when that is today's. What is no time, as it is."""
    result = parse_time(moment)
    if result is None:
        return str(moment or "an unknown time")
    today = now and result.date() == now.date()
    return f"{result.astimezone(zone):{'%H:%M:%S %Z' if today else '%Y-%m-%d %H:%M %Z'}}"
