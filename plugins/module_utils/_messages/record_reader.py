# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""What messages read in a release record. Whatever is odd in it is left out: a message is never worth a failure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._gate.recorded import status_of
from .._numbers import number
from .._release.failure import is_held
from .._release.models import SETTLED
from .._time import epoch

Body = t.Mapping[str, t.Any]


@dataclass(frozen=True)
class Reading:
    """The newest value of a metric; `status` is good, between, breach, missing, or "" when nobody judged it."""

    name: str
    value: float | None
    unit: str = ""
    status: str = ""


@dataclass(frozen=True)
class PhaseFact:
    """Times are seconds since the epoch; `services` is how many of them the phase left well.

    `decision`: what a person decided of it, by whom and why, "" for nothing.
    """

    status: str
    started: float
    finished: float | None = None
    held: bool = False
    services: int = 0
    decision: str = ""
    readings: tuple[Reading, ...] = ()

    @property
    def settled(self) -> bool:
        return self.status in SETTLED


@dataclass(frozen=True)
class Attempt:
    number: int
    started: str
    status: str
    finished: str = ""
    phases: t.Mapping[str, PhaseFact] = field(default_factory=dict)

    @property
    def identity(self) -> tuple[int, str]:
        """The same number may be another attempt: of another environment, or of a record begun anew."""
        return self.number, self.started


def read_attempt(record: t.Any) -> Attempt | None:
    """None for what is no record, for example that of a release which has not begun."""
    if not isinstance(record, dict) or not isinstance(record.get("attempt"), int):
        return None
    phases = {name: read_phase(body) for name, body in mapping(record.get("phases")).items()}
    return Attempt(
        number=record["attempt"],
        started=str(record.get("started") or ""),
        status=str(record.get("status") or ""),
        finished=str(record.get("finished") or ""),
        phases={name: fact for name, fact in phases.items() if fact},
    )


def read_phase(body: t.Any) -> PhaseFact | None:
    started = epoch(mapping(body).get("started"))
    if started is None:
        return None
    evidence = mapping(body.get("evidence"))
    return PhaseFact(
        status=str(body.get("status") or ""),
        started=started,
        finished=epoch(body.get("finished")),
        held=is_held(evidence),
        services=sum(1 for one in mapping(evidence.get("services")).values() if one),
        decision=read_decision(mapping(evidence.get("decision"))),
        readings=tuple(read_readings(evidence.get("metrics"))),
    )


def read_decision(body: Body) -> str:
    word = {"approve": "approved", "reject": "rejected"}.get(str(body.get("decision")), "")
    return f"{word} by {body.get('by')}: {body.get('reason')}" if word else ""


def read_readings(metrics: t.Any) -> t.Iterator[Reading]:
    for metric in metrics if isinstance(metrics, list) else []:
        value = mapping(metric).get("last")
        if "name" in mapping(metric):
            yield Reading(
                str(metric["name"]), number(value), str(metric.get("unit") or ""), status_of(metric)
            )


def mapping(value: t.Any) -> Body:
    return value if isinstance(value, dict) else {}
