# SPDX-License-Identifier: GPL-3.0-or-later
"""The status of a release: what is read for it, and the same as data, whose keys other programs read.

As lines for people it says the verdict first and the next command last, in no more than one screen. What changed
between two looks at it, and the state of each part after a failure. What could not be read is not known.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo

from .._availability.claims import RELEASE, availability_of, in_short
from .._availability.plan import as_json
from .._claims.claims import latest_cause, rollback_claims
from .._cluster import Clock, Cluster
from .._errors import UnreachableError
from .._flags.apply import KillSwitch
from .._flags.values import only_flags
from .._formats import (
    MISSING,
    MOST_NAMES,
    counted,
    lasting,
    listed,
    shortened,
    shown,
    size,
    versions_told,
)
from .._images import version_of
from .._lock.models import UNDO
from .._lock.plan import describe
from .._release.history import why_untrue
from .._release.models import DONE, ROLLBACK_PHASE, ROLLED_BACK, SETTLED, TAKEN_BACK
from .._release.order import switched_off
from .._release.record import ON_HOLD, Phase, Record, between
from .._story import next_step
from .._story.plan import UNPLANNED, Plan
from .._story.view import ReleaseView
from .._terminal.commands import Typed
from .._terminal.models import other_causes
from .._time import UTC, parse_time
from .._window import closed_sentence, outlook, read_window

HELD, NOT_STARTED = "on_hold", "not_started"
NO_TAG, NO_TIME = "no tag", "an unknown time"


@dataclass(frozen=True)
class Observed:
    """What was read. `sentence` has lock and freeze in words. `flags` is None when the ConfigMap is not there."""

    story: next_step.Story
    sentence: str
    deployments: t.Sequence[next_step.Body]
    flags: t.Mapping[str, str] | None = None
    availability: next_step.Body = field(default_factory=dict)


@dataclass(frozen=True)
class StatusOptions:
    """By the names of the module's options."""

    services: t.Sequence[str]
    plan: Plan = UNPLANNED
    ramp: next_step.Body = field(default_factory=dict)
    launch_window: next_step.Body = field(default_factory=dict)
    changing: t.Sequence[str] = ()
    page_url: str = ""
    typed: Typed = field(default_factory=Typed)


def status_of(observed: Observed, requested: StatusOptions, now: datetime) -> dict[str, t.Any]:
    story = story_of(observed.story, requested, now)
    record, plan, state = story.record, story.plan, next_step.state_of(story)
    # A deployment of what went back ends what was seen of it.
    back = any(phase.taken_back for phase in record.phases.values())
    verified = record.facts.rollback_verified if back else ()
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
        "phases": [_phase_row(name, record.phase(name), plan) for name in names],
        "lock": {"sentence": observed.sentence, **story.lock},
        "freeze": story.freeze,
        "services": {name: service_of(known.get(name)) for name in requested.services},
        "flags": dict(observed.flags or {}),
        "kill_switch": story.killed,
        "ramp": _ramp_now(requested.ramp),
        "guard": _guard(requested.ramp, record),
        "backups": [
            {name: getattr(backup, name) for name in ("name", "finished", "size", "uri")}
            for backup in sorted(record.backups, key=lambda backup: backup.finished)
        ],
        "availability": as_json(availability_of(observed.availability.get(RELEASE), at=now)),
        "verified": rollback_claims(verified)["verified"].words if verified else "",
        "page": requested.page_url,
        "problem": why_untrue(record.body),
        "next": [*_commands(next_step.steps(story), requested.typed)],
    }


def story_of(story: next_step.Story, requested: StatusOptions, now: datetime) -> next_step.Story:
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


def _commands(next_steps: t.Iterable[next_step.Step], typed: Typed) -> t.Iterator[dict[str, str]]:
    """A person's step has no command, and one that asks for nothing has no row."""
    for step in next_steps:
        if isinstance(step, next_step.PlaybookRun):
            yield {"command": typed.line(step.playbook, *step.words), "why": step.reason}
        elif step.who:
            yield {"command": "", "why": next_step.worded(step)}


def _phase_row(name: str, phase: Phase, plan: Plan) -> dict[str, t.Any]:
    return {
        "name": name,
        "title": plan.phase(name).title,
        "number": plan.number(name),
        "status": HELD if phase.outcome == ON_HOLD else phase.status or NOT_STARTED,
        "started": phase.started,
        "finished": phase.finished,
    }


def service_of(deployment: next_step.Body | None, *, only_newest: bool = False) -> dict[str, t.Any]:
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


def _ramp_now(ramp: next_step.Body) -> dict[str, t.Any]:
    """Empty without a look."""
    if not ramp:
        return {}
    before = {name: ramp["before"][name] for name in ("percentage", "step")}
    same = {name: ramp[name] for name in ("steps", "sentence", "next", "notes")}
    return {**before, **same, "since": ramp["ramp"]["since"]}


def _guard(ramp: next_step.Body, record: Record) -> dict[str, t.Any]:
    """Empty while there is nothing to guard. A ramp without a next step needs no guard."""
    guard: next_step.Body = ramp.get("guard") or {}
    if not guard or record.status != DONE:
        return {}
    silent = guard["silent"] if ramp["next"] else ""
    if not guard["looks"] and not silent:
        return {}
    return {"sentence": guard["sentence"], "silent": silent, "looks": guard["looks"]}


def look(cluster: Cluster, *, release: str, config_map: str) -> Observed:
    """While somebody deploys, at the release of the lock; else at `release`. `config_map`: that of the flags."""
    view = ReleaseView(cluster, release, at_work=True)
    record, flags = view.record, view.config_map(config_map)
    switch = KillSwitch.from_config_map(flags)
    story = next_step.Story(
        record=record or Record(),
        lock=view.lock.to_result(),
        freeze=view.freeze,
        killed=str(switch) if switch else "",
        automatic=bool(switch and switch.automatic),
        switched_off=switched_off(record, flags),
        watches=view.watches,
    )
    return Observed(
        story,
        # Begins as a holder is called, who may be called with a small letter.
        sentence=". ".join(filter(None, [describe(view.lock), view.freeze])) + ".",
        deployments=view.deployments,
        flags=only_flags(flags.get("data") or {}) if flags is not None else None,
        availability=view.availability,
    )


# --- in a sentence ----------------------------------------------------------------------------------------------------


def whole(sentence: str) -> str:
    """As one that stands alone."""
    end = "" if sentence.endswith((".", "!", "?", "…")) else "."
    return f"{sentence[:1].upper()}{sentence[1:]}{end}"


def why_in(story: next_step.Story, state: next_step.ReleaseState, zone: tzinfo = UTC) -> str:
    """The sentence behind the word of the state, with times in that zone."""
    record, now = story.record, story.now
    version, phase = f"release {record.version}", record.phase(state.phase)
    if state.watching:
        held = next_step.watch_of(story.watches, phase, state.phase).get("held_why") or ()
        reasons = "; ".join(map(str, held)) or "no reason is recorded"
        return f"{_in_progress(story, state.phase)}, still watching: {reasons}"
    half_done = {
        ROLLBACK_PHASE: ("the rollback", record.facts.rollback_asked.at),
        next_step.RESTORE: ("the restore of its databases", record.facts.restore_asked.at),
    }
    place, began = half_done.get(state.phase) or (story.plan.place(state.phase), phase.started)
    where = f"{version} in {place} since {shown(began or NO_TIME, zone, now)}"
    ended = shown(record.finished or NO_TIME, zone, now)
    back = f"{version} at {ended}. Cause: {latest_cause(record).sentence(zone)}"
    open_end = "the deploy lock is free" if story.lock else "no end is recorded"
    still = f". {story.killed}" if story.killed else ""
    signed = f"{version} has sign-offs, and no phase has begun"
    left = [story.plan.phase(name).title for name in story.left]
    rest = f"{', '.join(left)} {'is' if len(left) == 1 else 'are'} left"
    if not left:
        rest = "all phases are done, and its end is not recorded"
    causes = phase.evidence.causes
    others = other_causes(
        causes[0].told if causes else "", ((of.name, of.sentence) for of in causes)
    )
    also = f" (also: {listed(others, 2, '; ')})" if others else ""
    stopped = f"{where}: {causes[0].told}{also}" if causes else where
    return {
        next_step.IN_PROGRESS: _in_progress(story, state.phase),
        next_step.BACK: f"{back}{still}",
        next_step.KILLED: story.killed,
        next_step.INTERRUPTED: f"{where}; {open_end}",
        next_step.ON_HOLD: stopped,
        next_step.STOPPED: stopped,
        next_step.NONE: signed if record.exists else "no release is recorded",
        next_step.FINE: f"{version} is done since {ended}",
        next_step.UNFINISHED: f"{version}: {rest}",
    }[state.word]


def _in_progress(story: next_step.Story, name: str) -> str:
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
        lapsed = [f"but its lock lapsed at {shown(until, None, now)}: the run may have died"]
    return ", ".join([*where, f"by {lock.get('holder')}", *lapsed])


# --- in lines ---------------------------------------------------------------------------------------------------------

Status = t.Mapping[str, t.Any]
LIMIT = 25
WHY = 200
"""Characters; whatever is said after them is advice, and the next commands stand below."""


def lines_of(status: Status, now: datetime) -> list[str]:
    rows = [
        *_release(status, now),
        *_phases(status),
        *_flags(status),
        *_ramp(status),
        *_services(status["services"]),
        *_measured(status, now),
        *_next(status),
    ]
    sentences = [f"  {label:<9} {text}" for label, text in rows]
    return [f"{status['verdict']}: {shortened(status['why'], WHY)}", *sentences][:LIMIT]


Rows = t.Iterator[tuple[str, str]]


def _release(status: Status, now: datetime) -> Rows:
    if status["release"] and status["since"]:
        ended = f", ended {shown(status['finished'], None, now)}" if status["finished"] else ""
        begun = f"begun {shown(status['since'], None, now)}{ended}"
        yield (
            "release",
            f"{status['release']}, attempt {status['attempt']} by {status['by']}, {begun}",
        )
    if status["problem"]:
        yield "record", status["problem"]
    if status["lock"]["held"] or status["freeze"]:
        yield "lock", status["lock"]["sentence"]


def _phases(status: Status) -> Rows:
    """How many are done, and each that is something else."""
    planned = [phase for phase in status["phases"] if phase["number"]]
    done = [entry for entry in planned if entry["status"] in SETTLED]
    odd = [
        f"{phase['title']} {phase['status'].replace('_', ' ')}"
        for phase in status["phases"]
        if phase["status"] not in ("done", NOT_STARTED)
    ]
    if done or odd:
        yield "phases", " · ".join([f"{len(done)} of {len(planned)} done", *odd])


def _flags(status: Status) -> Rows:
    """Switches are counted, those that are off named; whatever is no switch is told with its value."""
    flags: t.Mapping[str, str] = status["flags"]
    if not flags:
        return
    on = [name for name, value in flags.items() if value.lower() == "true"]
    off = [name for name, value in flags.items() if value.lower() == "false"]
    values = [f"{name}={flags[name]}" for name in flags if name not in (*on, *off)]
    sentences = [f"{len(on)} on" if on else "all off"]
    sentences += [f"off: {' '.join(off)}"] if off and on else []
    yield "flags", " · ".join([*values, *sentences])
    if status["kill_switch"] and status["kill_switch"] not in status["why"]:
        yield "", shortened(status["kill_switch"], WHY)


def _ramp(status: Status) -> Rows:
    ramp, guard = status["ramp"], status["guard"]
    if ramp:
        at = "no percentage" if ramp["percentage"] is None else f"{ramp['percentage']} %"
        step = f", step {ramp['step']} of {ramp['steps']}" if ramp["step"] else ""
        yield "ramp", f"{at}{step}"
    if guard:
        sentence = f"SILENT: {guard['silent']}" if guard["silent"] else guard["sentence"]
        yield "guard", shortened(sentence, WHY)


def _services(services: Status) -> Rows:
    there = {name: service for name, service in services.items() if service["exists"]}
    versions = dict.fromkeys(services, MISSING) | {n: s["version"] for n, s in there.items()}
    yield from (("versions", text) for text in versions_told(versions))
    desired = sum(entry["desired"] for entry in there.values())
    available = sum(min(entry["available"], entry["desired"]) for entry in there.values())
    odd = [
        f"{name} {entry['available']}/{entry['desired']}{_unsettled(entry)}"
        for name, entry in there.items()
        if entry["available"] < entry["desired"] or entry["paused"] or not entry["complete"]
    ]
    if there:
        named = f" · {listed(odd, MOST_NAMES)}" if odd else ""
        yield "pods", f"{available}/{desired} available{named}"


def _unsettled(service: Status) -> str:
    """The word behind its pods where they do not say it."""
    if service["paused"]:
        return " paused"
    return " not complete" if service["available"] >= service["desired"] else ""


def is_whole(service: Status | None) -> bool:
    return bool(service and service["complete"] and service["available"] >= service["desired"])


def pods_of(name: str, service: Status) -> str:
    return f"{name} {service['version']} {service['available']}/{service['desired']}"


def rolling(services: Status) -> str:
    """How many services are complete and which are not, "" where all are."""
    named = [
        pods_of(name, service)
        for name, service in services.items()
        if service["exists"] and not is_whole(service)
    ]
    whole = sum(map(is_whole, services.values()))
    complete = f"{whole} of {counted(len(services), 'service')} complete"
    return f"{complete} · rolling: {listed(named, MOST_NAMES)}" if named else ""


def _measured(status: Status, now: datetime) -> Rows:
    backups, probes = status["backups"], status["availability"]
    if backups:
        text = ", ".join(f"{backup['name']} {size(backup['size'])}" for backup in backups)
        yield "backups", f"{text}, {shown(backups[-1]['finished'] or NO_TIME, None, now)}"
    if text := in_short(probes):
        yield "probes", text
    elif probes["reason"]:
        yield "probes", f"not measured: {probes['reason']}"
    if status["verified"]:
        yield "back", f"verified {status['verified']}"
    if status["page"]:
        yield "page", status["page"]


def _next(status: Status) -> Rows:
    for number, command in enumerate(status["next"]):
        text = ":  ".join(filter(None, (command["why"], command["command"])))
        yield "or" if number else "next", text


def standing(
    sight: next_step.Body, config_map: str, parts: t.Mapping[str, str], settlement: next_step.Body
) -> dict[str, t.Any]:
    """`sight`: what release_info, and of the deployments rollout return. `parts`: by phase, what it brings.

    Returns `undone`, a sentence, "" without a decision about that, and `now`, a list of lines.
    """
    record = Record.read(sight.get("record"))
    return {
        "undone": _undone(settlement, sight.get("deployments") or ()),
        "now": [
            *_rollouts(sight.get("deployments")),
            *(f"{part} {_part(record, phase)}" for phase, part in parts.items()),
            *([f"flags {_flags_now(sight, config_map)}"] if config_map else []),
        ],
    }


def next_words(
    record: Record, plan: Plan, stop: next_step.Stop, switched_off: t.Iterable[str]
) -> str:
    """What helps after a phase has failed, "" where there is no record. `switched_off`: phases to begin with."""
    if not record.exists:
        return ""
    story = next_step.Story(
        record=record, plan=plan, switched_off=frozenset(switched_off), stop=stop
    )
    texts: dict[str, str] = {}
    for step in next_step.steps(story):
        texts.setdefault(next_step.command_of(step), next_step.worded(step))
    return "; or ".join(texts.values())


def _undone(settlement: next_step.Body, deployments: t.Sequence[next_step.Body]) -> str:
    if not settlement:
        return ""
    undone: next_step.Body = settlement.get("undone") or {}
    back = [name for name, how in undone.items() if how != "rollback_failed"]
    stuck = [name for name in undone if name not in back]
    stuck += [name for name in settlement.get("not_undone") or () if name not in stuck]
    pods = {deployment["name"]: deployment["replicas"] for deployment in deployments}
    serving = [
        name
        for name in stuck
        if name in pods and 0 < pods[name]["desired"] <= pods[name]["available"]
    ]
    stuck = [name for name in stuck if name not in serving]
    parts = (
        (back, "went back"),
        (serving, "serves with all pods, but is not back whole: check it now"),
        (stuck, "did not come back: check it now"),
        (settlement.get("paused"), "runs the release, and was not undone"),
    )
    return "; ".join(f"{', '.join(names)} {what}" for names, what in parts if names) or "nothing"


def _rollouts(deployments: t.Sequence[next_step.Body] | None) -> list[str]:
    if deployments is None:
        return ["services not known"]
    services = {deployment["name"]: service_of(deployment) for deployment in deployments}
    return [" · ".join(text for _label, text in _services(services))] if services else []


def _part(record: Record, name: str) -> str:
    """The record is written before the platform is: a phase that it has not got has not begun."""
    phase = record.phase(name)
    if not record.exists:
        return "not known"
    if not phase.status:
        return "not touched"
    if phase.status == ROLLED_BACK:
        return "rolled back"
    if phase.only_rehearsed:
        return "not touched, the rehearsal failed"
    if not phase.done:
        return f"not known for sure, phase {name} is {phase.status.replace('_', ' ')}"
    migrations, functions = phase.evidence.migrations, phase.evidence.functions
    if migrations:
        applied = sum(len(migration.applied) for migration in migrations)
        return f"migrated, {applied} applied" if applied else "migrated, nothing was pending"
    changed = functions and functions.activated
    return "of the release" if changed else "of the release, nothing was to change"


def _flags_now(info: next_step.Body, config_map: str) -> str:
    flags: next_step.Body = info.get("flags") or {}
    if switch := flags.get("kill_switch"):
        return f"held off by the kill switch, set by {switch.get('by')}"
    if not isinstance(info.get("record"), dict):
        return "not known"
    # They are pinned before a release may change them.
    pinned = ((info.get("pins") or {}).get("config_maps") or {}).get(config_map) or {}
    before, now = only_flags(pinned.get("data") or {}), flags.get("values") or {}
    if not pinned:
        return "not touched by the release"
    moved = sorted(name for name in {*now, *before} if now.get(name) != before.get(name))
    return f"{len(moved)} set by the release" if moved else "as before the release"


News = tuple[str, str, str]
"""An event, its sentence, and the status of the phase or service it is about."""

CHANGED, FAR = "StatusChanged", "StatusProgress"
"""Of a thing that happened, and of a count that goes up, of which the newest is enough."""
EVERY = 60.0
"""Seconds after which a phase in which nothing changes is told of again."""
BLIND = 300.0
"""Seconds without sight of the cluster after which following ends."""


def changes(before: Status | None, after: Status) -> t.Iterator[News]:
    """What is new in `after` since `before`; None: everything is."""
    known = {phase["name"]: phase["status"] for phase in before["phases"]} if before else {}
    for phase in after["phases"]:
        changed = known.get(phase["name"], NOT_STARTED) != phase["status"]
        # With the first look, what is complete is no news.
        if changed and (before or phase["status"] not in SETTLED):
            yield CHANGED, _phase(phase, after), phase["status"]
    if after["watching"] and not (before and before["watching"]):
        yield CHANGED, f"{after['verdict'].lower()}: {after['why']}", HELD
    for name, service in after["services"].items():
        if before and is_whole(service) and not is_whole(before["services"].get(name)):
            yield CHANGED, pods_of(name, service), "done"
    waiting = rolling(after["services"])
    if waiting and (before is None or rolling(before["services"]) != waiting):
        yield FAR, waiting, ""


def _phase(phase: Status, status: Status) -> str:
    whole = sum(1 for entry in status["phases"] if entry["number"])
    place = f" ({phase['number']} of {whole})" if phase["number"] else ""
    took = between(phase["started"], phase["finished"])
    # What took a phase back is another run than the one that began it.
    text = took is not None and phase["status"] not in TAKEN_BACK
    after = f" after {lasting(took)}" if text else ""
    return f"{phase['title']}{place} {phase['status'].replace('_', ' ')}{after}"


BEGINS = 1800.0
"""Seconds that it waits for a release to begin: people look before the one who deploys is ready."""


def follow(
    look: t.Callable[[], Observed],
    build: t.Callable[[Observed, datetime], dict[str, t.Any]],
    show: t.Callable[[str, str, dict[str, t.Any]], None],
    clock: Clock,
    *,
    interval: float,
    today: t.Callable[[], datetime],
) -> dict[str, t.Any]:
    """The status in which no run works on the release any more, once one has begun.

    Raises UnreachableError when it lost sight of it.
    """
    before: dict[str, t.Any] | None = None
    began = alive = spoke = clock.now()
    renewed, blind = "", 0.0
    while True:
        now = clock.now()
        try:
            observed = look()
        except UnreachableError as exc:
            if not blind:
                blind = now
                text = f"cannot see the cluster, and goes on trying: {exc}"
                show(CHANGED, text, {"status": "unseen"})
            if now - blind > BLIND:
                raise
            clock.sleep(interval)
            continue
        if blind:
            blind = 0.0
            show(CHANGED, "sees the cluster again", {})
        lock = observed.story.lock
        if lock.get("renewed", "") != renewed:
            renewed, alive = lock.get("renewed", ""), now
        # Whether its run gives no sign of life goes by our own clock alone: those of two machines differ.
        lasts = between(renewed, lock.get("until"))
        if lasts is not None and now - alive > lasts and not lock.get("manual"):
            lock = {**lock, "held": False}
        status = build(replace(observed, story=replace(observed.story, lock=lock)), today())
        waits = status["verdict"] == next_step.NONE and now - began < BEGINS
        if not waits and status["verdict"] != next_step.IN_PROGRESS and not status["watching"]:
            return status
        if waits and before is None:
            news = [(CHANGED, f"{status['why']}: waits for it to begin", "none")]
        else:
            news = [*changes(before, status)]
        if not news and now - spoke >= EVERY:
            news = [(FAR, status["why"], "")]
        for event, text, state in news:
            spoke = now
            show(event, text, {"phase": status["phase"], "status": state})
        before = status
        clock.sleep(interval)
