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
SHOWN = 3
"""More causes of one look than these are announced together: an outage can fire an alert for each service."""


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
    news += _present(observation, memory, place, announced)
    news += [_act_over(act, memory, place) for act in own if _cured(act, acts, memory)]
    news += [
        _over(ended, place)
        for ended in memory.ended
        if not ended.act and _news(ended.key, ended.since) in announced
    ]
    news += _together_over(memory, place, announced)
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


def _present(
    observation: Observation, memory: GuardMemory, place: str, announced: t.Container[str]
) -> t.Iterator[GuardAnnouncement]:
    """Each cause, or all of one look together, for as long as any of them lasts."""
    episodes = memory.episodes
    by_since: dict[float, list[GuardCause]] = {}
    for cause in observation.causes:
        if cause.calls_for == TELL and cause.key in episodes:
            by_since.setdefault(episodes[cause.key].since, []).append(cause)
    end = f"The percentage stays at {place}."
    for since, causes in by_since.items():
        keys = [_news(cause.key, since) for cause in causes]
        if _together(since) in announced:
            continue
        if len(causes) > SHOWN and not any(key in announced for key in keys):
            texts = [cause.text for cause in causes[:SHOWN]]
            more = f"{'; '.join(texts)}; and {len(causes) - SHOWN} more"
            yield GuardAnnouncement(_together(since), f"{more}. {end}")
        else:
            for key, cause in zip(keys, causes, strict=True):
                yield GuardAnnouncement(key, f"{cause.text}. {end}")


def _together_over(
    memory: GuardMemory, place: str, announced: t.Container[str]
) -> t.Iterator[GuardAnnouncement]:
    """Once the last of the causes that were announced together has ended."""
    last = {episode.since for episode in memory.episodes.values()}
    for since in dict.fromkeys(ended.since for ended in memory.ended):
        if since not in last and _together(since) in announced:
            ended = [each for each in memory.ended if each.since == since]
            text = f"over since {moment(max(each.until for each in ended))}: {ended[0].text}; and what began with it"
            yield GuardAnnouncement(
                f"{_together(since)}_over", f"{text}. The percentage stays at {place}."
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


def _together(since: float) -> str:
    return f"guard_many_{since:.0f}"


def _news(key: str, since: float) -> str:
    named = hashlib.sha256(key.encode()).hexdigest()[:10]
    return f"guard_{named}_{since:.0f}"
