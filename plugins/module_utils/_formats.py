# SPDX-License-Identifier: GPL-3.0-or-later
"""Times, sizes, quantities, names and texts of a record, for people. Of what a record has nothing is certain. Pure."""

from __future__ import annotations

import json
import math
import re
import typing as t
from datetime import datetime, tzinfo

from ._time import parse_time


def number(value: t.Any) -> float | None:
    """A finite number, or None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        read = float(value)
    except OverflowError:
        return None
    return read if math.isfinite(read) else None


def read_json(text: str | bytes) -> t.Any:
    """What another hand may have written. Raises ValueError for what is no JSON, be it by its depth."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def counted(count: int, entry: str, many: str = "") -> str:
    return f"{count} {entry if count == 1 else many or entry + 's'}"


def grouped(values: t.Mapping[str, str]) -> dict[str, list[str]]:
    """The names by value; the value of the fewest names first."""
    by: dict[str, list[str]] = {}
    for name, value in values.items():
        by.setdefault(value, []).append(name)
    return dict(sorted(by.items(), key=lambda entry: len(entry[1])))


MOST_VERSIONS, MOST_NAMES = 4, 6
"""As many versions are told, and of each as many services are named."""
NOT_KNOWN, MISSING = "not known", "missing"
"""In place of a version."""


def versions_told(versions: t.Mapping[str, str]) -> list[str]:
    """From the version of each service: by version, the most common last, without its names where there are several."""
    ordered = list(grouped(versions).items())
    more, named = ordered[:-MOST_VERSIONS], ordered[-MOST_VERSIONS:]
    count = sum(len(names) for _version, names in more)
    sentences = [f"{len(more)} other versions: {count} services"] if more else []
    for version, names in named:
        last = version == ordered[-1][0] and version != MISSING
        all_of = f"all {len(names)}" if len(ordered) == 1 else f"the other {len(names)}"
        sentences.append(
            f"{version}: {all_of if last and len(versions) > 1 else listed(names, MOST_NAMES, ' ')}"
        )
    return sentences


def listed(names: t.Sequence[str], most: int = 3, between: str = ", ") -> str:
    """All, or the first ones and how many more there are: never one more, which is named in place of that."""
    more = len(names) - most
    return between.join(names) if more < 2 else f"{between.join(names[:most])} and {more} more"


LONGEST = 2_000
"""Characters of one text on the page. The JSON file has the whole."""

# What could end a file early, or show a text otherwise than it is written: controls, lone surrogates, directions.
UNSHOWN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ud800-\udfff\ufeff\ufff9-\uffff]"
)

WORD_JOINER = "\u2060"
"""Is not seen, and a name behind an @ and it is no mention."""


def legible(value: t.Any, limit: int = 0) -> t.Any:
    """The same with every text as it can be shown. With a limit, texts are also one line and no longer than that."""
    if isinstance(value, str):
        if limit:
            value = " ".join(value[: 2 * limit].split())
            value = value if len(value) <= limit else f"{value[:limit]}…"
        return UNSHOWN.sub("\ufffd", value)
    if isinstance(value, dict):
        return {legible(str(key), limit): legible(entry, limit) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [legible(entry, limit) for entry in value]
    return value


NOTHING = 1e-9
MINUTE = 60
EXACT = 10 * MINUTE
"""Beyond this, seconds do not help a reader."""


def shown(value: t.Any, zone: tzinfo | None = None, today: datetime | None = None) -> str:
    """A time as it is written, or in a zone; without its date where that is `today`'s. What is no time, as it is."""
    read = value if isinstance(value, datetime) else parse_time(value)
    if read is None:
        return str(value or "")
    form = "%H:%M:%S %Z" if today and read.date() == today.date() else "%Y-%m-%d %H:%M:%S %Z"
    return (read.astimezone(zone) if zone else read).strftime(form)


def lasting(seconds: float | None) -> str:
    """For example "1 h 58 min", "3 min 5 s", "1.4 s", "4 ms"."""
    if seconds is None or not math.isfinite(seconds):
        return ""
    if 0 < seconds < 1:
        return f"{max(1, round(seconds * 1000))} ms"
    if seconds < 10 and seconds != round(seconds):
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")]
    first = next((place for place, (count, _unit) in enumerate(parts) if count), 3)
    # Two units that stand side by side are as exact as anybody asks.
    near = [f"{count} {unit}" for count, unit in parts[first : first + 2] if count]
    return " ".join(near) or "0 s"


def span(seconds: float) -> str:
    """A duration for a person who waits: beyond ten minutes without seconds."""
    if seconds >= EXACT:
        return lasting(round(seconds / MINUTE) * MINUTE)
    return lasting(round(max(0.0, seconds)))


def stopwatch(seconds: float) -> str:
    """A duration as a stop watch shows it: "0:11", "12:05", "2:04:11"."""
    hours, rest = divmod(max(0, round(seconds)), 3600)
    minutes, rest = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def hour_of(value: t.Any, zone: tzinfo, *, with_zone: bool = False) -> str:
    """Hour and minute in the team's zone, "" for what is no time. `with_zone`: and its name."""
    moment = parse_time(value)
    return moment.astimezone(zone).strftime("%H:%M %Z" if with_zone else "%H:%M") if moment else ""


def day_of(value: t.Any, zone: tzinfo) -> str:
    """The date in the team's zone, "" for what is no time."""
    moment = parse_time(value)
    return f"{moment.astimezone(zone):%Y-%m-%d}" if moment else ""


def titled(name: str) -> str:
    """A name of a program as people write it: "sign_off" is "Sign off"."""
    return name.replace("_", " ").capitalize()


def shortened(text: str, limit: int) -> str:
    """At most `limit` characters, with a mark where something was left out."""
    return text if len(text) <= limit else f"{text[: limit - 1].rstrip()}…"


def size(count: t.Any) -> str:
    """Bytes in decimal units, as disks are sold."""
    value = number(count)
    if value is None:
        return ""
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def quantity(value: t.Any, unit: str) -> str:
    """A value of a metric with its unit: ratios as percent, seconds short."""
    read = number(value)
    if read is None:
        return "no data"
    if unit == "ratio":
        return f"{plain(100 * read)} %"
    if unit == "seconds" and 0 < abs(read) < 1:
        return f"{plain(1000 * read)} ms"
    short = {"seconds": "s"}.get(unit, unit)
    return f"{plain(read)} {short}".strip()


def plain(value: float) -> str:
    """Three digits that count, never an exponent."""
    if abs(value) >= 1000:
        return f"{value:,.0f}" if abs(value) < 1e15 else f"{value:.2e}"
    if abs(value) < NOTHING:
        return "0"  # what a division leaves over
    return f"{value:.3g}" if abs(value) >= 1e-4 else f"{value:.1e}"


def took(value: t.Any) -> str:
    """Seconds of a record as a duration, empty for anything else."""
    return lasting(number(value))


SENTENCE_LIMIT = 600
ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
"""What a terminal takes for a command, such as a colour in a service's log."""


def bare(text: str) -> str:
    """Lines of others without commands to a terminal, and without what turns or hides the text around it."""
    return UNSHOWN.sub("", ESCAPES.sub("", text)) if UNSHOWN.search(text) else text


def one_line(text: str, limit: int = SENTENCE_LIMIT) -> str:
    """Without line breaks, colours and control characters, and not longer than a few lines of a screen."""
    bare_text = ESCAPES.sub("", text)
    stored = "".join(entry if entry.isprintable() else " " for entry in bare_text)
    return shortened(" ".join(stored.split()), limit)
