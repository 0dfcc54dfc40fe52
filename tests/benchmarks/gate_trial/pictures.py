"""The pictures of docs/watch.md and of README.md: how evidence grows, and which gate finds what."""

import itertools
import math
import typing as t
from dataclasses import dataclass
from xml.sax.saxutils import escape

from tests.benchmarks.gate_trial.gates import evidences
from tests.benchmarks.gate_trial.releases import Kind, Release, generated
from tests.benchmarks.gate_trial.trial import GATES, OURS, Tried, tuned

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 360, 60, 220, 20, 50
COLOURS = ("#0969da", "#6e7781", "#57606a", "#8c959f")
DASHES = ("", "2 3", "6 3", "10 3 2 3")
HARMS = (1.2, 1.5, 2.0, 3.0, 5.0, 10.0)
_FEWEST, _SEED = 0.01, 7


@dataclass(frozen=True)
class Line:
    """`points` from 0 to 1 in both directions, from the lower left."""

    name: str
    points: t.Sequence[tuple[float, float]]
    colour: str
    dash: str = ""
    width: float = 2.0


def evidence_picture() -> str:
    """Of two releases of the trial at 5 %: one that is well, and one whose treated users fail twice as often."""
    kinds = (("fails twice as often", 2.0, "#cf222e"), ("as good as before", 1.0, "#1a7f37"))
    lines = [
        Line(name, _evidence(generated(_SEED, Kind(0.05, ratio, 0.95))), colour)
        for name, ratio, colour in kinds
    ]
    lines.append(
        Line("100: go back", [(0.0, _height(100.0)), (1.0, _height(100.0))], "#57606a", "6 4", 1.5)
    )
    ticks = [(_height(one), f"{one:g}") for one in (0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)]
    return _svg(
        lines, ticks, [(n / 4, f"{15 * n}") for n in range(5)], "minutes of the watch", "evidence"
    )


def _height(evidence: float) -> float:
    return min(
        1.0, max(0.0, math.log(max(evidence, _FEWEST) / _FEWEST) / math.log(1000.0 / _FEWEST))
    )


def _evidence(release: Release) -> list[tuple[float, float]]:
    points = [(0.0, _height(1.0))]
    for number, (value, _problem) in enumerate(evidences(release), 1):
        points.append((number / len(release.treated), _height(value)))
        if value >= 1000.0:
            break
    return points


def gates_picture(found: t.Sequence[Tried]) -> str:
    """The share of worse releases that each gate finds within the hour, by how much worse they are."""
    bounds = tuned(found)
    lines = []
    for gate, colour, dash in zip(GATES, COLOURS, DASHES, strict=True):
        points = []
        for low, high in itertools.pairwise(HARMS):
            ends = [one.ends_by(gate, bounds) for one in found if low <= one.kind.ratio < high]
            if ends:
                share = sum(1 for end in ends if end is not None) / len(ends)
                points.append((_along(math.sqrt(low * high)), share))
        lines.append(Line(gate, points, colour, dash, 3.0 if gate == OURS else 2.0))
    ticks = [(n / 4, f"{25 * n} %") for n in range(5)]
    across = [(_along(one), f"\u00d7{one:g}") for one in HARMS]
    return _svg(
        lines, ticks, across, "how many times as often treated users fail", "found within an hour"
    )


def _along(ratio: float) -> float:
    return math.log(ratio / HARMS[0]) / math.log(HARMS[-1] / HARMS[0])


def _svg(
    lines: t.Sequence[Line],
    ticks: t.Sequence[tuple[float, str]],
    across: t.Sequence[tuple[float, str]],
    below: str,
    beside: str,
) -> str:
    def x(at: float) -> float:
        return LEFT + at * (WIDTH - LEFT - RIGHT)

    def y(at: float) -> float:
        return HEIGHT - BOTTOM - at * (HEIGHT - TOP - BOTTOM)

    def words(text: str, at: tuple[float, float], anchor: str = "start", more: str = "") -> str:
        place = f'x="{at[0]:.0f}" y="{at[1]:.0f}" text-anchor="{anchor}"'
        return f"<text {place} {more}>{escape(text)}</text>"

    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="13" fill="#57606a" role="img" aria-label="{escape(f"{beside} by {below}")}">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
    ]
    for at, text in ticks:
        drawn.append(f'<path d="M{x(0):.0f} {y(at):.0f}H{x(1):.0f}" stroke="#d0d7de"/>')
        drawn.append(words(text, (x(0) - 8, y(at) + 4), "end"))
    drawn += [words(text, (x(at), y(0) + 18), "middle") for at, text in across]
    drawn.append(words(below, ((x(0) + x(1)) / 2, HEIGHT - 10), "middle"))
    drawn.append(words(beside, (x(0) + 6, TOP - 6)))
    labels = sorted((y(one.points[-1][1]), one.name, one.colour) for one in lines)
    above = -math.inf
    for at, name, colour in labels:
        above = max(at + 4, above + 17)
        drawn.append(words(name, (x(1) + 8, above), more=f'fill="{colour}"'))
    for one in lines:
        path = "L".join(f"{x(a):.1f} {y(b):.1f}" for a, b in one.points)
        dash = f' stroke-dasharray="{one.dash}"' if one.dash else ""
        drawn.append(
            f'<path d="M{path}" fill="none" stroke="{one.colour}" stroke-width="{one.width}"{dash}/>'
        )
    return "\n".join([*drawn, "</svg>"]) + "\n"
