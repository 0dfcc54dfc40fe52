# SPDX-License-Identifier: GPL-3.0-or-later
"""A release record: its phases with their evidence."""

from __future__ import annotations

import json
import typing as t
from dataclasses import asdict, dataclass, field, replace

from .._cluster import Object
from .._errors import HoldError, NotReadyToReleaseError, VerificationError
from .._lock.models import LeaseLostError

NOT_READY = frozenset({HoldError.reason, NotReadyToReleaseError.reason})
"""Reasons of the first phase, which only reads: nothing was changed, and no person has to get up."""
CENSORED = "its output is hidden because it may have secrets (no_log)"
UNEXPLAINED = "it failed without a reason"


class HasSentence(t.Protocol):
    __dataclass_fields__: t.ClassVar[dict[str, t.Any]]

    @property
    def sentence(self) -> str: ...


Failed = t.TypeVar("Failed", bound=HasSentence)


def stopped_by(failures: t.Sequence[Failed]) -> Failed:  # noqa: UP047 - ansible-test reads it with older Pythons
    """The first of a run's failures, with the sentence of the last failure that quotes it and adds the remedy.

    Later failures are consequences of the first.
    """
    first = failures[0]
    quoting = [failure.sentence for failure in failures if first.sentence in failure.sentence]
    return replace(first, sentence=quoting[-1])


def sentence_of(result: t.Mapping[str, t.Any]) -> str:
    """The module's message of a failed task; for a loop the distinct messages of its failed rounds."""
    if "censored" in result or result.get("_ansible_no_log"):
        return CENSORED
    sentences = [_own_message(round_result) for round_result in failed_rounds(result)]
    return " ".join(dict.fromkeys(filter(None, sentences))) or _own_message(result) or UNEXPLAINED


ELSEWHERE = "Elsewhere"
"""The reason of a host that failed because another host did."""


def phase_failure(result: t.Mapping[str, t.Any], task: str, host: str) -> dict[str, t.Any]:
    """The failure of a phase, with each host's failure as `by_host`; for a `rollout_wave` those of its failed services.

    The first failure that is no hold gives the `reason`: a phase is on hold only without a certain failure.
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

ROLLBACK_PHASE = "rollback"
"""The phase of an undo. It belongs to the attempt it undoes and never begins a new one."""

TRIES_KEPT = 10
"""How many failed tries of a phase, and how many runs of it, a record keeps: it has 1 MB for everything."""
LISTED = ("earlier_failures", "earlier_runs", "interruptions")
PROOF = frozenset({"evidence", *LISTED})
"""What takes most of a record's room, and what few tasks read."""
NO_RECORD: Object = {"record": {}, "document": ""}
"""What a task returns where there is none."""


@dataclass(frozen=True)
class Phase:
    """`evidence` describes the last run alone.

    `earlier_failures`: start, end and evidence of the tries that failed, oldest first. `earlier_runs`:
    the same, with their status, of those that were done before the phase was run again. `interruptions`: who took
    it up and when (`by`, `at`), after a run that ended in the midst of it. `fence` is of the run that opened it last.
    """

    status: str
    started: str
    finished: str = ""
    evidence: t.Mapping[str, t.Any] = field(default_factory=dict)
    earlier_failures: tuple[t.Mapping[str, t.Any], ...] = ()
    earlier_runs: tuple[t.Mapping[str, t.Any], ...] = ()
    interruptions: tuple[t.Mapping[str, t.Any], ...] = ()
    fence: int = 0

    def to_json(self) -> Object:
        return {**asdict(self), **{name: [*map(dict, getattr(self, name))] for name in LISTED}}

    @classmethod
    def from_json(cls, body: Object) -> Phase:
        return cls(**{**body, **{name: tuple(body.get(name, ())) for name in LISTED}})

    def tried_again(self, now: str) -> Phase:
        """The next run of a phase that ended, without the evidence of the run before."""
        left = {"started": self.started, "finished": self.finished, "evidence": self.evidence}
        failures, runs = self.earlier_failures, self.earlier_runs
        if self.status == FAILED:
            failures = (*failures, left)[-TRIES_KEPT:]
        else:
            runs = (*runs, {"status": self.status, **left})[-TRIES_KEPT:]
        return Phase(
            RUNNING,
            now,
            earlier_failures=failures,
            earlier_runs=runs,
            interruptions=self.interruptions,
        )

    def opened_by(self, fence: int, by: str, now: str) -> Phase:
        """The phase opened by this run. A phase that another run left running was interrupted."""
        if not fence or fence == self.fence:
            return self
        cut_short = self.fence and self.status == RUNNING
        taken_up = ({"by": by, "at": now},) if cut_short else ()
        interruptions = (*self.interruptions, *taken_up)[-TRIES_KEPT:]
        return replace(self, fence=fence, interruptions=interruptions)


@dataclass(frozen=True)
class Record:
    version: str
    attempt: int
    status: str
    actor: str
    git_sha: str
    started: str
    finished: str = ""
    phases: t.Mapping[str, Phase] = field(default_factory=dict)
    announcements: t.Mapping[str, t.Any] = field(default_factory=dict)
    backups: t.Mapping[str, t.Any] = field(default_factory=dict)
    facts: t.Mapping[str, t.Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    previous_attempts: tuple[t.Mapping[str, t.Any], ...] = ()

    @property
    def overrides(self) -> t.Mapping[str, t.Any]:
        """Overruled checks by name, each with `by`, `reason`, `what` and `at`."""
        overrides = self.facts.get("overrides")
        return overrides if isinstance(overrides, dict) else {}

    def to_json(self) -> Object:
        return {
            **{name: getattr(self, name) for name in self.__dataclass_fields__},
            "phases": {name: phase.to_json() for name, phase in self.phases.items()},
            "notes": list(self.notes),
            "previous_attempts": [dict(attempt) for attempt in self.previous_attempts],
        }

    def to_result(self, *, evidence: bool = False) -> Object:
        """What a task returns of it: `record`, whose phases have their evidence when asked for, and `document`.

        Ansible visits each value of a result several times, for the variable that has it and for each callback. A text
        is a single value.
        """
        body = self.to_json()
        document = json.dumps(body)
        if not evidence:
            body["phases"] = {
                name: {key: value for key, value in phase.items() if key not in PROOF}
                for name, phase in body["phases"].items()
            }
        return {"record": body, "document": document}

    def dump(self) -> str:
        return json.dumps(self.to_json(), indent=1, sort_keys=True)

    @classmethod
    def load(cls, text: str, where: str) -> Record:
        body: t.Any = None
        try:
            body = json.loads(text)
            return cls(
                **{
                    **body,
                    "phases": {
                        name: Phase.from_json(phase) for name, phase in body["phases"].items()
                    },
                    "notes": tuple(body["notes"]),
                    "previous_attempts": tuple(body["previous_attempts"]),
                }
            )
        except (ValueError, TypeError, KeyError, AttributeError) as exc:
            raise VerificationError(
                f"{where} has no valid release record ({exc}): restore it, or begin a new release.",
                record=body if isinstance(body, dict) else {},
            ) from exc


def repaired_since(record: Record | None, phase: Phase | None) -> str:
    """The later time of the attempt's start and the phase's last failure; "" without a record.

    A record's times have one form, in UTC, so they compare as text.
    """
    failures = phase.earlier_failures if phase else ()
    times = [record.started if record else "", *(failure.get("finished") for failure in failures)]
    return max((str(time) for time in times if time), default="")
