# SPDX-License-Identifier: GPL-3.0-or-later
"""A report before it is a page: what stands in it, in order, without a word on how it looks.

The course of a metric is a small plot beside its figures, which say it in words: coordinates for an SVG. Pure.
"""

from __future__ import annotations

import itertools
import typing as t
from dataclasses import dataclass, field
from datetime import datetime, tzinfo

from .._gate.models import Bounds, Point, SampleStatus
from .._story.plan import Plan
from .._time import UTC

Tone = t.Literal["", "good", "warn", "bad", "calm"]
Part = t.Literal["services", "metrics", "tests", "checklist", "evidence"]
"""Where on the page a table stands."""
SHOWN: t.Mapping[str, int] = {"services": 40, "metrics": 40, "tests": 1000}
"""Parts whose rows stand open, and up to how many."""

WIDTH, HEIGHT = 160, 36
REACH = 1.5
"""A bound to roll back at is drawn when it stands within this many heights beyond what else there is to see."""
PASSING, BREACHING = "passing", "breaching"


@dataclass(frozen=True)
class Plot:
    """`strokes`: points without a gap between. `lines`: the kind of each bound in sight, and how high it stands."""

    strokes: tuple[str, ...]
    lines: tuple[tuple[str, float], ...]
    breaches: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Cell:
    """One thing to read. `code`: an identifier, shown in fixed width. `plot`: how it came to be what the text says."""

    text: str
    tone: Tone = ""
    code: bool = False
    plot: Plot | None = None


Named = tuple[tuple[str, Cell], ...]
"""Lines of which each has a name."""


@dataclass(frozen=True)
class Table:
    """The first cell of a row names it. `lead` is the sentence that says it all, `empty` the one
    that stands instead of rows that are not there. `fold`: whether only its bad rows stand open."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    empty: str
    lead: str = ""
    part: Part = "evidence"

    @property
    def fold(self) -> bool:
        return self.part not in SHOWN or len(self.rows) > SHOWN[self.part]

    def filled(self) -> tuple[int, ...]:
        """The places of the columns in which any row has something to read."""
        return tuple(
            place
            for place in range(len(self.columns))
            if place == 0 or any(row[place].text for row in self.rows)
        )

    def standing_out(self) -> tuple[tuple[Cell, ...], ...]:
        """What must not be folded away."""
        return tuple(row for row in self.rows if any(c.tone in ("bad", "warn") for c in row))


@dataclass(frozen=True)
class PhaseTry:
    """One go at a phase. `finished` is None while it runs, or for ever when its run died."""

    started: datetime | None
    finished: datetime | None
    status: str
    causes: tuple[str, ...] = ()


def share_over(actual: int | None, planned: int) -> str:
    return f"{round(100 * ((actual or 0) / planned - 1))} %"


@dataclass(frozen=True)
class PhaseRow:
    """Planned against actual, in seconds, of the last try; `tries` has all, oldest first."""

    name: str
    title: str
    status: str
    tone: Tone
    planned: int
    actual: int | None = None
    causes: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    tries: tuple[PhaseTry, ...] = ()

    @property
    def back(self) -> bool:
        """Whether it was rolled back, and its end is that of the rollback."""
        return self.status.endswith("rolled back")

    @property
    def late(self) -> bool:
        """By more than a quarter of what was planned."""
        took = 0 if self.back else self.actual
        return bool(self.planned and took and took > 1.25 * self.planned)

    @property
    def over(self) -> str:
        """How much more than was planned, "" for a phase that is not late."""
        return share_over(self.actual, self.planned) if self.late else ""


@dataclass(frozen=True)
class Deviation:
    """From what the release follows. `reason`: by whom and why, as far as the record tells."""

    what: str
    reason: str = ""

    def sentence(self) -> str:
        return f"{self.what} {self.reason}".strip()


@dataclass(frozen=True)
class Event:
    """What happened and when."""

    at: datetime
    text: str
    tone: Tone = ""


@dataclass(frozen=True)
class Summary:
    word: str
    tone: Tone
    sentence: str


@dataclass(frozen=True)
class LivePage:
    """A page that is written again while its release runs. `doing`: what goes on, a sentence each."""

    written: datetime
    doing: tuple[str, ...]


@dataclass(frozen=True)
class Report:
    """`claims`: which versions run, and how it went. `events`: in the order of time.

    `problems`: what in the record could not be read. What is below them is made of what is above: `missing` is what a
    complete report would have, `lessons` for the review, by title, what the record can tell already.
    """

    title: str
    claims: Named
    summary: Named
    phases: tuple[PhaseRow, ...]
    events: tuple[Event, ...]
    deviations: tuple[Deviation, ...]
    tables: tuple[Table, ...]
    notes: tuple[str, ...]
    zone: tzinfo
    problems: tuple[str, ...]
    missing: tuple[str, ...] = ()
    verdict: Summary = Summary("", "", "")
    lessons: tuple[tuple[str, tuple[str, ...]], ...] = ()
    live: LivePage | None = None
    procedure: str = ""
    """What it deviates from, as a sentence names it."""


@dataclass(frozen=True)
class ReportOptions:
    """What a report is made by, besides its record. `sign_offs` are the names that are expected."""

    plan: Plan
    release: str = ""
    zone: tzinfo = UTC
    sign_offs: tuple[str, ...] = ()
    problem: str = ""
    availability: t.Mapping[str, t.Any] = field(default_factory=dict)
    pins: t.Mapping[str, t.Any] = field(default_factory=dict)
    flags: t.Mapping[str, t.Any] = field(default_factory=dict)
    """What users have now, as release_info returns it; {} without a look."""
    versions: t.Mapping[str, str] = field(default_factory=dict)
    """What each service runs now, from a look at the cluster; {} without one."""
    now: datetime | None = None
    """Until when a phase without an end ran: set when its run lives, or when its end is known."""
    live: bool = False
    """Whether its run lives; not known without `now`."""
    undo: bool = False
    """Whether that run takes the release back."""
    procedure: str = "the plan"
    announced: bool = True
    """Whether there is a channel in which a release is announced."""

    def has(self, part: str) -> bool:
        """Whether the release has a phase for it, whose name ends so. Without a plan any may be there."""
        return not self.plan or any(entry.name.endswith(part) for entry in self.plan)


GOOD = {"succeeded", "no_change", "pass", "passed", "ok", "proceed", "true", "delivered", "done", "verified",
        "approve", "good"}  # fmt: skip
BAD = {"failed", "fail", "rollback", "rollback_failed", "failed_no_undo", "error", "false", "reject",
       "breach"}  # fmt: skip
CALM = {"skip", "skipped", "planned", "unchanged", "none", "not_started"}


def tone_of(word: str) -> Tone:
    lowered = word.lower().replace(" ", "_")
    if lowered in GOOD:
        return "good"
    if lowered in CALM:
        return "calm"
    return "bad" if lowered in BAD else "warn" if lowered else ""


def judged(word: str) -> Cell:
    """A result with its tone."""
    return Cell(word.replace("_", " "), tone_of(word))


def code(text: str) -> Cell:
    """An identifier."""
    return Cell(text, code=True)


def table(
    title: str,
    columns: tuple[str, ...],
    rows: t.Iterable[t.Sequence[Cell | str]],
    empty: str = "",
    lead: str = "",
    part: Part = "evidence",
) -> Table:
    """A plain text is a cell without a tone."""
    cells = tuple(tuple(c if isinstance(c, Cell) else Cell(c) for c in row) for row in rows)
    return Table(title, columns, cells, empty, lead, part)


def share(good: int, total: int, what: str, rest: str = "") -> str:
    """For example "All 12 services rolled out." or "11 of 12 services rolled out: wallet-service did not." """
    if not total:
        return ""
    if good == total:
        return f"All {total} {what}." if total > 1 else f"{what[:1].upper()}{what[1:]}: 1 of 1."
    return f"{good} of {total} {what}{': ' + rest if rest else ''}."


def plot_of(points: t.Sequence[Point], bounds: Bounds) -> Plot | None:
    """None without a single value: then there is nothing to draw."""
    values = [point.value for point in points if point.value is not None]
    if not values:
        return None
    passing = [bound for bound in (bounds.minimum, bounds.maximum) if bound is not None]
    observed = [*values, *passing]
    low, high = min(observed), max(observed)
    height = (high - low) or abs(high) or 1.0
    breaching = [
        bound
        for bound in (bounds.below, bounds.above)
        if bound is not None and low - REACH * height <= bound <= high + REACH * height
    ]
    low, high = min([low, *breaching]), max([high, *breaching])
    height, end = (high - low) or abs(high) or 1.0, max(points[-1].at, 1.0)

    def y(value: float) -> float:
        return round(2 + (HEIGHT - 4) * (high - value) / height, 1)

    def place(point: Point, value: float) -> tuple[float, float]:
        return round(2 + (WIDTH - 4) * point.at / end, 1), y(value)

    runs = itertools.groupby(points, key=lambda point: point.value is None)
    drawn = [
        [place(point, point.value) for point in run if point.value is not None]
        for missing, run in runs
        if not missing
    ]
    return Plot(
        # A value alone is a line to itself, which is drawn as a dot.
        strokes=tuple(" ".join(f"{px},{py}" for px, py in [*run, run[-1]]) for run in drawn),
        lines=(*((PASSING, y(b)) for b in passing), *((BREACHING, y(b)) for b in breaching)),
        breaches=tuple(
            place(point, point.value)
            for point in points
            if point.value is not None and point.status == SampleStatus.BREACH.shown
        ),
    )
