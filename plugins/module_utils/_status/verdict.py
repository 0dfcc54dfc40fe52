# SPDX-License-Identifier: GPL-3.0-or-later
"""How a release stands now, in a word and a sentence, and the commands that help from there. Pure."""

from __future__ import annotations

import typing as t
from datetime import datetime

from .._formats import lasting
from .._lock.plan import FORCE
from .._release.models import DONE, PLANNED, ROLLBACK_PHASE, ROLLED_BACK
from .._story.plan import Plan
from .._story.record import Phase, Record
from .._terminal.commands import Typed
from .._time import parse_time

Body = t.Mapping[str, t.Any]

KILLED, IN_PROGRESS, NONE, INTERRUPTED, ON_HOLD, STOPPED, BACK, FINE, UNFINISHED = (
    "KILLED",
    "RUNNING",
    "NO RELEASE",
    "INTERRUPTED",
    "ON HOLD",
    "FAILED",
    "ROLLED BACK",
    "FINE",
    "NOT FINISHED",
)
UNDO = "undo"
"""The purpose of a lock that a rollback holds."""


class Verdict(t.NamedTuple):
    """`phase` is the one that runs, waits, failed or was cut off, "" for none. `watching`: a run holds and looks on."""

    word: str
    why: str
    phase: str = ""
    watching: bool = False


def verdict(
    record: Record,
    lock: Body,
    killed: str,
    plan: Plan,
    now: datetime,
    watches: Body | None = None,
    *,
    automatic: bool = False,
) -> Verdict:
    """`lock`: as deploy_lock returns it. `killed`: who set the kill switch, "" for nobody. `watches`: by gate.

    `automatic`: a failed phase or a rollback set it, and the next deployment resets it: that is no verdict of its own.
    """
    phases = record.ordered(plan.names)
    running = [name for name, phase in phases.items() if phase.running]
    # A lock that a person set belongs to no run.
    if lock.get("held") and (running or not lock.get("manual")):
        text = _in_progress(lock, running[-1:], phases, plan, now)
        return _holding(text, watch_of(watches or {}, record.phase(text.phase), text.phase))
    if record.status == ROLLED_BACK:
        still = f". {killed}" if killed else ""
        return Verdict(BACK, f"release {record.version} at {shown(record.finished, now)}{still}")
    stopped = running or any(phase.failed for phase in phases.values())
    if killed and not (automatic and stopped) and not _half_back(record):
        return Verdict(KILLED, killed)
    if not record.exists:
        return Verdict(NONE, "no release is recorded")
    return _recorded(record, running, phases, plan, now)


def _half_back(record: Record) -> bool:
    """Whether the last that was begun is a rollback which did not end well: lifting a switch comes after it."""
    back = record.phase(ROLLBACK_PHASE)
    newest = max((phase.started for phase in record.phases.values()), default="")
    return (back.running or back.failed) and record.status != DONE and back.started == newest


def _in_progress(
    lock: Body,
    running: t.Sequence[str],
    phases: t.Mapping[str, Phase],
    plan: Plan,
    now: datetime,
) -> Verdict:
    where = [_how_far(name, phases[name], plan, now) for name in running]
    back = ["rolling back"] if lock.get("purpose") == UNDO and not running else []
    until = parse_time(lock.get("until"))
    lapsed = (
        [f"but its lock lapsed at {shown(lock['until'], now)}: the run may have died"]
        if until and until < now
        else []
    )
    why = ", ".join([*where, *back, f"by {lock.get('holder')}", *lapsed])
    return Verdict(IN_PROGRESS, why, running[0] if running else "")


def watch_of(watches: Body, phase: Phase, gate: str) -> Body | None:
    """That of the phase itself, of its newest try alone."""
    state = watches.get(gate)
    if not isinstance(state, dict) or state.get("phase_started") != phase.started:
        return None
    return state


def _holding(text: Verdict, watch: Body | None) -> Verdict:
    """A run whose watch is over and was not good: it goes on looking, for a person to decide."""
    if not watch or watch.get("held") is None:
        return text
    why = "; ".join(map(str, watch.get("held_why") or ())) or "no reason is recorded"
    return Verdict(ON_HOLD, f"{text.why}, still watching: {why}", text.phase, watching=True)


def _recorded(
    record: Record,
    running: t.Sequence[str],
    phases: t.Mapping[str, Phase],
    plan: Plan,
    now: datetime,
) -> Verdict:
    """Of a release that nobody works on."""
    version = f"release {record.version}"
    failed = [name for name, phase in phases.items() if phase.failed]
    if running:
        place = _place(running[-1], phases[running[-1]], plan, now)
        why = f"{version} in {place}; nobody holds the deploy lock"
        return Verdict(INTERRUPTED, why, running[-1])
    if failed:
        name = failed[-1]
        word = ON_HOLD if phases[name].evidence.on_hold else STOPPED
        why = f"{version} in {_place(name, phases[name], plan, now)}{_causes(phases[name])}"
        return Verdict(word, why, name)
    if record.status == DONE:
        return Verdict(FINE, f"{version} is done since {shown(record.finished, now)}")
    if record.status == PLANNED:
        return Verdict(NONE, f"{version} has sign-offs, and no phase has begun")
    left = [entry.title for entry in plan if not record.phase(entry.name).settled]
    names = ", ".join(left)
    return Verdict(UNFINISHED, f"{version}: {names} {'is' if len(left) == 1 else 'are'} left")


def _causes(phase: Phase) -> str:
    sentences = [failure.sentence for failure in phase.evidence.failures]
    more = f" (and {len(sentences) - 1} more)" if len(sentences) > 1 else ""
    return f": {sentences[0]}{more}" if sentences else ""


def _place(name: str, phase: Phase, plan: Plan, now: datetime) -> str:
    # A rollback is known by its own word.
    began = f" since {shown(phase.started, now)}"
    return (plan.place(name) if name != ROLLBACK_PHASE else "the rollback") + began


def _how_far(name: str, phase: Phase, plan: Plan, now: datetime) -> str:
    began = phase.begun
    if began is None:
        return plan.place(name)
    seconds = plan.phase(name).seconds
    planned = f" of {lasting(seconds)}" if seconds else ""
    spent = lasting(max(0, round((now - began).total_seconds()))) or "0 s"
    return f"{plan.place(name)} for {spent}{planned}"


def shown(moment: t.Any, now: datetime) -> str:
    """A time for people: without its date when that is today's. What is no time, as it is."""
    result = parse_time(moment)
    if result is None:
        return str(moment or "an unknown time")
    return (
        f"{result:%H:%M:%S} UTC" if result.date() == now.date() else f"{result:%Y-%m-%d %H:%M} UTC"
    )


WATCH_PHASE = "monitoring"
"""Whose watch is decided without its name."""
DEPLOYED_NEXT = (ON_HOLD, STOPPED, INTERRUPTED, UNFINISHED, BACK)
"""Verdicts after which the next thing to do is a deployment, unless a rollback is half done."""
WHY = "-e \"reason='WHY'\""


class Next(t.NamedTuple):
    command: str
    why: str


def next_commands(
    text: Verdict,
    typed: Typed,
    *,
    left: t.Sequence[str],
    decides: bool,
    ramp: Body,
    kept_out_by: str = "",
) -> list[Next]:
    """The best one first. `left`: the phases that are not done. `decides`: whether a person may decide the hold.

    `kept_out_by`: who set the deploy lock by hand. It stops deployments, and no rollback.
    """
    rest = ["--tags", ",".join(left)] if left else []
    onward = Next(typed.line("deploy.yml", *rest), "go on from there")
    unlock = Next(
        typed.line("unlock.yml", FORCE),
        f"first ask {kept_out_by}, whose lock keeps deployments out",
    )
    back = Next(typed.line("rollback.yml"), "go back to what ran before")
    if text.word in (STOPPED, INTERRUPTED, ON_HOLD) and text.phase == ROLLBACK_PHASE:
        return [Next(typed.line("rollback.yml"), "finish the rollback")]
    gate = () if text.phase == WATCH_PHASE else (f"-e monitoring_gate={text.phase}",)
    decide = Next(
        typed.line("decide.yml", *gate, "-e decision=approve", "-e by=$USER", WHY),
        "decide it, then go on",
    )
    follow = Next(typed.line("status.yml", "-e follow=true"), "watch it to its end")
    if text.watching:
        return [decide._replace(why="decide it: the run goes on"), follow]
    first = [unlock] if kept_out_by and text.word in DEPLOYED_NEXT else []
    if text.word == ON_HOLD and decides:
        return [*first, onward._replace(why="look again"), decide, back]
    results: dict[str, list[Next]] = {
        IN_PROGRESS: [follow],
        ON_HOLD: [onward._replace(why="look again"), back],
        STOPPED: [
            onward._replace(why="when the cause is mended"),
            back,
            Next(typed.line("diagnose.yml"), "find the cause"),
        ],
        INTERRUPTED: [onward, back],
        UNFINISHED: [onward, back],
        KILLED: [
            Next(typed.line("kill_switch.yml", "-e reset=true", WHY), "when the cause is gone")
        ],
        BACK: [Next(typed.line("deploy.yml"), "the next attempt, when the cause is mended")],
        NONE: [Next(typed.line("deploy.yml", "--check --diff"), "see what it would change")],
        FINE: _up(typed, ramp),
    }
    return [*first, *results[text.word]]


def _up(typed: Typed, ramp: Body) -> list[Next]:
    onward: Body = ramp.get("next") or {}
    if not onward:
        return []
    if onward["may"]:
        why = f"go up to {onward['percentage']} % of users, allowed now"
    elif onward["not_before"]:
        why = f"go up to {onward['percentage']} % of users, not before {onward['not_before']}"
    else:
        why = f"go up to {onward['percentage']} % of users, not yet: {onward['reasons'][0]['text']}"
    return [Next(typed.line("ramp.yml"), why)]
