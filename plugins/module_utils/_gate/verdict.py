# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide proceed, hold or rollback by rule, and what users' answers add to it. Pure.

Missing data never passes, and blindness alone never rolls back.

What a person decides of a gate, and whether it counts for the hold that there is. Pure.
"""

from __future__ import annotations

import typing as t
from dataclasses import replace
from datetime import datetime

from .._decode import encoded
from .._errors import ConflictError, InputError
from .._release.record import Act, Record
from .._time import UTC, parse_time
from .models import Decision, Metric, Reason, SampleStatus, Series, Verdict
from .state import WatchState

APPROVE, REJECT = "approve", "reject"
DECISION = ("decision", "by", "reason", "at")


def covers(decision: Act, reasons: t.Sequence[Reason]) -> bool:
    """Whether it was given for each of these, so that none is new to who gave it. One of version 0.2 names none."""
    return not decision.concerns or all(entry.concern in decision.concerns for entry in reasons)


def decision_result(decision: Act) -> dict[str, t.Any]:
    return {name: getattr(decision, name) for name in DECISION}


def decision_fact(decision: Act) -> dict[str, t.Any]:
    """As the record keeps it."""
    body = encoded(decision)
    return {name: body[name] for name in (*DECISION, "gate", "evidence")}


def all_said(record: Record, gate: str) -> list[Act]:
    """The decisions on this gate in this attempt, oldest first."""
    acts = sorted(record.facts.decisions, key=lambda act: act.name)
    return [act for act in acts if (act.gate, act.of_attempt) == (gate, record.attempt)]


def that_counts(decisions: t.Sequence[Act], state: WatchState) -> Act | None:
    """A reject of this watch before all else; an approval only of the hold that there is, so that it counts once."""
    ours = [decision for decision in decisions if decision.watch == state.began_at]
    rejected = [entry for entry in ours if entry.decision == REJECT]
    held_at = None if state.held is None else state.held_at
    approved = [entry for entry in ours if (entry.decision, entry.held) == (APPROVE, held_at)]
    return next(iter(rejected or approved), None)


def plan_decision(
    record: Record, state: WatchState | None, wanted: Act, known: t.Collection[str]
) -> tuple[Act, bool]:
    """The decision as the record has it, and whether it is to be written there."""
    if state is None or state.attempt != record.attempt:
        there = f"there is {', '.join(sorted(known))}" if known else "nothing was watched yet"
        raise InputError(
            f"Release {record.version!r} has no watch {wanted.gate!r} in its attempt {record.attempt}: {there}. "
            "Set 'gate' and 'release'."
        )
    before = [entry for entry in all_said(record, wanted.gate) if entry.watch == state.began_at]
    same = (wanted.decision, wanted.by, state.held_at)
    for entry in before:
        if (entry.decision, entry.by, entry.held) == same:
            return entry, False
    bound = replace(
        wanted,
        of_attempt=record.attempt,
        watch=state.began_at,
        held=state.held_at,
        holding=state.held_why,
        concerns=state.concerns,
    )
    _refuse_too_late(bound, state, before)
    return bound, True


def _refuse_too_late(bound: Act, state: WatchState, before: t.Sequence[Act]) -> None:
    rejected = next((entry for entry in before if entry.decision == REJECT), None)
    if rejected:
        raise ConflictError(
            f"{rejected.by} rejected the watch {bound.gate!r} at {rejected.at} "
            f"({rejected.reason}): watch again."
        )
    if state.ended in ("proceed", "rollback"):
        raise ConflictError(
            f"The watch {bound.gate!r} has ended with {state.ended!r}, so there is nothing to "
            "decide: to roll back now, use playbooks/kill_switch.yml or playbooks/rollback.yml."
        )
    if bound.decision == APPROVE and state.held is None:
        raise ConflictError(
            f"The watch {bound.gate!r} does not hold: it continues by itself. Only a hold can be "
            "approved."
        )


Entry = t.Mapping[str, t.Any]

_RANK = [Verdict.PROCEED.value, Verdict.HOLD.value, Verdict.ROLLBACK.value]
_VERDICTS = {"pass": Verdict.PROCEED, "fail": Verdict.ROLLBACK}


def newest_answers(
    recorded: t.Mapping[str, Entry], given: Entry, *, gate: str, since: str, by: str = ""
) -> dict[str, t.Any]:
    """The newest answer to each question, by its name.

    Of `recorded` those count that are about this gate and were given since the watch began, at `since`. They go before
    one of `given`, which came with the command, unless that has a later time. A text that is no RFC 3339 time is none.
    """
    results: dict[str, Entry] = {}
    for name, item in given.items():
        entry = dict(item) if isinstance(item, dict) else {"answer": item}
        results[name] = {**({"by": by} if by else {}), **entry}
    began = _answered({"at": since})
    of_gate = [item for item in recorded.values() if item.get("gate") == gate]
    for item in sorted(of_gate, key=_answered):
        name = str(item.get("name", ""))
        if _answered(item) >= max(began, _answered(results.get(name, {}))):
            results[name] = {key: item.get(key, "") for key in ("answer", "by", "at", "note")}
    return results


def _answered(entry: Entry) -> datetime:
    return parse_time(entry.get("at")) or datetime.min.replace(tzinfo=UTC)


def with_feedback(
    watch: Entry, rows: t.Sequence[Entry], *, gate: str, since: str = ""
) -> dict[str, t.Any]:
    """The result of a watch, with what people answered: the worse of both verdicts, and why.

    Where the metrics hold already, an unasked question adds nothing.
    """
    watched = str(watch["verdict"])
    unsaid = watched != Verdict.PROCEED.value
    results = [row for row in rows if not (unsaid and row["facts"]["answer"] == "none")]
    bad = [(row, _verdict(row)) for row in results if _verdict(row) is not Verdict.PROCEED]
    bad.sort(key=lambda entry: _RANK.index(entry[1].value), reverse=True)
    verdict = max([watched, *(entry.value for _row, entry in bad)], key=_RANK.index)
    span = {key: watch.get(key, "") for key in ("started", "ended")}
    reasons = [{**_reason(row, entry).to_result(), **span} for row, entry in bad]
    return {
        **watch,
        "verdict": verdict,
        "sentence": _sentence(watch, results, reasons, verdict, gate),
        "reasons": sorted(
            [*watch["reasons"], *reasons],
            key=lambda entry: _RANK.index(entry["verdict"]),
            reverse=True,
        ),
        "feedback": {
            "watched": watched,
            "since": since or span["started"],
            "answers": [
                {**{key: row[key] for key in ("name", "status", "detail")}, **row["facts"]}
                for row in results
            ],
        },
    }


def _reason(row: Entry, verdict: Verdict) -> Reason:
    text, query = f"{row['name']}: {row['detail']}", row["facts"]["question"]
    return Reason(row["name"], verdict, text, None, query=query)


def _verdict(row: Entry) -> Verdict:
    return _VERDICTS.get(str(row["status"]), Verdict.HOLD)


def _sentence(
    watch: Entry, rows: t.Sequence[Entry], reasons: t.Sequence[Entry], verdict: str, gate: str
) -> str:
    if not reasons:
        text = ", ".join(f"{row['name']} {row['facts']['answer']}" for row in rows)
        return f"{watch['sentence']} Users: {text}." if text else str(watch["sentence"])
    why = "; ".join(str(entry["text"]) for entry in reasons)
    why += "" if why.endswith((".", "!", "?")) else "."
    before = "" if watch["verdict"] == Verdict.PROCEED.value else f" {watch['sentence']}"
    if verdict == Verdict.ROLLBACK.value:
        return f"{why} Roll back, or find the cause and run the same command again.{before}"
    more = f" -e gate={gate}" if gate != "monitoring" else ""
    return (
        f"{why} Answer with playbooks/decide.yml -e feedback={reasons[0]['metric']} -e answer=good -e by=$USER "
        f"-e \"reason='WHAT WAS SEEN'\"{more} (or minor, bad), then run the same command again.{before}"
    )


Watched = t.Mapping[str, Series]
DATA, VALUE = "data", "value"


def breached(metrics: t.Sequence[Metric], watched: Watched) -> tuple[Reason, ...]:
    """The metrics that call for a rollback now, without waiting for the end of the watch."""
    pairs = [(metric, watched[metric.name]) for metric in metrics]
    return tuple(
        reason(metric, series, Verdict.ROLLBACK, text, series.value)
        for metric, series in pairs
        if (text := _breach(metric, series))
    )


def decide(metrics: t.Sequence[Metric], watched: Watched) -> Decision:
    """The verdict at the end of the watch."""
    breaches = breached(metrics, watched)
    if breaches:
        return Decision(Verdict.ROLLBACK, breaches)
    held = []
    for metric in metrics:
        series = watched[metric.name]
        missing = _missing_data(metric, series)
        if text := missing or _unclear_value(metric, series):
            value = series.last.value if series.last else None
            doubt = reason(metric, series, Verdict.HOLD, text, value)
            held.append(replace(doubt, concern=f"{metric.name} {DATA if missing else VALUE}"))
    if not metrics:
        held = [Reason("", Verdict.HOLD, "there is no metric", None)]
    return Decision(Verdict.HOLD if held else Verdict.PROCEED, tuple(held))


def all_good(metrics: t.Sequence[Metric], watched: Watched) -> bool:
    """Whether what is known of each metric now is good, whatever was before."""
    return bool(metrics) and all(
        watched[metric.name].status is SampleStatus.GOOD for metric in metrics
    )


def reason(
    metric: Metric, series: Series, verdict: Verdict, text: str, value: float | None
) -> Reason:
    bound = metric.bounds.bound(value) if value is not None else None
    return Reason(metric.name, verdict, text, value, bound, metric.query, series.count)


def _breach(metric: Metric, series: Series) -> str:
    """Why the metric rolls back, empty when it does not."""
    if series.value is None or series.breaches < metric.breaches:
        return ""
    if series.last and series.last.note:
        return series.last.note
    return (
        f"{metric.name} was {metric.bounds.describe_breach(series.value)}{_unit(metric)} "
        f"{series.breaches} times in a row (last {series.value:g})"
    )


def _missing_data(metric: Metric, series: Series) -> str:
    """Why there are too few values to judge the metric, empty when there are enough."""
    last = series.last
    if last is None or not series.count or series.value is None:
        return f"{metric.name} has no data ({last.problem if last else 'it was never sampled'})"
    if last.value is None:
        return f"{metric.name} has no data at the end ({last.problem})"
    if series.missing_share > metric.max_missing:
        return f"{metric.name} has no data in {series.missing} of {series.count + series.missing} samples"
    if metric.count is not None and series.count < metric.count:
        return f"{metric.name} has {series.count} of {metric.count} samples"
    return ""


def _unclear_value(metric: Metric, series: Series) -> str:
    """Why a metric with data does not pass, empty when it does."""
    if series.status is SampleStatus.GOOD or series.value is None:
        return ""
    if series.last and series.last.note:
        return series.last.note
    should = metric.bounds.describe_good() or f"not {metric.bounds.describe_breach(series.value)}"
    return f"{metric.name} is {series.value:g}{_unit(metric)} and should be {should}"


def _unit(metric: Metric) -> str:
    return f" {metric.unit}" if metric.unit else ""
