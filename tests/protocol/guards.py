"""The product's guards as data: what the model does without each, and the smallest world in which that is seen."""

from typing import NamedTuple

from .model import Script

A, B, BACK, KILL = Script("deploy"), Script("deploy", 2), Script("rollback"), Script("kill")


class Guard(NamedTuple):
    names: tuple[str, ...]
    """In the model; two where each stands in for the other."""
    where: str
    breaks: str
    scripts: tuple[Script, ...]
    services: int = 1
    crashes: int = 1
    troubles: int = 0


GUARDS = (
    Guard(("lease_version",), "Lock.to_json: resourceVersion", "one_holder", (A, A), crashes=0),
    Guard(("duration",), "plan_held: unchanged_for >= duration", "lock_is_kept", (A, A), crashes=0),
    Guard(
        ("fence",), "_rollout.plan._fence: the annotation is written", "epochs_rise", (A, BACK, A)
    ),
    Guard(("later_fence",), "_rollout.plan.check_fence", "epochs_rise", (A, BACK, A)),
    Guard(
        ("way_back_fence",),
        "_rollout.plan._plan_fence: also on what stands at its pin",
        "stays_back",
        (A, BACK),
        crashes=0,
    ),
    Guard(("generation",), "_rollout.plan._tests: the generation", "looked_first", (A, A)),
    Guard(("lock_reread",), "_lock.fence.LeaseCheck.check", "lost_is_lost", (A, A)),
    Guard(
        ("intent",),
        "release_phase/tasks/main.yml: the phase is opened first",
        "intent_first",
        (A,),
        crashes=0,
    ),
    Guard(("pin",), "release_phase/tasks/main.yml: pin", "pinned_first", (A,), crashes=0),
    Guard(
        ("attempt", "outdated"),
        "ReleaseStore.pins, outdated_pins",
        "pins_are_old",
        (A, BACK, B),
        troubles=0,
    ),
    Guard(("settled",), "_release.plan._next_phase: SETTLED", "phases_last", (A, A), crashes=0),
    Guard(("record_version",), "ReleaseStore._write: resourceVersion", "later_stays", (A, A)),
    Guard(("pins_version",), "_release.pins.write_pins: resourceVersion", "later_stays", (A, A)),
    Guard(
        ("later_epoch",),
        "_lock.models.refuse_later, of record, pins and flags",
        "later_stays",
        (A, A),
    ),
    Guard(("ours",), "_rollout.plan.is_ours", "undone_ours", (A, BACK, B)),
    Guard(("switch",), "_flags.apply._refuse_switched_off", "stays_killed", (A, KILL), crashes=0),
    Guard(
        ("switch_epoch",),
        "_flags.apply.wish_under: the epoch of the switch",
        "stays_off",
        (A, BACK),
        crashes=0,
    ),
    Guard(
        ("flags_version",),
        "FlagsPlan.to_object: resourceVersion",
        "stays_killed",
        (A, KILL),
        crashes=0,
    ),
    Guard(
        ("undo_later_fence",),
        "Undo._return: check_fence",
        "epochs_rise",
        (A, BACK, A),
        crashes=0,
        troubles=2,
    ),
)
