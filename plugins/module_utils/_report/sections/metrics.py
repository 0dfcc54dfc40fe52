# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""What the metrics did while somebody watched: the release, an earlier try, a step of the ramp."""

from __future__ import annotations

import typing as t

from ..._gate.models import Bounds, SampleStatus
from ..._gate.recorded import bounds_of, course_of, status_of
from ..._numbers import number
from ..._words import counted
from ..models import Cell, MetricsTable, Watched
from ..plot import bound_words, plot_of
from ..reader import Entry, Reader, dictionaries, inner, text
from ..times import quantity, shown
from .words import judged, share

NOT_WATCHED = "No metric was watched."
PHASE = "monitoring"


def watches(reader: Reader) -> tuple[MetricsTable, ...]:
    """The release's own first, then the tries of it that failed, then the ramp."""
    found = [watch_of("Metrics", reader.entries("metrics"))]
    tries = dictionaries(inner(reader.mapping("phases"), PHASE).get("earlier_failures"))
    for nth, one in enumerate(tries, start=1):
        entries = reader.named("metrics", inner(one, "evidence").get("metrics"))
        title = f"Metrics of try {nth}, which ended {shown(one.get('finished'))}"
        found.append(watch_of(title, entries, fold=True))
    for name, one in inner(reader.mapping("facts"), "ramp_watches").items():
        step = one if isinstance(one, dict) else {}
        entries, verdict = reader.named("samples", step.get("samples")), text(step.get("verdict"))
        found.append(watch_of(f"Metrics at {name}: {verdict}", entries, fold=True))
    return tuple(watch for watch in found if watch.metrics)


def watch_of(
    title: str, entries: t.Sequence[tuple[str, Entry]], *, fold: bool = False
) -> MetricsTable:
    metrics = tuple(watched(name, one) for name, one in entries)
    bad = [one.name for one in metrics if one.verdict.tone in ("bad", "warn")]
    lead = share(
        len(metrics) - len(bad), len(metrics), "metrics were good", f"not {', '.join(bad)}"
    )
    return MetricsTable(title, lead, metrics, fold)


def watched(name: str, one: Entry) -> Watched:
    unit, bounds = text(one.get("unit")), bounds_of(one)
    told = name.replace("_", " ")
    return Watched(
        name=told,
        verdict=verdict_of(one),
        words=tuple(words_of(one, unit, bounds)),
        plot=plot_of(told, unit, course_of(one), bounds),
    )


def verdict_of(one: Entry) -> Cell:
    """As it was recorded; an older record has none, and then the status of the last sample."""
    said = text(one.get("verdict"))
    if said:
        return judged(said)
    status = status_of(one)
    if status == SampleStatus.NO_DATA.shown:
        return Cell("no data", "warn")
    return judged(status) if status else Cell("no bound recorded", "calm")


def words_of(one: Entry, unit: str, bounds: Bounds) -> t.Iterator[str]:
    last = quantity(one.get("last", one.get("value")), unit)
    seen = {
        word: quantity(one[key], unit)
        for key, word in (("min", "lowest"), ("max", "highest"), ("mean", "mean"))
        if number(one.get(key)) is not None
    }
    if len(seen) == 3 and {*seen.values()} == {last}:
        yield f"{last} throughout."
    else:
        yield (
            ", ".join([f"Last {last}", *(f"{word} {value}" for word, value in seen.items())]) + "."
        )
    count, missing = number(one.get("count")), number(one.get("missing"))
    if count is not None:
        without = f", {counted(int(missing), 'sample')} without data" if missing else ""
        yield f"{counted(int(count), 'sample')}{without}."
    compared = inner(one, "comparison")
    if compared:
        yield from _compared(compared)
    given = one.get("bound", one.get("pass"))
    if given is not None and not isinstance(given, dict):
        yield f"Passes when {text(given)} {unit}".rstrip() + "."
    elif bounds != Bounds():
        yield bound_words(bounds, unit)
    if one.get("problem"):
        yield f"No data at the end: {text(one['problem'])}."


def _compared(one: Entry) -> t.Iterator[str]:
    """Users with the feature beside those without, and which harm would have been seen."""
    what = "failed" if one.get("at_most") is None else "total"
    told = {
        cohort: f"{number(inner(one, cohort).get(what)) or 0:,.0f} of "
        f"{number(inner(one, cohort).get('seen')) or 0:,.0f}"
        for cohort in ("treated", "control")
    }
    title = "Failing users" if what == "failed" else "Sum of values, of users"
    yield f"{title}: {told['treated']} treated, {told['control']} of the control."
    if could := text(one.get("could_have_seen")):
        yield f"The watch {could}."
