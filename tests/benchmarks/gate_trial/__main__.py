"""`python -m tests.benchmarks.gate_trial [--releases 5000] [--write]`: the table of README.md, from sealed seeds.

With --write it and the pictures are written there.
"""

from __future__ import annotations

import argparse
import math
import sys
import typing as t
from pathlib import Path

if t.TYPE_CHECKING:
    from tests.benchmarks.gate_trial.trial import Result, Row, Tried

REPOSITORY = Path(__file__).parents[3]
DOCS = REPOSITORY / "docs"
KINDS = ((2.0, 0.5), (1.5, 0.5), (2.0, 0.05), (5.0, 0.05), (2.0, 0.01), (5.0, 0.01), (20.0, 0.01))


def main() -> int:
    sys.path.insert(0, str(REPOSITORY / "playbooks" / "collections"))
    from tests.benchmarks.gate_trial import pictures, trial  # noqa: PLC0415
    from tests.benchmarks.gate_trial.releases import generated  # noqa: PLC0415

    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.gate_trial", description=__doc__
    )
    parser.add_argument("--releases", type=int, default=5_000)
    parser.add_argument("--write", action="store_true", help="into README.md and docs/pictures")
    given = parser.parse_args()
    found = [trial.tried(generated(seed)) for seed in range(given.releases)]
    told = gates_table(trial.results(found)) + "\n\n" + memory_table(found) + "\n\n"
    told += kinds_table([trial.row(*kind, max(20, given.releases // 20)) for kind in KINDS])
    told += "\n\n" + shapes_table(max(20, given.releases // 50))
    print(told)
    if given.write:
        page = Path(__file__).with_name("README.md")
        before, after = "<!-- gates: begin -->\n", "<!-- gates: end -->"
        head, found_head, rest = page.read_text().partition(before)
        _old, found_tail, tail = rest.partition(after)
        if not (found_head and found_tail):
            raise SystemExit(
                f"{page} has no {before.strip()} and {after} to write the tables between."
            )
        page.write_text("".join([head, before, told, "\n", after, tail]))
        folder = DOCS / "pictures"
        (folder / "evidence.svg").write_text(pictures.evidence_picture())
        (folder / "gates.svg").write_text(pictures.gates_picture(found))
    return 0


def gates_table(results: t.Sequence[Result]) -> str:
    rows = [
        (
            one.gate,
            f"{percent(one.false_alarms)} ({percent(one.low)} to {percent(one.high)})",
            percent(1 - one.found),
            "" if one.seconds is None else duration(one.seconds),
            f"{one.harmed:.0f}",
        )
        for one in results
    ]
    return table(
        (
            "gate",
            "false alarms (95 %)",
            "missed",
            "median time to go back",
            "users harmed a release",
        ),
        rows,
    )


def memory_table(found: t.Sequence[Tried]) -> str:
    from tests.benchmarks.gate_trial.trial import OURS, interval  # noqa: PLC0415

    rows = []
    for memory in sorted({one.kind.memory for one in found}):
        healthy = [one for one in found if not one.worse and one.kind.memory == memory]
        alarms = sum(1 for one in healthy if one.ends[OURS] is not None)
        low, high = interval(alarms, len(healthy))
        rows.append(
            (
                f"{memory:g}",
                f"{len(healthy):,}",
                f"{percent(alarms / len(healthy))}",
                f"{percent(low)} to {percent(high)}",
            )
        )
    return table(
        (
            "autocorrelation from look to look",
            "healthy releases",
            "false alarms of the comparison",
            "95 %",
        ),
        rows,
    )


def kinds_table(rows: t.Sequence[Row]) -> str:
    return table(
        ("harm", "treated", "found in the hour", "median", "90 % within"),
        [
            (
                f"\u00d7{one.ratio:g}",
                f"{100 * one.share:g} %",
                percent(one.ended),
                "" if one.seconds is None else duration(one.seconds),
                "" if one.ninety is None else duration(one.ninety),
            )
            for one in rows
        ],
    )


def shapes_table(number: int) -> str:
    """What each way to count does with users who write as they like."""
    from tests.benchmarks.gate_trial.users import SHAPES, tried  # noqa: PLC0415

    def of(ends: t.Sequence[float | None]) -> str:
        gone = sorted(math.inf if end is None else end for end in ends)
        count, middle = sum(1 for end in gone if end < math.inf), gone[len(gone) // 2]
        return f"{count} of {number}" + (f", {duration(middle)}" if middle < math.inf else "")

    rows = []
    for shape in SHAPES:
        found = [tried(shape, seed) for seed in range(number)]
        gates = ([one[gate] for one in found] for gate in range(3))
        holds = sum(1 for one in found if one.holds)
        rows.append((shape.told, percent(shape.share), *map(of, gates), f"{holds or ''}"))
    head = ("users", "treated", "until 0.3", "clustered ratio", "comparison", "and holds")
    return table(head, rows)


def table(head: tuple[str, ...], rows: t.Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _one in head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def percent(share: float) -> str:
    return f"{100 * share:.2f} %" if share < 0.1 else f"{100 * share:.1f} %"


def duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"


if __name__ == "__main__":
    sys.exit(main())
