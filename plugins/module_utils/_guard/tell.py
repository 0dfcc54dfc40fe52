# SPDX-License-Identifier: GPL-3.0-or-later
"""What a look makes of what it saw, as a result, in words, and as news that people are told once. Pure.

What could not be looked at is no cause, and ends none. The record of the release knows what was told.
"""

from __future__ import annotations

import typing as t
from dataclasses import asdict, dataclass, field

from .._alerts.api import describe, identity
from .._alerts.plan import LoadedRule
from .._flags.apply import RESET
from .._flags.consumer import ConsumerState, tell_wrong
from .._flags.plan import FlagsPlan
from .._flags.pods import RUNNING, STALE, PodState
from .._formats import listed, span
from .._gate.models import Sample
from .._gate.sources import GATE, NOTE, ROLLBACK
from .._lock.models import Lock
from .._lock.plan import UNLOCK
from .._lock.plan import describe as describe_lock
from .._ramp.apply import TRUE
from .._ramp.options import went_back
from .._release.record import Record
from .._time import of_epoch
from . import memory as guard
from .memory import Acts, GuardAct, GuardCause, GuardMemory, Observation, RampPosition, Rules

GUARD = "guard"
"""The annotation of an alerting rule with the guard's action when it fires."""
_BY_GATE = {ROLLBACK: guard.STEP_DOWN, NOTE: guard.IGNORE}
"""The guard's action for a rule with only a release's action."""


def of_alerts(rules: t.Iterable[LoadedRule]) -> list[GuardCause]:
    """Causes of the firing alerts. Pending and resolved alerts are no cause."""
    fired: list[GuardCause] = []
    for rule in rules:
        calls_for = called_for(rule)
        for alert in rule.firing if calls_for != guard.IGNORE else ():
            name, about = identity({"alertname": rule.name, **alert.labels})
            key = f"{guard.ALERT} {name}{f' ({about})' if about else ''}"
            description = describe(rule.name, alert.labels, of_epoch(alert.since))
            fired.append(GuardCause(key, calls_for, f"{description} fires"))
    return fired


def called_for(rule: LoadedRule) -> str:
    action = rule.annotations.get(GUARD, "").strip()
    if action in (guard.STEP_DOWN, guard.KILL_SWITCH, guard.TELL, guard.IGNORE):
        return action
    # An unknown word must not silence an alert.
    return _BY_GATE.get(rule.annotations.get(GATE, "").strip(), guard.TELL)


def of_blindness(
    unseen: t.Mapping[str, float], samples: t.Mapping[str, Sample], rules: Rules, now: float
) -> list[GuardCause]:
    blind = sorted(name for name, since in unseen.items() if now - since >= rules.blind_after)
    if not blind:
        return []
    since = min(unseen[name] for name in blind)
    why = samples[blind[0]].problem
    text = f"{', '.join(blind)} could not be seen since {of_epoch(since)} ({why})"
    return [GuardCause(guard.SIGHT, guard.TELL, text)]


def of_lock(lock: Lock | None, *, dead: bool, unchanged_for: float) -> list[GuardCause]:
    """`dead`: its run ended. `unchanged_for`: seconds without a new renewal on our clock, as clocks differ."""
    if lock is None or not lock.holder or lock.manual:
        return []
    if not dead and not 0 < lock.duration < unchanged_for:
        return []
    text = f"{describe_lock(lock)}, and the run that took it is gone: run {UNLOCK}"
    return [GuardCause(f"{guard.LOCK} {lock.fence}", guard.TELL, text)]


def of_pods(consumers: t.Iterable[ConsumerState]) -> list[GuardCause]:
    """The cause of pods that run with other flags than those that are set."""
    stale = [pod for consumer in consumers for pod in consumer.pods if pod.state == STALE]
    if not stale:
        return []
    pods = ", ".join(f"pod {pod.pod} ({pod.detail})" for pod in stale)
    return [GuardCause(guard.PODS, guard.TELL, f"not with the flags that are set: {pods}")]


def unknown_pods(consumers: t.Sequence[ConsumerState]) -> bool:
    """Whether the flags of a pod are unknown."""
    return any(
        not consumer.listed or any(pod.state in RUNNING and not pod.values for pod in consumer.pods)
        for consumer in consumers
    )


def run_more(
    consumers: t.Iterable[ConsumerState], flag: str, enabled_by: str, wanted: t.Mapping[str, str]
) -> bool:
    """Whether a pod gives the feature to more users than the flags that are set."""
    return any(
        pod.state == STALE and _more(pod, flag, enabled_by, wanted)
        for consumer in consumers
        for pod in consumer.pods
    )


def _more(pod: PodState, flag: str, enabled_by: str, wanted: t.Mapping[str, str]) -> bool:
    off = wanted.get(enabled_by, "true").lower() not in TRUE
    if off and (pod.values.get(enabled_by) or "").lower() in TRUE:
        return True
    ours, theirs = wanted.get(flag, "0"), pod.values.get(flag) or "0"
    # An invalid value may be any percentage: replacing it by the set flags can only take users out.
    return ours.isdigit() and (not theirs.isdigit() or int(theirs) > int(ours))


OPEN, CLOSE = "trigger", "resolve"
SHOWN = 3
"""So many causes of one look are named, and of more the number: an outage can fire an alert for each service."""


@dataclass(frozen=True)
class GuardAnnouncement:
    """`key` identifies the news. `page`: OPEN, CLOSE or "", for the incident named `incident`."""

    key: str
    text: str
    page: str = ""
    incident: str = ""


@dataclass(frozen=True)
class GuardLook:
    """The outcome of a look. `resting`: why there is nothing to guard, "" while there is."""

    resting: str = ""
    place: RampPosition = field(default_factory=lambda: RampPosition(None))
    choice: guard.Choice = field(default_factory=guard.Choice)
    observation: Observation = field(default_factory=Observation)
    memory: GuardMemory | None = None
    flags: FlagsPlan | None = None
    consumers: tuple[ConsumerState, ...] = ()
    delivered: bool = False
    stored: bool = True
    news: tuple[GuardAnnouncement, ...] = ()


def announcements(
    observation: Observation,
    acts: Acts,
    memory: GuardMemory,
    lasting: t.Iterable[tuple[str, GuardCause]],
    *,
    record: Record,
    place: str,
) -> list[GuardAnnouncement]:
    """The announcements that are due and not in the release's record yet, the oldest first."""
    announced = {entry.name for entry in record.announcements}
    this = (record.version, record.attempt)
    own = [act for act in acts.acts if (act.release, act.attempt) == this]
    ids, stays = {act.id for act in own}, f"The percentage stays at {place}."
    news = []
    for silence in memory.silences:
        times = f"from {of_epoch(silence.begin)} to {of_epoch(silence.end)}"
        text = f"the guard did not look {times}: find out why it did not run."
        news.append(GuardAnnouncement(f"guard_silent_{silence.begin:.0f}", text))
    news += [_acted(act) for act in own]
    for act_id, cause in lasting:
        if act_id in ids:
            text = f"{cause.text}, still: what the guard did has not ended it. It stays at {place}; decide what to do."
            news.append(GuardAnnouncement(f"{_key(act_id)}_lasts", text, OPEN, act_id))
    news += _present(observation, memory, stays)
    news += _cured(own, acts, memory, stays)
    news += _over(memory, stays, announced)
    if not acts.readable:
        news.append(
            GuardAnnouncement(
                "guard_blind",
                "the annotation easymo.com/guard of the flags cannot be read: what the guard did already is not known, "
                "so that it acts on nothing. Delete that annotation.",
            )
        )
    return [entry for entry in dict.fromkeys(news) if entry.key not in announced]


def _acted(act: GuardAct) -> GuardAnnouncement:
    text = went_back(act.before, act.to, act.why)
    if act.what == guard.KILL_SWITCH:
        text = (
            f"the kill switch is set at {act.before} %: no user has the feature, for {act.why}. "
            f"Find the cause, then reset it with {RESET}."
        )
    return GuardAnnouncement(_key(act.id), text, OPEN, act.id)


def _present(
    observation: Observation, memory: GuardMemory, stays: str
) -> t.Iterator[GuardAnnouncement]:
    """All causes that began at one look together, for as long as any of them lasts."""
    began: dict[float, list[str]] = {}
    for cause in observation.causes:
        if cause.calls_for == guard.TELL and cause.key in memory.episodes:
            began.setdefault(memory.episodes[cause.key].since, []).append(cause.text)
    for since, texts in began.items():
        yield GuardAnnouncement(_together(since), f"{listed(texts, SHOWN, '; ')}. {stays}")


def _over(
    memory: GuardMemory, stays: str, announced: t.Container[str]
) -> t.Iterator[GuardAnnouncement]:
    """Once the last of the causes that were announced together has ended."""
    last = {each.since for each in memory.episodes.values() if each.calls_for == guard.TELL}
    for since in dict.fromkeys(ended.since for ended in memory.ended if not ended.act):
        if since not in last and _together(since) in announced:
            ended = [each for each in memory.ended if each.since == since and not each.act]
            more = "; and what began with it" if ended[1:] else ""
            text = f"over since {of_epoch(max(each.until for each in ended))}: {ended[0].text}"
            yield GuardAnnouncement(f"{_together(since)}_over", f"{text}{more}. {stays}")


def _cured(
    own: t.Iterable[GuardAct], acts: Acts, memory: GuardMemory, stays: str
) -> t.Iterator[GuardAnnouncement]:
    """Of each act all of whose causes have ended."""
    for act in own:
        left = [key for key in act.causes if acts.of(key) is act]
        if all(memory.cleared.get(key) == act.id for key in left):
            ends = [ended.until for ended in memory.ended if ended.act == act.id]
            since = f" since {of_epoch(max(ends))}" if ends else ""
            text = f"over{since}: {act.why}. {stays}"
            yield GuardAnnouncement(f"{_key(act.id)}_over", text, CLOSE, act.id)


def _key(act: str) -> str:
    return f"guard_{act}"


def _together(since: float) -> str:
    return f"guard_since_{since:.0f}"


NONE, DELIVERED, REST = "none", "delivered", "rest"


def to_result(look: GuardLook, attempt: int, *, check_mode: bool) -> dict[str, t.Any]:
    action = look.choice.what or (DELIVERED if look.delivered else NONE)
    restarts = any(consumer.restarted or consumer.replaced for consumer in look.consumers)
    text = sentence(look, check_mode=check_mode)
    return {
        "changed": bool(look.choice.what) or (look.delivered and (restarts or check_mode)),
        "action": REST if look.resting else action,
        "sentence": text,
        "remarks": [text],
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
        done = f"{'Would go' if check_mode else 'Went'} back to {look.place.words}"
        if look.choice.what == guard.KILL_SWITCH:
            done = f"The kill switch {'would be' if check_mode else 'is'} set"
        return f"{done}, for {look.choice.why}."
    if not look.delivered:
        return _nothing_done_words(look)
    would = "would be brought" if check_mode else "were brought"
    return f"{_nothing_done_words(look)} Pods that ran with more than that {would} to it."


def _nothing_done_words(look: GuardLook) -> str:
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
