# SPDX-License-Identifier: GPL-3.0-or-later
"""A look as a result and in words."""

from __future__ import annotations

import typing as t
from dataclasses import asdict

from .._flags.consumer import tell_wrong
from .._formats import span
from .._time import of_epoch
from .apply import GuardLook
from .memory import GuardMemory
from .models import KILL_SWITCH

NONE, DELIVERED, REST = "none", "delivered", "rest"


def to_result(look: GuardLook, attempt: int, *, check_mode: bool) -> dict[str, t.Any]:
    action = look.choice.what or (DELIVERED if look.delivered else NONE)
    restarts = any(consumer.restarted or consumer.replaced for consumer in look.consumers)
    return {
        "changed": bool(look.choice.what) or (look.delivered and (restarts or check_mode)),
        "action": REST if look.resting else action,
        "sentence": sentence(look, check_mode=check_mode),
        "percentage": look.place.percentage,
        "causes": [asdict(cause) for cause in look.observation.causes],
        "announcements": [asdict(announcement) for announcement in look.news],
        "attempt": attempt,
        "consumers": [consumer.to_result() for consumer in look.consumers],
        "not_reached": tell_wrong(look.consumers) if look.delivered and not check_mode else "",
        "looks": looks(look.memory),
    }


def sentence(look: GuardLook, *, check_mode: bool) -> str:
    if look.resting:
        return look.resting
    if look.choice.what:
        return f"{_acted(look, check_mode=check_mode)}, for {look.choice.why}."
    sentences = [_still(look)]
    if look.delivered:
        would = "would be brought" if check_mode else "were brought"
        sentences.append(f"Pods that ran with more than that {would} to it.")
    return " ".join(sentences)


def _acted(look: GuardLook, *, check_mode: bool) -> str:
    if look.choice.what == KILL_SWITCH:
        return "The kill switch would be set" if check_mode else "The kill switch is set"
    return f"{'Would go' if check_mode else 'Went'} back to {look.place.words}"


def _still(look: GuardLook) -> str:
    place, observed = look.place, look.observation
    at = f"The kill switch is set: {place.killed}." if place.killed else f"At {place.words}."
    if observed.causes:
        waits = " The step down before gets its time to take effect." if look.choice.waiting else ""
        return f"{at} {'; '.join(cause.text for cause in observed.causes)}.{waits}"
    if not observed.hidden:
        return f"{at} Nothing calls for the guard."
    hidden = ", ".join(sorted(key.removeprefix("metric ") for key in observed.hidden))
    return f"{at} Nothing that was seen calls for the guard. Not known: {hidden}."


def looks(memory: GuardMemory | None) -> dict[str, t.Any]:
    """The times and number of looks; empty before the first look."""
    if memory is None:
        return {}
    return {
        "begun": of_epoch(memory.begun),
        "last": of_epoch(memory.last),
        "looks": memory.looks,
        "longest": round(memory.longest, 1),
        "silences": [asdict(silence) for silence in memory.silences],
    }


def when(memory: GuardMemory | None, max_silence: float, now: float) -> tuple[str, str]:
    """A sentence about the last look, and a reason when it is too long ago, else "".

    Where it never looked and need not, there is none to speak of.
    """
    if memory is None:
        if not max_silence:
            return "", ""
        return "The guard has not looked yet.", _silent("the guard has not looked yet", max_silence)
    ago = now - memory.last
    last = f"looked last at {of_epoch(memory.last)}, {span(max(0.0, ago))} ago"
    text = f"The guard {last}, {memory.looks} times since {of_epoch(memory.begun)}."
    silent = bool(max_silence) and ago > max_silence
    return text, _silent(f"the guard {last}", max_silence) if silent else ""


def _silent(what: str, max_silence: float) -> str:
    return f"{what}, and must every {span(max_silence)}: run playbooks/guard.yml, and see why its timer does not"
