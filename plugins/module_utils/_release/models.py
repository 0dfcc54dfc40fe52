# SPDX-License-Identifier: GPL-3.0-or-later
"""Words of a release record, and the failure that a phase keeps."""

from __future__ import annotations

import typing as t

from .._errors import EarlierWaveError, HoldError, NotReadyToReleaseError
from .._lock.models import LeaseLostError

NOT_READY = frozenset({HoldError.reason, NotReadyToReleaseError.reason})
"""Reasons of the first phase, which only reads: nothing was changed, and no person has to get up."""
RECORD_KEYS = frozenset({"record", "document"})
"""Of a task's result: the whole record, up to 400 kB. The cluster has it; journals and failure files leave it out."""
CENSORED = "its output is hidden because it may have secrets (no_log)"
UNEXPLAINED = "it failed without a reason"


def sentence_of(result: t.Mapping[str, t.Any]) -> str:
    """The module's message of a failed task; for a loop the distinct messages of its failed rounds."""
    if "censored" in result or result.get("_ansible_no_log"):
        return CENSORED
    sentences = [_own_message(round_result) for round_result in failed_rounds(result)]
    return " ".join(dict.fromkeys(filter(None, sentences))) or _own_message(result) or UNEXPLAINED


ELSEWHERE = "Elsewhere"
"""The reason of a host that failed because another host did."""


def phase_failure(
    result: t.Mapping[str, t.Any],
    task: str = "",
    host: str = "",
    hosts: t.Iterable[t.Mapping[str, t.Any]] = (),
) -> dict[str, t.Any]:
    """The failure of a phase, with each host's failure as `by_host`; for a `rollout_wave` those of its failed services.

    `hosts` are those of the play, each with its failed `task` and its `result`: who failed only because another
    one did tells the other's failure.

    The first failure that is no hold gives the `reason`: a phase is on hold only without a certain failure.
    """
    services = result.get("failed_services") or ()
    by_host = {name: _failure(result["services"][name], task) for name in services}
    if not by_host and result.get("reason") == ELSEWHERE:
        by_host = {
            failed["host"]: _failure(failed["result"], failed["task"]["name"])
            for failed in hosts
            if "result" in failed
        }
    by_host = by_host or {host: _failure(result, task)}
    failures = sorted(by_host.values(), key=lambda failure: is_hold(failure["reason"]))
    # Those that went back with another one have nothing to add.
    messages = [
        f"{name}: {failure['message']}"
        for name, failure in by_host.items()
        if (failure["reason"], failure["result"]) != (EarlierWaveError.reason, "rolled_back")
    ]
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


def failed_rounds(result: t.Mapping[str, t.Any]) -> list[t.Mapping[str, t.Any]]:
    """Results of a loop's failed rounds, in order."""
    rounds = result.get("results")
    return [result for result in (rounds if isinstance(rounds, list) else ()) if has_failed(result)]


def has_failed(result: t.Any) -> bool:
    """Whether one round failed. ansible-core 2.21 gives a callback `exception` and no `failed` in it."""
    return isinstance(result, dict) and bool(
        result.get("failed") or result.get("unreachable") or "exception" in result
    )


def _own_message(result: t.Mapping[str, t.Any]) -> str:
    return next((str(result[k]).strip() for k in ("msg", "reason", "stderr") if result.get(k)), "")


def is_hold(reason: t.Any) -> bool:
    """Whether nothing went wrong for sure, by a failure's reason."""
    return bool(reason == HoldError.reason)


RUNNING, DONE, FAILED, WAIVED, ROLLED_BACK = "running", "done", "failed", "waived", "rolled_back"
PARTLY = "partly_rolled_back"
"""Status of a phase whose changes were rolled back in part."""
PLANNED = "planned"
"""Of a record that people have signed and no phase has opened yet."""
SIGN_OFFS = "sign_offs"
"""The fact that stores sign-offs. Those for the next attempt are given before it begins."""
SETTLED = frozenset({DONE, WAIVED})
TAKEN_BACK = frozenset({ROLLED_BACK, PARTLY})

CHECKS_PHASE, FLAGS_PHASE = "preflight", "feature_flags"
SERVICES_PHASE, WATCH_PHASE = "microservices", "monitoring"
"""Phases that are known by name, none of which a release need have. The first of them only looks."""
ROLLBACK_PHASE = "rollback"
"""The phase of an undo. It belongs to the attempt it undoes and never begins a new one."""

HISTORY = "history"
"""Of a record's writes: history.py."""
NEW_RECORD: t.Mapping[str, t.Any] = {
    "finished": "",
    "phases": {},
    "announcements": {},
    "backups": {},
    "facts": {},
    "notes": [],
    "previous_attempts": [],
    HISTORY: [],
}
NEW_PHASE: t.Mapping[str, t.Any] = {
    "finished": "",
    "evidence": {},
    "earlier_failures": [],
    "earlier_runs": [],
    "interruptions": [],
    "fence": 0,
}
"""What a record and each of its phases are written with besides their beginning."""


def with_all_keys(body: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The JSON of a record with all keys that this version writes."""
    whole = {**NEW_RECORD, **body}
    phases = {name: {**NEW_PHASE, **phase} for name, phase in whole["phases"].items()}
    return {**whole, "phases": phases}


NO_RECORD: dict[str, t.Any] = {"record": {}, "document": ""}
"""What a task returns where there is none."""
