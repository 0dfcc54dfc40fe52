# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of a terminal of so many columns, a character each."""

from __future__ import annotations

import re
import typing as t

from .._formats import MINUTE, one_line
from .models import Fact, Line, Tone


def bare(task: str) -> str:
    """The task's own name, without the role it stands in."""
    return one_line(task.rpartition(" : ")[2])


def clock(seconds: float) -> str:
    """A time of day, from seconds since midnight."""
    minutes = int(seconds // MINUTE) % (24 * 60)
    return f"{minutes // 60:02}:{minutes % 60:02}"


MARKS: t.Mapping[Tone, str] = {"good": "✓", "bad": "✗", "warn": "!", "calm": "-", "": "·"}
INDENT, LABEL = 4, 10
CAUSE = 420
"""Columns of a cause, all of which is in the file of the evidence."""
WIDEST = 100
"""Longer lines are hard to read, however wide the terminal is."""
NARROWEST = 40
LABELLED = re.compile(r"\s*\S+(?: \S+)?\s{2,}")
RIGHT = 7
"""Columns of a duration at the end of a line."""


def folded(text: str, columns: int) -> list[str]:
    """In lines of at most so many columns, broken at blanks, and within a word only where it fills a whole line."""
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        joined = f"{line} {word}" if line else word
        if len(joined) <= columns:
            line = joined
            continue
        pieces = [word[place : place + columns] for place in range(0, len(word), columns)] or [""]
        lines += [line, *pieces[:-1]] if line else pieces[:-1]
        line = pieces[-1]
    return [*lines, line]


def hung(lead: str, text: str, columns: int, indent: int) -> list[str]:
    """Folded behind `lead`, or below it where that takes more than `indent`; what follows stands so far in."""
    lines = [f"{' ' * indent}{entry}" for entry in folded(text, max(10, columns - indent))]
    if len(lead) > indent:
        return [lead.rstrip(), *lines]
    return [f"{lead}{lines[0][indent:]}", *lines[1:]]


def hanging(text: str, columns: int) -> list[str]:
    """Folded where it is too long: what follows stands under the value behind a label, or two columns further in."""
    if len(text) <= columns:
        return [text]
    label = LABELLED.match(text)
    lead = label[0] if label and len(label[0]) <= columns // 2 else ""
    begin = " " * (len(text) - len(text.lstrip()))
    indent = len(lead) if lead else len(begin) + 2
    return hung(lead or begin, text[len(lead) :].strip(), columns, indent)


def fact_lines(fact: Fact, took: str, columns: int) -> list[Line]:
    """A fact in its columns: mark, label, text, and at the right how long it took."""
    columns = max(NARROWEST, min(columns, WIDEST))
    label = f"{fact.label}{' ' * max(0, LABEL - len(fact.label))} " if fact.label else ""
    if len(label) > LABEL + 1:
        label = f"{fact.label}  "
    lead = f"{' ' * INDENT}{MARKS[fact.tone]} {label}"
    shown, room = [f"{lead}{fact.text}".rstrip()], columns - (RIGHT if took else 0)
    if len(shown[0]) > room:
        shown = hung(lead, fact.text, room, min(len(lead), INDENT + 2 + LABEL + 1))
    if took:
        shown[0] = righted(shown[0], took, columns)
    return [Line(entry, fact.tone) for entry in shown]


def righted(left: str, right: str, columns: int) -> str:
    """`right` at the end of the line, or two blanks behind what leaves it no room."""
    edge = min(columns, 80)
    gap = edge - len(left) - len(right)
    return f"{left}{' ' * gap}{right}" if gap >= 2 else f"{left}  {right}"
