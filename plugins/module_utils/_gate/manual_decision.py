# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person decides of a gate, and whether it counts for the hold that there is. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from .._errors import ConflictError, InputError
from .._release.models import Record
from .models import Reason
from .state import WatchState

APPROVE, REJECT = "approve", "reject"


@dataclass(frozen=True)
class ManualDecision:
    """`at` is when, as RFC 3339. `watch` and `held` name the watch and the hold that it is about."""

    gate: str
    decision: str
    by: str
    reason: str
    at: str
    attempt: int = 0
    watch: str = ""
    held: str = ""
    holding: tuple[str, ...] = ()
    concerns: tuple[str, ...] = ()
    """Those of the reasons of its hold. A decision of version 0.2 names none."""

    def covers(self, reasons: t.Sequence[Reason]) -> bool:
        """Whether it was given for each of these, so that none is new to who gave it."""
        return not self.concerns or all(one.concern in self.concerns for one in reasons)

    def to_json(self) -> dict[str, t.Any]:
        evidence = {
            "attempt": self.attempt,
            "watch": self.watch,
            "held": self.held,
            "reasons": list(self.holding),
            "concerns": list(self.concerns),
        }
        return {**self.to_result(), "gate": self.gate, "evidence": evidence}

    def to_result(self) -> dict[str, t.Any]:
        return {"decision": self.decision, "by": self.by, "reason": self.reason, "at": self.at}

    @classmethod
    def from_json(cls, body: t.Mapping[str, t.Any]) -> ManualDecision:
        evidence = body.get("evidence") or {}
        return cls(
            **{
                name: str(body.get(name, "")) for name in ("gate", "decision", "by", "reason", "at")
            },
            attempt=int(evidence.get("attempt", 0)),
            watch=str(evidence.get("watch", "")),
            held=str(evidence.get("held", "")),
            holding=tuple(evidence.get("reasons", ())),
            concerns=tuple(evidence.get("concerns", ())),
        )


def all_said(record: Record, gate: str) -> list[ManualDecision]:
    """Of this gate in this attempt, oldest first."""
    found = record.facts.get("decisions") or {}
    said = [
        ManualDecision.from_json(one)
        for _key, one in sorted(found.items())
        if isinstance(one, dict)
    ]
    return [one for one in said if one.gate == gate and one.attempt == record.attempt]


def that_counts(said: t.Sequence[ManualDecision], state: WatchState) -> ManualDecision | None:
    """A reject of this watch before all else; an approval only of the hold that there is, so that it counts once."""
    ours = [one for one in said if one.watch == state.began_at]
    rejected = [one for one in ours if one.decision == REJECT]
    approved = [one for one in ours if one.decision == APPROVE and one.held == state.held_at]
    return next(iter(rejected or (approved if state.held is not None else [])), None)


def plan_decision(
    record: Record, state: WatchState | None, wanted: ManualDecision, known: t.Collection[str]
) -> tuple[ManualDecision, bool]:
    """The decision as the record has it, and whether it is to be written there."""
    if state is None or state.attempt != record.attempt:
        there = f"there is {', '.join(sorted(known))}" if known else "nothing was watched yet"
        raise InputError(
            f"Release {record.version!r} has no watch {wanted.gate!r} in its attempt {record.attempt}: {there}. "
            "Set 'gate' and 'release'."
        )
    known_already = _known(record, state, wanted)
    if known_already:
        return known_already[0], False
    bound = replace(
        wanted,
        attempt=record.attempt,
        watch=state.began_at,
        held=state.held_at,
        holding=state.held_why,
        concerns=state.concerns,
    )
    before = [one for one in all_said(record, wanted.gate) if one.watch == bound.watch]
    _refuse_too_late(bound, state, before)
    return bound, True


def _known(record: Record, state: WatchState, wanted: ManualDecision) -> list[ManualDecision]:
    """The same decision by the same person about the same hold."""
    same = (wanted.decision, wanted.by, state.began_at, state.held_at)
    return [
        one
        for one in all_said(record, wanted.gate)
        if (one.decision, one.by, one.watch, one.held) == same
    ]


def _refuse_too_late(
    bound: ManualDecision, state: WatchState, before: t.Sequence[ManualDecision]
) -> None:
    rejected = next((one for one in before if one.decision == REJECT), None)
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
