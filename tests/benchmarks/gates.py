"""Whether the comparison of cohorts keeps its promises: few false alarms, and a doubling found soon.

`make bench-gates` tries it beside other gates, and writes what they did into gate_trial/README.md.
"""

import typing as t

from tests.benchmarks.gate_trial import trial
from tests.benchmarks.gate_trial.releases import generated
from tests.benchmarks.measurement import Measurement, Size


def gates(size: Size = Size.FULL) -> t.Iterator[Measurement]:
    found = [trial.tried(generated(seed)) for seed in range(size.of(small=40, full=2000))]
    results = {one.gate: one for one in trial.results(found)}
    ours, bound = results[trial.OURS], results[trial.OVERALL]
    note = f"of healthy releases, at most {100 * ours.high:.1f} % (95 %)"
    yield Measurement(
        "false alarms a hundred watches", 100 * ours.false_alarms, "count", target=1, note=note
    )
    note = "with a bound tuned to 1 % of false alarms"
    yield Measurement(
        "users harmed, against a bound",
        ours.harmed / bound.harmed,
        "ratio",
        target=1 / 3,
        note=note,
    )
    watches = size.of(small=5, full=200)
    for ratio, share, seconds in ((2.0, 0.5, 120), (2.0, 0.05, 360), (5.0, 0.01, 180)):
        row = trial.row(ratio, share, watches)
        name = f"until {ratio:g} times is found at {100 * share:g} %"
        note = f"median; {100 * row.ended:.1f} % are found in an hour"
        yield Measurement(name, row.seconds or 3600.0, "s", target=seconds, note=note)
