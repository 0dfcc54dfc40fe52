# SPDX-License-Identifier: GPL-3.0-or-later
"""What people are told of a look, each only once: the record of the release knows what was told. Pure."""

from __future__ import annotations

import hashlib
import typing as t
from dataclasses import asdict, dataclass

from .._alerts.fired import moment
from .memory import EndedCause, GuardMemory
from .models import KILL_SWITCH, TELL, Acts, GuardAct, GuardCause, Observation

OPEN, CLOSE = "trigger", "resolve"
RESUME = "playbooks/ramp.yml"


@dataclass(frozen=True)
class GuardAnnouncement:
    """`key` identifies the news. `page`: OPEN, CLOSE or "", for the incident named `incident`."""

    key: str
    text: str
    page: str = ""
    incident: str = ""

    def to_result(self) -> dict[str, str]:
        return asdict(self)


def announcements(
    observation: Observation,
    acts: Acts,
    memory: GuardMemory,
    lasting: t.Iterable[tuple[str, GuardCause]],
    *,
    announced: t.Container[str],
    release: str,
    attempt: int,
    place: str,
) -> list[GuardAnnouncement]:
    """The announcements that are due, the oldest first. `announced`: the keys of earlier ones."""
    own = [act for act in acts.acts if (act.release, act.attempt) == (release, attempt)]
    ids = {act.id for act in own}
    news = [_silence(silence.begin, silence.end) for silence in memory.silences]
    news += [_acted(act) for act in own]
    news += [_lasts(act, cause, place) for act, cause in lasting if act in ids]
    news += [
        _present(cause, memory.episodes[cause.key].since, place)
        for cause in observation.causes
        if cause.calls_for == TELL and cause.key in memory.episodes
    ]
    news += [_act_over(act, memory, place) for act in own if _cured(act, acts, memory)]
    news += [
        _over(ended, place)
        for ended in memory.ended
        if not ended.act and _news(ended.key, ended.since) in announced
    ]
    if not acts.readable:
        news.append(
            GuardAnnouncement(
                "guard_blind",
                "the annotation easymo.com/guard of the flags cannot be read: what the guard did already is not known, "
                "so that it acts on nothing. Delete that annotation.",
            )
        )
    return [
        announcement for announcement in dict.fromkeys(news) if announcement.key not in announced
    ]


def _acted(act: GuardAct) -> GuardAnnouncement:
    if act.what == KILL_SWITCH:
        what = f"the kill switch is set at {act.before} %: nobody has the feature"
        then = "Find the cause, then reset it with playbooks/kill_switch.yml -e reset=true -e \"reason='WHY'\""
    else:
        what = f"{act.before} % went back to {act.to} %"
        then = f"Find the cause first. Then {RESUME} watches this step before it goes up"
    return GuardAnnouncement(_key(act.id), f"{what}, for {act.why}. {then}.", OPEN, act.id)


def _lasts(act: str, cause: GuardCause, place: str) -> GuardAnnouncement:
    text = f"{cause.text}, still: what the guard did has not ended it. It stays at {place}; decide what to do"
    return GuardAnnouncement(f"{_key(act)}_lasts", f"{text}.", OPEN, act)


def _present(cause: GuardCause, since: float, place: str) -> GuardAnnouncement:
    return GuardAnnouncement(
        _news(cause.key, since), f"{cause.text}. The percentage stays at {place}."
    )


def _cured(act: GuardAct, acts: Acts, memory: GuardMemory) -> bool:
    """Whether all causes that the act answered have ended."""
    left = [key for key in act.causes if acts.of(key) is act]
    return all(memory.cleared.get(key) == act.id for key in left)


def _act_over(act: GuardAct, memory: GuardMemory, place: str) -> GuardAnnouncement:
    ends = [ended.until for ended in memory.ended if ended.act == act.id]
    since = f" since {moment(max(ends))}" if ends else ""
    text = f"over{since}: {act.why}. The percentage stays at {place}."
    return GuardAnnouncement(f"{_key(act.id)}_over", text, CLOSE, act.id)


def _over(ended: EndedCause, place: str) -> GuardAnnouncement:
    text = f"over since {moment(ended.until)}: {ended.text}. The percentage stays at {place}."
    return GuardAnnouncement(f"{_news(ended.key, ended.since)}_over", text)


def _silence(begin: float, end: float) -> GuardAnnouncement:
    text = (
        f"nobody looked from {moment(begin)} to {moment(end)}: find out why the guard did not run."
    )
    return GuardAnnouncement(f"guard_silent_{begin:.0f}", text)


def _key(act: str) -> str:
    return f"guard_{act}"


def _news(key: str, since: float) -> str:
    named = hashlib.sha256(key.encode()).hexdigest()[:10]
    return f"guard_{named}_{since:.0f}"
