# SPDX-License-Identifier: GPL-3.0-or-later
"""What people are told of a look, each only once: the record of the release knows what was told. Pure."""

from __future__ import annotations

import hashlib
import typing as t
from dataclasses import asdict, dataclass

from .._alerts.fired import moment
from .memory import Ended, Memory
from .models import KILL_SWITCH, TELL, Act, Acts, Cause, Observation

OPEN, CLOSE = "trigger", "resolve"
RESUME = "playbooks/ramp.yml"


@dataclass(frozen=True)
class Announcement:
    """`key` is the same for the same news. `page` is OPEN, CLOSE or "", for the incident that is called `incident`."""

    key: str
    text: str
    page: str = ""
    incident: str = ""

    def to_result(self) -> dict[str, str]:
        return asdict(self)


def announcements(
    seen: Observation,
    acts: Acts,
    memory: Memory,
    lasting: t.Iterable[tuple[str, Cause]],
    *,
    told: t.Container[str],
    release: str,
    attempt: int,
    place: str,
) -> list[Announcement]:
    """All that is to be told and was not yet, the oldest first. `told` are the keys of what was."""
    own = [one for one in acts.acts if (one.release, one.attempt) == (release, attempt)]
    ids = {one.id for one in own}
    found = [_silence(one.begin, one.end) for one in memory.silences]
    found += [_acted(one) for one in own]
    found += [_lasts(act, cause, place) for act, cause in lasting if act in ids]
    found += [
        _seen(one, memory.episodes[one.key].since, place)
        for one in seen.causes
        if one.calls_for == TELL and one.key in memory.episodes
    ]
    found += [_act_over(one, memory, place) for one in own if _cured(one, acts, memory)]
    found += [
        _over(one, place)
        for one in memory.ended
        if not one.act and _news(one.key, one.since) in told
    ]
    if not acts.readable:
        found.append(
            Announcement(
                "guard_blind",
                "the annotation easymo.com/guard of the flags cannot be read: what the guard did already is not known, "
                "so that it acts on nothing. Delete that annotation.",
            )
        )
    return [one for one in dict.fromkeys(found) if one.key not in told]


def _acted(act: Act) -> Announcement:
    if act.what == KILL_SWITCH:
        what = f"the kill switch is set at {act.before} %: nobody has the feature"
        then = "Find the cause, then reset it with playbooks/kill_switch.yml -e reset=true -e \"reason='WHY'\""
    else:
        what = f"{act.before} % went back to {act.to} %"
        then = f"Find the cause first. Then {RESUME} watches this step before it goes up"
    return Announcement(_key(act.id), f"{what}, for {act.why}. {then}.", OPEN, act.id)


def _lasts(act: str, cause: Cause, place: str) -> Announcement:
    text = f"{cause.text}, still: what the guard did has not ended it. It stays at {place}; decide what to do"
    return Announcement(f"{_key(act)}_lasts", f"{text}.", OPEN, act)


def _seen(cause: Cause, since: float, place: str) -> Announcement:
    return Announcement(_news(cause.key, since), f"{cause.text}. The percentage stays at {place}.")


def _cured(act: Act, acts: Acts, memory: Memory) -> bool:
    """Whether all that it answered has ended."""
    left = [key for key in act.causes if acts.of(key) is act]
    return all(memory.cleared.get(key) == act.id for key in left)


def _act_over(act: Act, memory: Memory, place: str) -> Announcement:
    ends = [one.until for one in memory.ended if one.act == act.id]
    since = f" since {moment(max(ends))}" if ends else ""
    text = f"over{since}: {act.why}. The percentage stays at {place}."
    return Announcement(f"{_key(act.id)}_over", text, CLOSE, act.id)


def _over(one: Ended, place: str) -> Announcement:
    text = f"over since {moment(one.until)}: {one.text}. The percentage stays at {place}."
    return Announcement(f"{_news(one.key, one.since)}_over", text)


def _silence(begin: float, end: float) -> Announcement:
    text = (
        f"nobody looked from {moment(begin)} to {moment(end)}: find out why the guard did not run."
    )
    return Announcement(f"guard_silent_{begin:.0f}", text)


def _key(act: str) -> str:
    return f"guard_{act}"


def _news(key: str, since: float) -> str:
    named = hashlib.sha256(key.encode()).hexdigest()[:10]
    return f"guard_{named}_{since:.0f}"
