# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide the writes of setting, resetting and lowering from the current flags, and write switch and flags in one go."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ._cluster import (
    KILL_SWITCH_ANNOTATION,
    KILL_SWITCH_EPOCH_ANNOTATION,
    RAMP_ANNOTATION,
    Clock,
    Cluster,
)
from ._errors import ConflictError, DeployError, VerificationError
from ._flags.apply import (
    KillSwitch,
    decide_flags,
    differing,
    epoch_of_switch,
    is_lower,
    observe_flags,
)
from ._flags.consumer import ConsumerState, tell_wrong
from ._flags.plan import FlagsMap, FlagsPlan, Wish
from ._flags.pods import REACHED, RUNNING
from ._lock.apply import epoch_now
from ._lock.models import epoch_in
from ._ramp.plan import RampState
from ._time import read_time

SET, LOWERED, RESET = "set", "lowered", "reset"


def plan_set(observed: FlagsMap, wanted: KillSwitch, epoch: int = 0) -> Wish:
    """`epoch`: the deploy lock's, which an automatic switch stores.

    The first actor stays named, but a person takes over an automatic switch.

    Held flags stay held: one switch may hold the features of two releases. A switch without flags holds all, and
    continues to.
    """
    return _leaving_step(observed, _set(observed, wanted, epoch), wanted.set_at)


def _set(observed: FlagsMap, wanted: KillSwitch, epoch: int) -> Wish:
    current = KillSwitch.from_annotations(observed.annotations)
    risen = wanted.automatic and epoch > epoch_of_switch(observed)
    if risen and (current is None or current.automatic):
        wish = _set(observed, wanted, 0)
        at = {KILL_SWITCH_EPOCH_ANNOTATION: str(epoch)}
        return replace(wish, annotations={**wish.annotations, **at})
    if current is None:
        return _written(wanted, wanted.flags)
    named = current if wanted.automatic or not current.automatic else wanted
    flags = {**current.flags, **wanted.flags}
    switch = replace(named, flags=flags if current.flags else {})
    return Wish(flags=flags) if switch == current else _written(switch, flags)


def _written(switch: KillSwitch, flags: t.Mapping[str, str]) -> Wish:
    return Wish(flags=flags, annotations={KILL_SWITCH_ANNOTATION: switch.to_annotation()})


def _leaving_step(observed: FlagsMap, wish: Wish, at: str) -> Wish:
    """The ramp's step has to be watched anew: Git may bring its percentage back before a ramp looks."""
    state = RampState.from_annotation(observed.annotations.get(RAMP_ANNOTATION))
    moved = any(observed.data.get(name) != value for name, value in wish.flags.items())
    if state is None or not moved:
        return wish
    left = {RAMP_ANNOTATION: state.left(read_time(at)).to_annotation()}
    return replace(wish, annotations={**wish.annotations, **left})


def plan_lowered(observed: FlagsMap, flag: str, percentage: int, at: str) -> Wish:
    """Lower a percentage or raise ConflictError. Any number is less than a text, whose effect on pods is unknown."""
    present = observed.data.get(flag, "0")
    wanted = str(percentage)
    if wanted == present or is_lower(wanted, present) or not is_lower("-1", present):
        return _leaving_step(observed, Wish(flags={flag: wanted}), at)
    raise ConflictError(
        f"{flag} is {present} and {wanted} would be more, which the kill switch never sets: use "
        "playbooks/ramp.yml. Nothing was written."
    )


def plan_reset(_observed: FlagsMap) -> Wish:
    """Reset the switch. The flags stay off until a person turns them on."""
    return Wish(annotations={KILL_SWITCH_ANNOTATION: None})


def to_sentence(
    state: str,
    switch: KillSwitch | None,
    flags: t.Mapping[str, str],
    *,
    by: str,
    reason: str,
    check_mode: bool = False,
    reached_after: float | None = None,
    moved: bool = True,
) -> str:
    """The switch's state after the write, or as it would be in check mode, for people."""
    values = ", ".join(f"{name}={value}" for name, value in flags.items())
    because = f"because: {reason.rstrip('.')}."
    reached = " Every pod runs it."
    if reached_after is None:
        reached = ""
    elif moved:
        reached = f" Every pod ran it {reached_after:.1f} s after the command began."
    if state == RESET:
        reset = "would reset" if check_mode else "reset"
        stay = "would stay" if check_mode else "stay"
        return f"{by} {reset} the kill switch, {because} The flags {stay} as they are until somebody turns them on."
    if state == SET and switch is not None:
        if check_mode:
            return f"{by} would set the kill switch, {because} It would hold {values}."
        return f"{str(switch).rstrip('.')}. It holds {values}.{reached}"
    lowered = ", ".join(f"{name} to {value}" for name, value in flags.items())
    return f"{by} {'would lower' if check_mode else 'lowered'} {lowered}, {because}{reached}"


ATTEMPTS = 50
"""Enough that the switch is written despite other writers."""
LOOK = 5.0
"""Seconds that a look at the lock may take."""

Decide = t.Callable[[FlagsMap, int], Wish]
"""Decides the write from the observed flags and the epoch of the deploy lock."""


def write_switch(
    cluster: Cluster,
    name: str,
    decide: Decide,
    *,
    clock: Clock,
    check_mode: bool,
    automatic: bool,
) -> FlagsPlan:
    """Write the switch. API errors are retried until the cluster's deadline: nothing is off before this write.

    Only an `automatic` switch reads the lock; else its epoch is 0. Without a readable lock the epoch on the flags
    counts.
    """

    def wish(observed: FlagsMap) -> Wish:
        if not automatic:
            return decide(observed, 0)
        epoch = epoch_now(cluster.until(clock.now() + LOOK))
        return decide(observed, max(epoch, epoch_in(observed.annotations)))

    return decide_flags(cluster, name, wish, check_mode=check_mode, attempts=ATTEMPTS)


def overruled(cluster: Cluster, plan: FlagsPlan) -> tuple[str, ...]:
    """The switch and the flags that differ from the write by now; none while they cannot be read."""
    try:
        current = observe_flags(cluster, plan.before.name)
    except DeployError:
        return ()
    flags = differing(current, {name: plan.after.get(name) for name in plan.wish.flags})
    was, now = (KILL_SWITCH_ANNOTATION in flags_map.annotations for flags_map in (plan, current))
    return (*([KILL_SWITCH_ANNOTATION] if was and not now else []), *flags)


def check_reached(
    config_map: str,
    consumers: t.Sequence[ConsumerState],
    details: t.Mapping[str, t.Any],
    changed: t.Sequence[str] = (),
) -> None:
    """Raise for every pod that does not run with the flags or could not be asked.

    `changed`: flags that another writer has changed since, which is then the cause.
    """
    wrong = tell_wrong(consumers)
    if not wrong:
        return
    if changed:
        raise ConflictError(
            f"ConfigMap {config_map!r} was written, and somebody else changed it while the pods came to it: check "
            f"{', '.join(changed)}. Not as they were written run: {wrong}. Find out who does the opposite, and run the "
            "same command again if you still want this.",
            **details,
        )
    pods = [pod for consumer in consumers for pod in consumer.pods if pod.state in RUNNING]
    good = sum(pod.state == REACHED for pod in pods)
    sentences = [
        f"ConfigMap {config_map!r} is written, so new pods have the flags, but only "
        f"{good} of {len(pods)} pods are verified; not these: {wrong}.",
        *(f"{each.name}: {each.problem}" for each in consumers if each.problem and each.listed),
        *(f"{each.name}: {each.note}" for each in consumers if each.note),
        "Run the same command again: it continues with the rest.",
    ]
    raise VerificationError(" ".join(sentences), **details)
