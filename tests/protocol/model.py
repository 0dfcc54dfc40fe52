"""Lease, fence, record, intent, pins, undo, rollback and kill switch: small enough to try every order of events.

A state is a tuple. A run goes through its script, one call to the API server a step. What it read it remembers, with
whether that is still so (`valid`), which stands for resourceVersion and generation. PRODUCT names the function of each
step.
"""

import typing as t
from typing import NamedTuple

FREE, DEAD = 8, 9
"""Holders of the lease that are no living run: nobody, and a process that is gone. (-1 and -2 have one hash.)"""
NONE, RUNNING, DONE, FAILED, BACK, PARTLY = (
    "none", "running", "done", "failed", "rolled_back", "partly_rolled_back",
)  # fmt: skip
UNSET, AUTOMATIC, PERSON = "unset", "automatic", "person"

Service = tuple[int, int, int, bool]
"""The release that it runs (0: what ran before all), the fence written on it, the epoch of its last writer, and whether
who wrote the release had lost the lock."""


class Lease(NamedTuple):
    holder: int = FREE
    fence: int = 0
    undo: bool = False


class Record(NamedTuple):
    """The one changing phase of a release, its attempt, the epoch that the record carries, and that of the run that
    opened the phase last."""

    status: str = NONE
    attempt: int = 0
    fence: int = 0
    opened: int = 0


class Run(NamedTuple):
    at: str
    service: int = 0
    fence: int = 0
    seen: t.Any = None
    what: t.Any = ""
    valid: bool = True
    fresh: bool = False
    paused: bool = False
    back: int = 0
    """What an undo returns to."""
    partly: bool = False


class State(NamedTuple):
    lease: Lease
    records: tuple[Record, ...]
    pins: tuple[t.Any, ...]
    """By release: None, or the attempt, what each service ran, and the epoch that they carry."""
    services: tuple[Service, ...]
    flags: tuple[bool, str, int, int]
    """Whether the feature is on, the switch, the epoch that they carry, and that of the lock when a way back set it."""
    runs: tuple[Run, ...]
    crashes: int
    troubles: int


class Script(NamedTuple):
    """What a run does: `deploy`, `rollback` or `kill`, and of which release."""

    kind: str
    release: int = 1


class Violation(Exception):  # noqa: N818 - a finding, no failure
    """A guarantee that a step broke, by its name."""


GUARANTEES = {
    "one_holder": "An epoch of the deploy lock belongs to one run.",
    "lock_is_kept": "Nobody takes the lock of a run that lives and renews it, but to undo.",
    "lost_is_lost": "A run that looks, and has lost the lock, begins no write.",
    "epochs_rise": "No earlier holder of the lock overwrites what a later one wrote on a service.",
    "later_stays": "No earlier holder of the lock writes record, pins or flags after a later one.",
    "looked_first": "No service is written over what another run wrote since it was looked at.",
    "intent_first": "No service is released before the record says that the phase runs.",
    "pinned_first": "No service is released before what ran is pinned.",
    "pins_are_old": "What a release replaces is what its pin keeps, unless a run that had lost the lock wrote it.",
    "phases_last": "No run that opens or retries a phase takes back that it is done.",
    "undone_ours": "No way back writes over what its release did not write.",
    "stays_back": "No run that lost the lock releases a service after its release was rolled back.",
    "stays_off": "No run that held the lock before or beside a way back turns on what that has switched off.",
    "stays_killed": "While a person's kill switch is set, nothing turns the feature on.",
}

DEPLOY = ("lock.read", "lock.write", "open.check", "open.read", "open.write", "pin.read", "pin.write", "observe",
          "flags.read", "flags.check", "flags.write", "close.check", "close.read", "close.write", "unlock")  # fmt: skip
ROLLBACK = ("kill.read", "kill.write", "lock.read", "lock.write", "seal.check", "seal.record", "seal.pins",
            "again.read", "again.write", "back.read", "back.check", "back.write", "pins.look", "observe",
            "close.check", "close.read", "close.write", "unlock")  # fmt: skip
KILL = ("kill.read", "kill.write", "end")
SCRIPTS = {"deploy": DEPLOY, "rollback": ROLLBACK, "kill": KILL}

AFTER_EFFECT = ("lock.read", "open.check", "pin.read", "seal.pins", "again.read", "back.read", "pins.look",
                "observe", "proof", "fail.check", "flags.read",
                "close.check", "unlock")  # fmt: skip
"""Where a crash tells apart: what was only read since is lost with the process."""
AFTER_LOOK = (
    "open.read", "pin.read", "patch", "proof", "undo.patch", "seal.record", "seal.pins",
    "back.write", "flags.write", "close.read", "fail.write",
)  # fmt: skip
"""Where a pause tells apart: past its look at the lock, or where it needs none. Elsewhere it looks, and ends."""
RETURNING = ("back.read", "back.check", "back.write", "pins.look", "observe", "check", "patch",
             "close.check", "close.read", "close.write")  # fmt: skip
"""Where a way back is once it holds the lock and has switched the feature off under it."""
CHECKED = {"open.check": "open.read", "seal.check": "seal.record", "back.check": "back.write", "check": "patch",
           "undo.check": "undo.patch", "flags.check": "flags.write", "close.check": "close.read",
           "fail.check": "fail.write"}  # fmt: skip
"""Where a run looks whether it still holds the lock, and the step that is next when it does."""
KEPT = ("check", "back.check", "flags.check", "undo.check")
"""Where a look of a moment ago is enough."""
ONE_CALL = {"lock.read": "lease_version", "open.read": "record_version", "close.read": "record_version",
            "pin.read": "pins_version", "kill.read": "flags_version", "again.read": "flags_version"}  # fmt: skip
"""Read and write that are one step while the version is sent: a write that succeeds saw nothing change meanwhile."""

PRODUCT = {
    "lock.read": "_lock.apply.Locking.hold: read, _lock.plan.plan_held",
    "lock.write": "_lock.apply.Locking._settle, _write",
    "open.check": "_lock.fence.LeaseCheck.check",
    "open.read": "_release.store.ReleaseStore.change: _read",
    "open.write": "_release.plan.plan_record, ReleaseStore._write",
    "pin.read": "_release.store.ReleaseStore.pin: outdated_pins, add_pins",
    "pin.write": "_release.pins.write_pins",
    "seal.check": "Guard.check",
    "seal.record": "ReleaseStore.leave_epoch",
    "seal.pins": "ReleaseStore.leave_epoch",
    "again.read": "_kill_switch.plan_set, _lock.fence.epoch_now",
    "again.write": "_flags.apply.decide_flags: _apply",
    "back.read": "_flags.apply.decide_flags: observe_flags, switch.wish_under",
    "back.check": "decide_flags: Guard.check",
    "back.write": "decide_flags: _apply",
    "pins.look": "_waves.rollback.plan_waves: read_pins",
    "observe": "_rollout.runner.Rollout.plan: plan_rollout, _plan_fence",
    "check": "_rollout.guard.require: Guard.check",
    "check.kept": "Guard.check within FRESH seconds of the last",
    "patch": "_rollout.apply.apply_plan",
    "settle": "_rollout.apply.apply_plan, after a conflict",
    "works": "_rollout.follow.Follower.follow: complete",
    "fails": "_rollout.runner.Rollout._fail",
    "undo.read": "_rollout.undo.Undo.carry_out: find_deployment",
    "undo.check": "_rollout.guard.require_for_undo",
    "undo.blind": "require_for_undo, the lock out of sight",
    "undo.patch": "_rollout.undo.Undo._return: apply_plan",
    "flags.read": "_flags.apply.decide_flags: observe_flags, switch.wish_under, refuse_up",
    "flags.check": "decide_flags: Guard.check",
    "flags.write": "decide_flags: _apply",
    "kill.read": "_kill_switch.plan_set, _lock.fence.epoch_now",
    "kill.write": "_flags.apply.decide_flags: _apply",
    "close.check": "Guard.check",
    "close.read": "ReleaseStore.change: _read",
    "close.write": "plan_record, ReleaseStore._write",
    "fail.check": "Guard.check",
    "fail.write": "ReleaseStore.change",
    "unlock": "_lock.apply.Locking.free: plan_free",
    "crash": "SIGKILL of the process and its keeper",
    "again": "the same playbook once more",
    "pause": "the process and its keeper stand still for longer than the lock lasts",
    "wake": "they go on",
}


def start(scripts: t.Sequence[Script], services: int, crashes: int, troubles: int) -> State:
    releases = max(one.release for one in scripts) + 1
    return State(
        lease=Lease(),
        records=(Record(),) * releases,
        pins=(None,) * releases,
        services=((0, 0, 0, False),) * services,
        flags=(False, UNSET, 0, 0),
        runs=tuple(Run(SCRIPTS[one.kind][0]) for one in scripts),
        crashes=crashes,
        troubles=troubles,
    )


Move = tuple[int, str]
"""Whose, and what."""


class Model:
    """`without`: names of guards that are taken away."""

    def __init__(
        self,
        scripts: t.Sequence[Script],
        *,
        without: t.Collection[str] = (),
        symmetric: bool = False,
    ) -> None:
        self.symmetric = symmetric
        self.scripts = tuple(scripts)
        self.without = frozenset(without)
        self.next = [
            {name: path[i + 1] for i, name in enumerate(path[:-1])}
            for path in (SCRIPTS[one.kind] for one in scripts)
        ]

    def has(self, guard: str) -> bool:
        return guard not in self.without

    def moves(self, state: State) -> t.Iterator[Move]:
        for who, run in enumerate(state.runs):
            at = run.at
            if at == "end":
                continue
            if at == "crashed":
                yield who, "again"
                continue
            if run.paused:
                yield who, "wake"
                continue
            if at == "lock.read":
                if self._may_take(state, who):
                    yield who, at
            elif at == "proof":
                yield who, "works"
                if state.troubles:
                    yield who, "fails"
            else:
                yield who, at
                if run.fresh and at in KEPT:
                    yield who, "check.kept"
                if at == "undo.check" and state.troubles:
                    yield who, "undo.blind"
            if state.crashes:
                if at in AFTER_EFFECT:
                    yield who, "crash"
                if at in AFTER_LOOK:
                    yield who, "pause"

    def step(self, state: State, move: Move) -> State:
        """The state after; raises Violation."""
        who, name = move
        world = World(self, state, who)
        getattr(world, "check" if name in CHECKED else name.replace(".", "_"))()
        if (
            name in ONE_CALL
            and self.has(ONE_CALL[name])
            and world.run.at == name.replace("read", "write")
        ):
            getattr(world, world.run.at.replace(".", "_"))()
        return self._sorted(world.state()) if self.symmetric else world.state()

    def _sorted(self, state: State) -> State:
        """Two runs of one script may change places."""
        first, second = (hash(one) for one in state.runs[:2])
        if self.scripts[0] != self.scripts[1] or first <= second:
            return state
        holder = {0: 1, 1: 0}.get(state.lease.holder, state.lease.holder)
        return state._replace(
            runs=(state.runs[1], state.runs[0], *state.runs[2:]),
            lease=state.lease._replace(holder=holder),
        )

    def _may_take(self, state: State, who: int) -> bool:
        lease = state.lease
        if lease.holder in (FREE, DEAD):
            return True
        if self.scripts[who].kind == "rollback" and not lease.undo:
            return True
        return state.runs[lease.holder].paused or not self.has("duration")


class World:
    """One step of one run, upon a copy."""

    def __init__(self, model: Model, state: State, who: int) -> None:
        self.model, self.who = model, who
        self.script = model.scripts[who]
        (self.lease, self.records, self.pins, self.services, self.flags, runs, self.crashes,
         self.troubles) = state  # fmt: skip
        self.runs = list(runs)

    def state(self) -> State:
        return State(self.lease, self.records, self.pins, self.services, self.flags, tuple(self.runs), self.crashes,
                     self.troubles)  # fmt: skip

    @property
    def run(self) -> Run:
        return self.runs[self.who]

    def become(self, **changes: t.Any) -> None:
        self.runs[self.who] = self.runs[self.who]._replace(**changes)

    def onward(self, **changes: t.Any) -> None:
        """To the next step of the script, with nothing in mind."""
        at = self.model.next[self.who][self.run.at]
        self.become(at=at, **{"seen": None, "what": "", "valid": True, **changes})

    def saw(self, at: str, what: t.Any, seen: t.Any) -> None:
        self.become(at=at, what=what, seen=seen, valid=True)

    def wrote(self, what: t.Any) -> None:
        """Whoever read it before holds an old version now."""
        for other, run in enumerate(self.runs):
            if other != self.who and run.what == what:
                self.runs[other] = run._replace(valid=False)

    def stop(self) -> None:
        """It failed, and its keeper gives the lock back."""
        self.become(at="unlock", seen=None, what="", valid=True, fresh=False)

    # The lease

    def lock_read(self) -> None:
        holder = self.lease.holder
        lives = holder not in (FREE, DEAD) and not self.runs[holder].paused
        undoes = self.script.kind == "rollback" and not self.lease.undo
        self.saw("lock.write", "lease", (self.lease.fence, undoes or not lives))

    def lock_write(self) -> None:
        if not self.run.valid and self.model.has("lease_version"):
            self.become(at="lock.read", seen=None, what="", valid=True)
            return
        seen, rightly = self.run.seen
        fence = seen + 1
        if fence <= self.lease.fence:
            raise Violation("one_holder")
        if not rightly:
            raise Violation("lock_is_kept")
        self.wrote("lease")
        self.lease = Lease(self.who, fence, self.script.kind == "rollback")
        self.onward(fence=fence, fresh=False)

    def unlock(self) -> None:
        if self.lease.holder == self.who and self.lease.fence == self.run.fence:
            self.wrote("lease")
            self.lease = Lease(FREE, self.lease.fence)
        self.runs[self.who] = Run("end")

    def check(self) -> None:
        """Guard.check, with whose refusal the run ends and writes nothing more."""
        if not self.holds_it:
            if not self.model.has("lock_reread"):
                raise Violation("lost_is_lost")
            self.runs[self.who] = Run("end")
            return
        self.become(at=CHECKED[self.run.at], fresh=self.run.at in KEPT)

    def check_kept(self) -> None:
        self.become(at=CHECKED[self.run.at])

    @property
    def holds_it(self) -> bool:
        return (self.lease.holder, self.lease.fence) == (self.who, self.run.fence)

    # The record

    def open_read(self) -> None:
        self.saw("open.write", ("record", self.script.release), self.record)

    def open_write(self) -> None:
        if self.stale_record("open.read"):
            return
        release, seen = self.script.release, self.run.seen
        if self.is_later(seen.fence):
            self.stop()
            return
        others = [self.records[i] for i in range(1, len(self.records)) if i != release]
        begins = seen.status in (NONE, BACK)
        if any(
            one.status in (RUNNING, FAILED, PARTLY)
            if begins
            else one.status not in (NONE, BACK) and one.opened > seen.opened
            for one in others
        ):
            self.stop()  # PhaseOrderError: another release is not finished, or began later
            return
        if seen.status == DONE and self.model.has("settled"):
            after = seen._replace(fence=self.run.fence)
        else:
            attempt = seen.attempt + 1 if begins else seen.attempt
            after = Record(RUNNING, attempt, self.run.fence, self.run.fence)
            if seen.status == DONE:
                raise Violation("phases_last")
        if self.model.has("intent"):
            self.put_record(after)
        self.become(at="open.write")
        self.onward()

    def close_read(self) -> None:
        self.saw("close.write", ("record", self.script.release), self.record)

    def close_write(self) -> None:
        if self.stale_record("close.read"):
            return
        if self.is_later(self.run.seen.fence):
            self.stop()
            return
        status = DONE if self.script.kind == "deploy" else PARTLY if self.run.partly else BACK
        if status != DONE and self.run.seen.status == NONE:
            status = NONE
        self.put_record(self.run.seen._replace(status=status, fence=self.run.fence))
        self.become(at="close.write")
        self.onward()

    def fail_write(self) -> None:
        if self.record.status != BACK and not self.is_later(self.record.fence):
            ended = self.record.status in (DONE, PARTLY)
            opened = self.run.fence if ended else self.record.opened
            self.put_record(Record(FAILED, self.record.attempt, self.run.fence, opened))
        self.stop()

    @property
    def record(self) -> Record:
        return self.records[self.script.release]

    def stale_record(self, again: str) -> bool:
        if self.run.valid or not self.model.has("record_version"):
            return False
        self.become(at=again, seen=None, what="", valid=True)
        return True

    def put_record(self, after: Record) -> None:
        if after == self.record:
            return
        if not self.run.valid and self.record.status == DONE and after.status == RUNNING:
            raise Violation("phases_last")
        if after.attempt < self.record.attempt:
            raise Violation("phases_last")
        if self.record.fence > self.run.fence:
            raise Violation("later_stays")
        release = self.script.release
        self.records = put(self.records, release, after)
        self.wrote(("record", release))

    # The pins

    def pin_read(self) -> None:
        release, attempt = self.script.release, self.record.attempt
        known = self.pins[release]
        if self.is_later(self.record.fence) or (known and self.is_later(known[2])):
            self.stop()
            return
        kept = (
            known[1] if known and (known[0] == attempt or not self.model.has("attempt")) else None
        )
        now = tuple(one[0] for one in self.services)
        if kept is not None:
            # What another hand changed, and does not run this release, is pinned anew.
            outdated = self.model.has("outdated")
            now = tuple(
                old if image == release or not outdated else image
                for image, old in zip(now, kept, strict=True)
            )
        elif release in now and self.model.has("too_late"):
            self.stop()  # the release is on it already: its previous version is unknown
            return
        self.saw("pin.write", ("pins", release), (attempt, now, self.run.fence))

    def pin_write(self) -> None:
        release = self.script.release
        if not self.run.valid and self.model.has("pins_version"):
            self.stop()
            return
        if self.model.has("pin") and self.run.seen != self.pins[release]:
            self.put_pins(self.run.seen)
        self.become(at="pin.write")
        self.onward(service=0)

    def put_pins(self, after: tuple[t.Any, ...]) -> None:
        release = self.script.release
        if self.pins[release] and self.pins[release][2] > self.run.fence:
            raise Violation("later_stays")
        self.pins = put(self.pins, release, after)
        self.wrote(("pins", release))

    def is_later(self, epoch: int) -> bool:
        """refuse_later: whether a later holder of the lock has written it."""
        return epoch > self.run.fence and self.model.has("later_epoch")

    # What a way back leaves first, so that nobody who lost the lock writes there

    def seal_record(self) -> None:
        if self.is_later(self.record.fence):
            self.stop()
            return
        if self.record.status != NONE:
            self.put_record(self.record._replace(fence=self.run.fence))
        self.become(at="seal.pins")

    def seal_pins(self) -> None:
        known = self.pins[self.script.release]
        if known and self.is_later(known[2]):
            self.stop()
            return
        if known and known[2] != self.run.fence:
            self.put_pins((*known[:2], self.run.fence))
        self.become(at="again.read", fresh=False)

    def again_read(self) -> None:
        self.saw("again.write", "flags", self.flags)

    def again_write(self) -> None:
        if not self.run.valid and self.model.has("flags_version"):
            self.become(at="again.read", seen=None, what="", valid=True)
            return
        self.put_switch()
        self.become(at="back.read", seen=None, what="", valid=True)

    def back_read(self) -> None:
        if self.is_later(self.flags[2]):
            self.stop()
        elif self.flags[2] == self.run.fence and not self.flags[0]:
            self.become(at="pins.look", fresh=False)
        else:
            self.saw("back.check", "flags", self.flags)

    def back_write(self) -> None:
        if not self.run.valid and self.model.has("flags_version"):
            self.become(at="back.read", seen=None, what="", valid=True)
            return
        self.put_flags((False, self.flags[1], self.run.fence, self.flags[3]))
        self.become(at="pins.look", seen=None, what="", valid=True, fresh=False)

    def pins_look(self) -> None:
        if self.pins[self.script.release] is None:
            self.stop()  # nothing is pinned, so there is nothing to return to
            return
        self.onward(
            service=len(self.services) - 1, back=self.pins[self.script.release][1], fresh=False
        )

    # The services

    def wanted(self) -> int:
        back = self.script.kind == "rollback"
        return self.run.back[self.run.service] if back else self.script.release  # type: ignore[index]

    def observe(self) -> None:
        if self.script.kind == "deploy":
            self.become(fresh=False)
        self.plan("check")

    def plan(self, then: str) -> None:
        """plan_rollout: nothing to do, refused, or a patch."""
        seen = self.services[self.run.service]
        image, fence, _epoch, _late = seen
        if self.is_to_stay(image):
            if (
                self.script.kind == "rollback"
                and fence < self.run.fence
                and self.model.has("way_back_fence")
            ):
                self.saw(then, ("service", self.run.service), seen)
            else:
                self.next_service(partly=image != self.wanted())  # superseded, if not at its pin
        elif fence > self.run.fence and self.model.has("later_fence"):
            self.give_up()
        else:
            self.saw(then, ("service", self.run.service), seen)

    def is_to_stay(self, image: int) -> bool:
        """Whether a run leaves it, but for the fence of a way back: it is as wanted, or another hand's."""
        foreign = self.script.kind == "rollback" and image != self.script.release
        return image == self.wanted() or (foreign and self.model.has("ours"))

    def patch(self) -> None:
        if not self.run.valid and self.model.has("generation"):
            current = self.services[self.run.service][0]
            if current == self.run.seen[0] or self.is_to_stay(current):
                self.plan("patch")
            else:
                self.give_up()  # superseded
            return
        before = self.run.seen[0]
        if self.is_to_stay(before):
            self.write_service(before)
            self.next_service(partly=before != self.wanted())
            return
        self.write_service(self.wanted())
        if self.script.kind == "deploy":
            self.become(at="proof", back=before, seen=None, what="", valid=True)
            if not self.troubles:
                self.next_service()
        else:
            self.next_service()

    def works(self) -> None:
        self.next_service()

    def fails(self) -> None:
        self.troubles -= 1
        self.become(at="undo.read")

    def undo_read(self) -> None:
        seen = self.services[self.run.service]
        if seen[0] != self.script.release:
            self.become(at="fail.check", fresh=False, back=0)  # superseded
        elif seen[1] > self.run.fence and self.model.has("undo_later_fence"):
            self.become(at="fail.check", fresh=False, back=0)
        else:
            self.saw("undo.check", ("service", self.run.service), seen)

    def undo_blind(self) -> None:
        self.troubles -= 1
        self.become(at="undo.patch")

    def undo_patch(self) -> None:
        if not self.run.valid and self.model.has("generation"):
            current = self.services[self.run.service]
            later = current[1] > self.run.fence and self.model.has("undo_later_fence")
            if current[0] == self.run.seen[0] and not later:
                self.saw("undo.patch", ("service", self.run.service), current)
            else:
                self.become(at="fail.check", seen=None, what="", valid=True, fresh=False, back=0)
            return
        self.write_service(self.run.back)
        self.become(at="fail.check", seen=None, what="", valid=True, fresh=False, back=0)

    def write_service(self, image: int) -> None:
        release, number = self.script.release, self.run.service
        current, fence, epoch, late = self.services[number]
        if epoch > self.run.fence:
            raise Violation("epochs_rise")
        if not self.run.valid and current != self.run.seen[0]:
            raise Violation("looked_first")
        if self.script.kind == "rollback" and current not in (release, image):
            raise Violation("undone_ours")
        if image == release and self.holds_it:
            if self.record.status == NONE:
                raise Violation("intent_first")
            if self.pins[release] is None:
                raise Violation("pinned_first")
            if not late and self.pins[release][1][number] != current:
                raise Violation("pins_are_old")
        if image == release and not self.holds_it and self.record.status == BACK:
            raise Violation("stays_back")
        written = self.run.fence if self.model.has("fence") else fence
        late = late if image == current else not self.holds_it
        self.services = put(self.services, number, (image, written, self.run.fence, late))
        self.wrote(("service", number))

    def next_service(self, *, partly: bool = False) -> None:
        number = self.run.service + (1 if self.script.kind == "deploy" else -1)
        self.become(seen=None, what="", valid=True, partly=self.run.partly or partly)
        if 0 <= number < len(self.services):
            self.become(at="observe", service=number)
            return
        self.become(at="observe", back=0)
        self.onward(service=0, fresh=False)

    def give_up(self) -> None:
        """A deployment stops; a way back goes on with the others."""
        if self.script.kind == "deploy":
            self.become(at="fail.check", seen=None, what="", valid=True, fresh=False, back=0)
        else:
            self.next_service(partly=True)

    # The flags

    def flags_read(self) -> None:
        if self.is_later(self.flags[2]):
            self.stop()
            return
        meant = self.flags[1] == AUTOMATIC and self.run.fence <= self.flags[3]
        if (self.flags[1] == PERSON and self.model.has("switch")) or (
            meant and self.model.has("switch_epoch")
        ):
            self.stop()  # KilledError
            return
        if self.flags[:3] == (True, UNSET, self.run.fence):
            self.become(at="flags.write")
            self.onward(fresh=False)
            return
        self.saw("flags.check", "flags", self.flags)

    def flags_write(self) -> None:
        if not self.run.valid and self.model.has("flags_version"):
            self.become(at="flags.read", seen=None, what="", valid=True)
            return
        if self.flags[1] == PERSON:
            raise Violation("stays_killed")
        if self.flags[1] == AUTOMATIC and self.run.fence <= self.flags[3]:
            raise Violation("stays_off")
        holder = self.lease.holder
        if holder != self.who and holder not in (FREE, DEAD):
            beside = self.runs[holder]
            # From its second switch to its end.
            if self.model.scripts[holder].kind == "rollback" and beside.at in RETURNING:
                raise Violation("stays_off")
        self.put_flags((True, UNSET, self.run.fence, self.flags[3]))
        self.become(at="flags.write")
        self.onward(fresh=False)

    def kill_read(self) -> None:
        self.saw("kill.write", "flags", self.flags)

    def kill_write(self) -> None:
        if not self.run.valid and self.model.has("flags_version"):
            self.become(at="kill.read", seen=None, what="", valid=True)
            return
        self.put_switch()
        self.become(at="kill.write")
        self.onward()
        if self.run.at == "end":
            self.runs[self.who] = Run("end")

    def put_switch(self) -> None:
        """plan_set: a person's stays a person's, and an automatic one is meant for all who hold the lock until now."""
        _on, _switch, fence, epoch = self.flags
        person = self.script.kind == "kill" or self.run.seen[1] == PERSON
        if self.flags[1] == PERSON and not person:
            raise Violation("stays_killed")
        switch = PERSON if person else AUTOMATIC
        self.put_flags((False, switch, fence, epoch if person else max(epoch, self.lease.fence)))

    def put_flags(self, after: tuple[bool, str, int, int]) -> None:
        if after[2] != self.flags[2] > self.run.fence:
            raise Violation("later_stays")
        if after != self.flags:
            self.wrote("flags")
            self.flags = after

    # What goes wrong

    def crash(self) -> None:
        self.crashes -= 1
        if self.lease.holder == self.who:
            self.lease = self.lease._replace(holder=DEAD)
        self.runs[self.who] = Run("crashed")

    def again(self) -> None:
        self.runs[self.who] = Run(SCRIPTS[self.script.kind][0])

    def pause(self) -> None:
        self.crashes -= 1
        self.become(paused=True, fresh=False)

    def wake(self) -> None:
        self.become(paused=False)


def put(row: tuple[t.Any, ...], index: int, value: t.Any) -> tuple[t.Any, ...]:
    return (*row[:index], value, *row[index + 1 :])
