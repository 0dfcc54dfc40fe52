"""Two gates on what Prometheus told of the sandbox under faults, look by look."""

import csv
import itertools
import math
import typing as t

from tests.benchmarks.gate_trial import gates
from tests.benchmarks.gate_trial.recordings import COLUMNS, TRACES, Trace
from tests.benchmarks.gate_trial.releases import Kind, Look, Release


def release_of(trace: Trace) -> Release:
    """Prometheus tells no cohort of a request, so that all requests stand with the control."""
    with trace.file.open(encoding="utf-8", newline="") as file:
        counts = [[float(row[name]) for name in COLUMNS] for row in csv.DictReader(file)]
    treated, control = [], []
    for before, now in itertools.pairwise(counts):
        grown = [round(new - old) for new, old in zip(now, before, strict=True)]
        _seconds, seen, failed, control_seen, control_failed, requests, errors = grown
        treated.append(Look(seen, failed, 0, 0))
        control.append(Look(control_seen, control_failed, requests, errors))
    ratio = trace.treated / trace.percent if trace.percent else 1.0
    return Release(Kind(trace.share, ratio, math.nan), (), tuple(treated), tuple(control))


class Recorded(t.NamedTuple):
    """When two gates would go back, in seconds, None for never. `highest`: the error rate of a minute."""

    trace: Trace
    users: int
    highest: float
    comparison: float | None
    bound: float | None


def recorded() -> list[Recorded]:
    found = []
    for trace in TRACES:
        release = release_of(trace)
        rates = gates.rates(gates.overall(release))
        found.append(
            Recorded(
                trace,
                sum(one.seen for one in gates.overall(release)),
                max(rate for rate in rates if rate is not None),
                gates.comparison(release),
                gates.highs(rates).first_above(gates.SHIPPED),
            )
        )
    return found
