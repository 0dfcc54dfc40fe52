# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Put all probes to a webhook side by side, and look for what it accepted."""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass, field, replace

from .._errors import DeployError, InputError, UnreachableError, VerificationError
from .._threads import side_by_side
from .models import Probe, ProbeResult, Sightings, Webhook
from .probes import describe

_THREADS = 8


@dataclass(frozen=True)
class Trace:
    """Where accepted messages are looked for, and for how many seconds."""

    sightings: Sightings
    in_logs: bool
    wait: float
    pause: float = 2.0
    """The log query of the platform allows thirty calls a minute."""
    clock: t.Callable[[], float] = field(default=time.monotonic, repr=False)
    sleep: t.Callable[[float], None] = field(default=time.sleep, repr=False)


def ask(webhook: Webhook, probes: t.Sequence[Probe]) -> list[ProbeResult]:
    """The outcomes in the order of the probes. None is left out because another failed."""
    return side_by_side(lambda probe: _one(webhook, probe), probes, at_once=_THREADS)


def _one(webhook: Webhook, probe: Probe) -> ProbeResult:
    started = time.monotonic()
    answer = webhook.send(probe.request)
    seconds = time.monotonic() - started
    wrong = probe.judge(answer) if answer.status else answer.text
    evidence = wrong or describe(probe, answer)
    unclear = "" if wrong else probe.unclear(answer)
    return ProbeResult(
        probe.name, not wrong, answer.status, seconds, evidence, probe.message_id, unclear
    )


def settle(
    probes: t.Sequence[Probe], outcomes: t.Sequence[ProbeResult], *, accept: bool
) -> list[ProbeResult]:
    """What an answer left open is known all the same where a table tells where the message went, and no more is asked.
    Else nobody knows yet: it passes when people are asked (`accept`), and is unseen when not.
    """
    return [
        outcome if not (outcome.passed and outcome.unclear) else _open(outcome, probe, accept)
        for probe, outcome in zip(probes, outcomes, strict=True)
    ]


def _open(outcome: ProbeResult, probe: Probe, accept: bool) -> ProbeResult:
    told = f"{outcome.evidence}; {outcome.unclear}"
    message = probe.message
    if message and message.recorded_in and not message.reply_contains and message.buttons is None:
        return replace(outcome, unclear="")
    if accept:
        return replace(outcome, evidence=told)
    return replace(outcome, passed=False, unseen=True, evidence=told)


def trace(
    probes: t.Sequence[Probe], outcomes: t.Sequence[ProbeResult], where: Trace
) -> list[ProbeResult]:
    """The outcomes again, those of accepted messages with where they were seen, or as failures."""
    accepted = {
        outcome.message_id: probe
        for probe, outcome in zip(probes, outcomes, strict=True)
        if outcome.passed and probe.message
    }
    places = {one: _places(probe, in_logs=where.in_logs) for one, probe in accepted.items()}
    seen, problem = _look(places, where)
    stray = {one: _misplaced(probe, where.sightings) for one, probe in accepted.items()}
    found = {one: _conclude(places[one], seen[one], problem, stray[one]) for one in accepted}
    blind = {one for one in accepted if places[one] - seen[one] == {""} and not stray[one]}
    return [
        replace(traced, unseen=traced.message_id in blind)
        for outcome in outcomes
        for traced in [_with(outcome, *found.get(outcome.message_id, ("", "")))]
    ]


def _places(probe: Probe, *, in_logs: bool) -> frozenset[str]:
    if probe.message is None:
        return frozenset()
    return frozenset(probe.message.recorded_in) | ({""} if in_logs else frozenset())


def _look(wanted: t.Mapping[str, frozenset[str]], where: Trace) -> tuple[dict[str, set[str]], str]:
    """By message the places that it was seen in, the log being the empty name; and why the last look saw nothing."""
    seen: dict[str, set[str]] = {one: set() for one in wanted}
    deadline = where.clock() + where.wait
    pause, problem = 0.3, ""
    while True:
        problem = ""
        for place in sorted({place for places in wanted.values() for place in places}):
            missing = [one for one in wanted if place in wanted[one] and place not in seen[one]]
            try:
                for one in _seen_in(place, missing, where.sightings):
                    seen[one].add(place)
            except InputError:
                raise
            except DeployError as exc:
                problem = str(exc)
        if all(wanted[one] <= seen[one] for one in wanted) or where.clock() + pause > deadline:
            return seen, problem
        where.sleep(pause)
        pause = where.pause


def _seen_in(place: str, message_ids: list[str], sightings: Sightings) -> frozenset[str]:
    if not message_ids:
        return frozenset()
    return sightings.recorded(place, message_ids) if place else sightings.logged(message_ids)


def _misplaced(probe: Probe, sightings: Sightings) -> str:
    """The first table that has the message and should not."""
    for table in probe.message.not_recorded_in if probe.message else ():
        if sightings.recorded(table, [probe.message_id]):
            return table
    return ""


def _conclude(
    wanted: frozenset[str], seen: t.Collection[str], problem: str, misplaced: str
) -> tuple[str, str]:
    """What to add to the evidence of a message that was accepted, or what is wrong."""
    missing = [_worded(place) for place in sorted(wanted - set(seen))]
    if misplaced:
        return "", f"it stands in {misplaced}, where it should not"
    if missing:
        why = f" ({problem.rstrip('.')})" if problem else ""
        return "", f"it was accepted and is not seen in {' nor in '.join(missing)}{why}"
    return " and in ".join(_worded(place) for place in sorted(wanted)), ""


def _worded(place: str) -> str:
    return place or "the function's log"


def _with(outcome: ProbeResult, where: str, wrong: str) -> ProbeResult:
    if wrong:
        return replace(outcome, passed=False, evidence=wrong)
    if where:
        return replace(outcome, evidence=f"{outcome.evidence}, seen in {where}")
    return outcome


def refuse_failures(url: str, outcomes: t.Sequence[ProbeResult]) -> None:
    """Raise one error that names every probe that failed."""
    failed = [outcome for outcome in outcomes if not outcome.passed]
    rows = [outcome.to_result() for outcome in outcomes]
    if not failed:
        return
    if unanswered(outcomes):
        raise UnreachableError(
            f"The webhook {url} answered none of {len(outcomes)} probes ({failed[0].evidence}): "
            "check that the function is deployed and reachable from here.",
            probes=rows,
        )
    findings = "; ".join(f"{outcome.name}: {outcome.evidence}" for outcome in failed)
    raise VerificationError(
        f"{len(failed)} of {len(outcomes)} probes of {url} failed: {findings}.", probes=rows
    )


def unanswered(outcomes: t.Sequence[ProbeResult]) -> bool:
    return not any(outcome.status for outcome in outcomes)
