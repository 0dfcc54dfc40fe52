# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a failure of a release: of this run, or as the record keeps it."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from .._errors import HoldError, NotReadyToReleaseError
from .._lock.errors import LeaseLostError

NOT_READY = frozenset({HoldError.reason, NotReadyToReleaseError.reason})
"""Of the first phase, which only looks: nothing was touched, and nobody has to get up."""
CENSORED = "its output is hidden because it may have secrets (no_log)"
UNEXPLAINED = "it failed without a reason"


class Told(t.Protocol):
    __dataclass_fields__: t.ClassVar[dict[str, t.Any]]

    @property
    def sentence(self) -> str: ...


Failed = t.TypeVar("Failed", bound=Told)


def stopped_by(failures: t.Sequence[Failed]) -> Failed:  # noqa: UP047 - ansible-test reads it with older Pythons
    """Of a run's failures in their order the first, in the words of the last that quotes it: they say what to do, too.

    What failed later is a consequence, or stopped for the first one's sake.
    """
    first = failures[0]
    quoting = [one.sentence for one in failures if first.sentence in one.sentence]
    return replace(first, sentence=quoting[-1])


def sentence_of(result: t.Mapping[str, t.Any]) -> str:
    """Why a task failed, as its module put it; of a loop what each round that failed says, once."""
    if "censored" in result or result.get("_ansible_no_log"):
        return CENSORED
    told = [_said(one) for one in failed_rounds(result)]
    return " ".join(dict.fromkeys(filter(None, told))) or _said(result) or UNEXPLAINED


ELSEWHERE = "Elsewhere"
"""The reason of a host that failed because another one did."""


def phase_failure(result: t.Mapping[str, t.Any], task: str, host: str) -> dict[str, t.Any]:
    """The failure of a phase, and as its `by_host` that of each host: of a `rollout_wave` those of its failed services.

    The first that is no hold decides the `reason`, for a phase is on hold only where nothing went wrong for sure.
    """
    services = result.get("failed_services") or ()
    by_host = {name: _failure(result["services"][name], task) for name in services}
    by_host = by_host or {host: _failure(result, task)}
    failures = sorted(by_host.values(), key=lambda failure: is_hold(failure["reason"]))
    messages = [f"{name}: {failure['message']}" for name, failure in by_host.items()]
    return {
        **failures[0],
        "message": " ".join(messages) if len(by_host) > 1 else failures[0]["message"],
        "lease_lost": any(failure["lease_lost"] for failure in failures),
        "by_host": by_host,
    }


def _failure(result: t.Mapping[str, t.Any], task: str) -> dict[str, t.Any]:
    reason, ended = str(result.get("reason") or ""), str(result.get("result") or "")
    return {
        "task": task,
        "message": sentence_of(result),
        "reason": reason,
        "result": ended,
        "lease_lost": reason == LeaseLostError.reason or ended == "lease_lost",
    }


def repaired_since(opened: t.Mapping[str, t.Any]) -> str:
    """Of what opened a phase: when its attempt began or its last failure ended, whichever was later; "" of neither.

    Times of a record are all of one form, in UTC, so they are in order as text.
    """
    record, phase = opened.get("record") or {}, opened.get("phase") or {}
    failures = phase.get("earlier_failures") or ()
    times = [record.get("started"), *(failure.get("finished") for failure in failures)]
    return max((str(time) for time in times if time), default="")


def failed_rounds(result: t.Mapping[str, t.Any]) -> list[t.Mapping[str, t.Any]]:
    """Of a loop the results of the rounds that failed, in their order."""
    rounds = result.get("results")
    return [one for one in (rounds if isinstance(rounds, list) else ()) if has_failed(one)]


def has_failed(one: t.Any) -> bool:
    """Of one round. ansible-core 2.21 shows a callback no `failed` in it, but `exception`."""
    return isinstance(one, dict) and bool(
        one.get("failed") or one.get("unreachable") or "exception" in one
    )


def _said(result: t.Mapping[str, t.Any]) -> str:
    return next((str(result[k]).strip() for k in ("msg", "reason", "stderr") if result.get(k)), "")


def is_hold(reason: t.Any) -> bool:
    """Whether nothing went wrong for sure, by a failure's reason."""
    return bool(reason == HoldError.reason)
