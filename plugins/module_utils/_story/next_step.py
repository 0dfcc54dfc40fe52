# SPDX-License-Identifier: GPL-3.0-or-later
"""How a release stands, and what an operator does next: the one place that decides it. Pure.

Every channel renders these steps. What a step asks for is never what was just refused: a lock, a freeze, the kill
switch and a closed launch window come before the deployment that they would refuse.
"""

from __future__ import annotations

import json
import re
import shlex
import typing as t
from dataclasses import dataclass, field, replace
from datetime import datetime

from .._flags.apply import RESET_OPTIONS, KilledError
from .._formats import shown
from .._gate.report import approve_options
from .._lock.models import UNDO, FrozenError, LeaseLostError, LockedError
from .._lock.plan import FORCE
from .._ramp.plan import RELEASE_OPTIONS, RampRefusedError
from .._release.models import DONE, FLAGS_PHASE, PLANNED, ROLLBACK_PHASE, ROLLED_BACK
from .._release.record import Act, Phase, Record
from .._time import of_epoch, parse_time
from .plan import UNPLANNED, Plan

Body = t.Mapping[str, t.Any]
KILLED, IN_PROGRESS, NONE, INTERRUPTED = "KILLED", "RUNNING", "NO RELEASE", "INTERRUPTED"
ON_HOLD, STOPPED, BACK = "ON HOLD", "FAILED", "ROLLED BACK"
FINE, UNFINISHED = "FINE", "NOT FINISHED"
RESTORE = "restore"
"""In place of a phase: a restore of the databases."""
DEPLOY, BACK_AGAIN, LOOK, RAMP = "deploy.yml", "rollback.yml", "diagnose.yml", "ramp.yml"
OVERRIDE = "-e release_window_override=true -e by=$USER -e \"reason='WHY'\""

_OPTION = r"""(?:-e|--tags) (?:"[^"]*"|'[^']*'|[^\s"',;()]*[^\s"',;().:])"""
FEW = 2
"""Commands that a cause may ask for and each be a line of its own."""
MENTIONED = re.compile(rf"\bplaybooks/(?P<playbook>\w+\.yml)(?P<options>(?: {_OPTION})*)")
"""A playbook in a sentence, which knows neither inventory nor program, and its options."""


@dataclass(frozen=True)
class PlaybookRun:
    """A playbook to type, "" for what was typed, with phases as its tags and `options` as a shell reads them.

    `after`: a time or a closed window that it has to wait for, "" for none.
    """

    playbook: str
    why: str
    tags: tuple[str, ...] = ()
    options: str = ""
    after: str = ""

    @property
    def words(self) -> list[str]:
        """What stands behind the playbook."""
        tags = [f"--tags {','.join(self.tags)}"] if self.tags else []
        return [*tags, *([self.options] if self.options else [])]

    @property
    def reason(self) -> str:
        return ", ".join(filter(None, (self.why, self.after)))


@dataclass(frozen=True)
class Person:
    """No command helps: `who` has to do or to decide something, "" where nothing is left to do."""

    who: str
    why: str


Step = t.Union[PlaybookRun, Person]  # noqa: UP007


def worded(step: Step) -> str:
    """For a reader where no command line is known."""
    if isinstance(step, Person):
        return ": ".join(filter(None, (step.who, step.why)))
    return f"{command_of(step)} ({step.reason})"


def command_of(step: Step) -> str:
    """What is typed, or what is to be done where that is no command."""
    if not isinstance(step, PlaybookRun):
        return step.why
    playbook = f"playbooks/{step.playbook}" if step.playbook else "the same command"
    return " ".join([playbook, *step.words])


FOLLOW = PlaybookRun("status.yml", "watch it to its end", options="-e follow=true")
RESET = PlaybookRun("kill_switch.yml", "when the cause is gone", options=RESET_OPTIONS)


@dataclass(frozen=True)
class Stop:
    """What stopped the run that has just ended.

    `phase`: the one it was in, "" for a playbook that has none. `named`: the playbooks that its cause names, with their
    options. `missing`: the phases that must be done before it. `other`: the release that stands in its way.
    """

    reason: str = ""
    phase: str = ""
    named: tuple[tuple[str, str], ...] = ()
    missing: tuple[str, ...] = ()
    other: str = ""


def commands_in(sentence: str) -> list[tuple[str, str]]:
    """The playbooks that it tells to run with options, each with these as a shell reads them."""
    matches = [
        (match["playbook"], match["options"].strip()) for match in MENTIONED.finditer(sentence)
    ]
    return list(dict.fromkeys(match for match in matches if match[1]))


def few_commands_in(sentence: str) -> tuple[tuple[str, str], ...]:
    """What a cause tells to run in place of this run. A list, such as one of all missing sign-offs, stays a list."""
    requested = commands_in(sentence)
    return tuple(requested) if len(requested) <= FEW else ()


@dataclass(frozen=True)
class Story:
    """What is known of a release. `lock`, `ramp`: as deploy_lock and feature_ramp return them.

    `killed`: who set the kill switch, "" for no person. `automatic`: a failed phase or a rollback did, and the next
    deployment resets it. `switched_off`: the phases of whose flags one is off since. `watches`: by gate. `closed`: why
    the launch window is, "" while it is open; it keeps out the phases `changing`. `ramps`: whether the release has a
    ramp whose percentage is not known.
    """

    record: Record = field(default_factory=Record)
    plan: Plan = UNPLANNED
    lock: Body = field(default_factory=dict)
    freeze: str = ""
    killed: str = ""
    automatic: bool = False
    switched_off: frozenset[str] = frozenset()
    watches: Body = field(default_factory=dict)
    ramp: Body = field(default_factory=dict)
    ramps: bool = False
    closed: str = ""
    changing: frozenset[str] = frozenset()
    stop: Stop | None = None
    now: datetime | None = None

    @property
    def left(self) -> tuple[str, ...]:
        """The planned phases that are not done, or whose flags are off since."""
        phases = self.record.phases
        return tuple(
            name
            for name in self.plan.names
            if name in self.switched_off or name not in phases or not phases[name].settled
        )

    @property
    def changed(self) -> bool:
        """Whether the release got past its first phase, which only looks."""
        return any(name in self.record.phases for name in self.plan.names[1:])


def watch_of(watches: Body, phase: Phase, gate: str) -> Body:
    """That of the phase itself, of its newest try alone; empty for none."""
    watch = watches.get(gate)
    known = isinstance(watch, dict) and watch.get("phase_started") == phase.started
    return t.cast("Body", watch) if known else {}


class ReleaseState(t.NamedTuple):
    """`phase` is the one that runs, waits, failed or was cut off, "" for none. `watching`: a run holds and looks on."""

    word: str
    phase: str = ""
    watching: bool = False


def state_of(story: Story) -> ReleaseState:
    record, lock = story.record, story.lock
    phases = record.ordered(story.plan.names)
    running = [name for name, phase in phases.items() if phase.running]
    # A phase that an earlier run left open says nothing of how the last one ended.
    open_phases = [name for name, phase in phases.items() if phase.running or phase.failed]
    last = max(reversed(open_phases), key=lambda name: phases[name].started, default="")
    # A lock that a person set belongs to no run.
    if lock.get("held") and not lock.get("manual"):
        name = running[-1] if running else ""
        held = watch_of(story.watches, record.phase(name), name).get("held")
        return ReleaseState(ON_HOLD if held is not None else IN_PROGRESS, name, held is not None)
    way = half_done(record)
    if way and (way == RESTORE or record.status != ROLLED_BACK):
        return ReleaseState(INTERRUPTED, way)
    if record.status == ROLLED_BACK:
        return ReleaseState(BACK)
    # The next phase of a release that goes on resets one that was set automatically.
    if story.killed and not (story.automatic and record.status != DONE):
        return ReleaseState(KILLED)
    if last in running:
        return ReleaseState(INTERRUPTED, last)
    if last:
        return ReleaseState(ON_HOLD if phases[last].evidence.on_hold else STOPPED, last)
    if not record.exists or record.status == PLANNED:
        return ReleaseState(NONE)
    back = any(phase.taken_back for name, phase in phases.items() if name in story.left)
    return ReleaseState(FINE if record.status == DONE and not back else UNFINISHED)


def half_done(record: Record) -> str:
    """The restore or the rollback that was begun and neither ended nor was followed by a deployment, "" for none."""
    facts = record.facts
    begun = [phase.begun for phase in record.phases.values()]
    ways = (
        (RESTORE, facts.restore_open, facts.restore_asked),
        (ROLLBACK_PHASE, facts.rollback_open, facts.rollback_asked),
    )
    for name, is_open, act in ways:
        since = parse_time(act.at)
        if is_open and not any(at and since and at > since for at in begun):
            return name
    return ""


def steps(story: Story) -> tuple[Step, ...]:
    """What helps from here, the best first; never empty."""
    stop = story.stop or Stop()
    named = [PlaybookRun(entry, "as its cause says", options=words) for entry, words in stop.named]
    if stop.other:
        home = "finish it or roll it back, from a checkout of it"
        return (Person(f"the operator of release {stop.other}", home), PlaybookRun("", "by name"))
    if stop.reason == LeaseLostError.reason:
        return (FOLLOW,)
    if story.stop and (stop.missing or not stop.phase or not story.record.exists):
        return _repeated(story, stop, named)
    state = state_of(story)
    if story.stop and state.word == FINE:
        return _repeated(story, stop, named)
    first, *others = _of_the_release(story, state)
    held = state.word == ON_HOLD or stop.reason in DECIDED
    return (*named, first, *others) if held else (first, *named, *others)


KEPT_OUT = frozenset(
    error.reason for error in (LockedError, FrozenError, KilledError, RampRefusedError)
)
"""Reasons of a lock, a freeze or a kill switch. A switch that fails, or a rollback, is kept out by none of them."""
DECIDED = frozenset({"Hold", "OutOfOrder"})
"""Reasons with which the same command is refused again, until somebody decides as the cause says."""
RELEASED = frozenset({RampRefusedError.reason, "Rollback"})
"""Those of a step of the ramp that a breach ended. Where its cause names a command, no other helps."""


def _repeated(story: Story, stop: Stop, named: t.Sequence[Step]) -> tuple[Step, ...]:
    """Of a run that ended before its release was known, or that is no deployment."""
    if stop.missing:
        rest = story.plan.names[story.plan.number(stop.phase) :]
        return (PlaybookRun(DEPLOY, "what must be done first", (*stop.missing, stop.phase, *rest)),)
    if story.lock.get("held") and not story.lock.get("manual"):
        return (PlaybookRun("", "wait for the lock"), FOLLOW)
    if stop.reason in KEPT_OUT and (before := _keeping_out(story)):
        return (*before, PlaybookRun("", "then"))
    if named and stop.reason in DECIDED:
        return (*named, PlaybookRun("", "look again"))
    if named and stop.reason in RELEASED:
        return tuple(named)
    return (PlaybookRun("", "after fixing the cause"), *named)


def _of_the_release(story: Story, state: ReleaseState) -> tuple[Step, ...]:
    back = [PlaybookRun(BACK_AGAIN, "go back to what ran before")] if story.changed else []
    look = PlaybookRun(LOOK, "find the cause")
    if state.phase in (RESTORE, ROLLBACK_PHASE):
        return (_finish(story.record),)
    if state.word == IN_PROGRESS:
        return (*_taken_over(story), FOLLOW)
    if state.word == ON_HOLD:
        return _held(story, state, (*back, look))
    if state.word == STOPPED:
        return (*_deploy(story, "after fixing the cause"), *back, look)
    if state.word in (INTERRUPTED, UNFINISHED):
        return (*_deploy(story, "go on from there"), *back)
    if state.word == KILLED:
        return (RESET,)
    if state.word == BACK:
        rest = (_finish(story.record),) if half_done(story.record) else ()
        return (*rest, *_deploy(story, "the next attempt, after fixing the cause", again=True))
    if state.word == NONE:
        check = PlaybookRun(DEPLOY, "see what it would change", options="--check --diff")
        return (*_deploy(story, "begin it"), check)
    return _up(story)


def _finish(record: Record) -> PlaybookRun:
    """The same words are the same restore, which takes up what is restored already."""
    if half_done(record) != RESTORE:
        request = record.facts.rollback_asked
        tags = () if "all" in request.parts else request.parts
        options = (
            _extra_variables(service_rollback_names=request.services) if request.services else ""
        )
        return PlaybookRun(BACK_AGAIN, "finish the rollback", tags, options)
    act = record.facts.restore_asked
    why = "finish the restore of the databases"
    return PlaybookRun(
        BACK_AGAIN, why, ("database",), _extra_variables(by=act.by, reason=act.reason)
    )


def _extra_variables(**values: t.Any) -> str:
    return f"-e {shlex.quote(json.dumps(values))}"


def _taken_over(story: Story) -> tuple[Step, ...]:
    """Of a run that may have died: another one finds that out, and takes the lock over."""
    until = parse_time(story.lock.get("until"))
    if not (until and story.now and until < story.now):
        return ()
    if story.lock.get("purpose") == UNDO:
        return (_finish(story.record),)
    return _deploy(story, "when its run has died")


def _keeping_out(story: Story) -> tuple[Step, ...]:
    """What refuses every deployment until somebody takes it away. None of it stops a rollback."""
    first: list[Step] = []
    if story.lock.get("held") and story.lock.get("manual"):
        holder, why = str(story.lock.get("holder")), "take away the lock that keeps deployments out"
        first += [
            Person(holder, why),
            PlaybookRun("unlock.yml", f"in place of {holder}", options=FORCE),
        ]
    if story.freeze:
        first.append(Person("the author of the freeze", story.freeze))
    if story.killed and not story.automatic:
        first.append(RESET)
    return tuple(first)


def _deploy(story: Story, why: str, *, again: bool = False) -> tuple[Step, ...]:
    """A deployment of the phases that are left, `again` of all, with what keeps it out before it."""
    left = () if again or len(story.left) == len(story.plan) else story.left
    onward = PlaybookRun(DEPLOY, why, left)
    if story.closed and story.changing & {*(left or story.plan.names)}:
        now = replace(onward, why="or at once, by name", options=OVERRIDE)
        return (*_keeping_out(story), replace(onward, after=story.closed), now)
    return (*_keeping_out(story), onward)


def _held(story: Story, state: ReleaseState, others: t.Sequence[Step]) -> tuple[Step, ...]:
    phase = story.record.phase(state.phase)
    options = approve_options(state.phase)
    decide = PlaybookRun("decide.yml", "decide it, then go on", options=options)
    decision = _decision(story, phase, state.phase)
    if state.watching:
        going = replace(decide, why="decide it: the run goes on")
        return (FOLLOW,) if decision else (going, FOLLOW)
    if decision:
        return (*_deploy(story, f"{decision.by} has decided: go on"), *others)
    if phase.evidence.decides:
        return (decide, *_deploy(story, "look again"), *others)
    return (*_deploy(story, "after answering what its cause asks"), *others)


def _decision(story: Story, phase: Phase, gate: str) -> Act | None:
    """What a person has decided of this hold, and of no earlier one."""
    watch = watch_of(story.watches, phase, gate)
    held = (
        of_epoch(watch.get("started", 0) + watch["held"]) if watch.get("held") is not None else ""
    )
    acts = (act for act in story.record.facts.decisions if held and act.gate == gate)
    return next((act for act in acts if act.held == held), None)


def _up(story: Story) -> tuple[Step, ...]:
    """Of a release that is done: its flags, if they are off, and the way to all users."""
    onward: Body = story.ramp.get("next") or {}
    kinds = {reason.get("kind"): reason["text"] for reason in onward.get("reasons") or ()}
    # What a breach brought down to 0 % a person releases, as the ramp asks.
    if "off" in kinds or (story.switched_off and "breach" not in kinds):
        again = replace(story, switched_off=story.switched_off or frozenset({FLAGS_PHASE}))
        return _deploy(again, "turn on what was switched off")
    if not story.ramp:
        up = PlaybookRun(RAMP, "go up a step, on its day")
        return (up,) if story.ramps else (Person("", "the release is done"),)
    if story.ramp.get("action") == "done" or not onward:
        return (Person("", "all users have it"),)
    return (*_keeping_out(story), *_one_up(story.ramp, onward, kinds))


def _one_up(ramp: Body, onward: Body, kinds: t.Mapping[str, str]) -> tuple[Step, ...]:
    percentage = ramp["before"]["percentage"]
    to = f"go up to {onward['percentage']} % of users"
    watch = PlaybookRun(RAMP, f"watch {percentage} % to its end")
    release = PlaybookRun(RAMP, "release what is held, by name", options=RELEASE_OPTIONS)
    if "hold" in kinds:
        return release, watch
    if "breach" in kinds and not percentage:
        return (release,)
    if "breach" in kinds or ramp.get("action") == "watch":
        return (watch,)
    if not {*kinds} - {"day", "watch"}:
        not_before = onward["not_before"]
        after = f"not before {shown(not_before)}" if not_before else ""
        return (PlaybookRun(RAMP, to if after else f"{to}, allowed now", after=after),)
    if not {*kinds} - {"day", "watch", "lock", "freeze"}:
        return (PlaybookRun(RAMP, to),)
    return (Person("the operator of the release", f"{to}, not yet: {next(iter(kinds.values()))}"),)
