# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the series that a PromQL query asks for, without evaluating it. Pure.

The grammar is that of https://prometheus.io/docs/prometheus/latest/querying/basics/.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

PODS = 'job="pods"'
"""What stands for the matchers of the release's pods in the rules that ship."""

_WORD = re.compile(
    r"""#[^\n]*|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`|[A-Za-z_:][\w:]*|\d[\w.]*|=~|!~|!=|\S"""
)
_LABELS = frozenset({"by", "without", "on", "ignoring", "group_left", "group_right"})
"""A list of labels in brackets follows, or may follow."""
_OPERATORS = frozenset({"and", "or", "unless", "bool", "offset", "atan2", "inf", "nan"})
_CLOSED_BY = {"(": ")", "{": "}", "[": "]"}


@dataclass(frozen=True)
class Selector:
    """`name` is "" where only matchers select."""

    name: str
    matchers: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}{{{','.join(self.matchers)}}}" if self.matchers else self.name

    def among(self, matchers: t.Collection[str]) -> Selector:
        """The same metric by no other matchers than these."""
        return Selector(self.name, tuple(one for one in self.matchers if one in matchers))

    def having(self, labels: t.Iterable[str]) -> Selector:
        """Only those series that have each of the labels."""
        return Selector(self.name, (*self.matchers, *(f'{label}!=""' for label in labels)))


def selectors(query: str) -> tuple[Selector, ...]:
    """Those of the query, each once."""
    words = _split(query)
    found: list[Selector] = []
    at = 0
    while at < len(words):
        word, following = words[at], words[at + 1] if at + 1 < len(words) else ""
        if word == "[" or (word.lower() in _LABELS and following == "("):
            at = _end(words, at if word == "[" else at + 1)
        elif word == "{" or _names_series(word, following):
            begin = at if word == "{" else at + 1
            end = _end(words, begin) if words[begin : begin + 1] == ["{"] else begin
            found.append(Selector("" if word == "{" else word, _matchers(words[begin:end])))
            at = end
        else:
            at += 1
    return tuple(dict.fromkeys(found))


def grouped_by(query: str) -> tuple[str, ...]:
    """The labels by which it aggregates, without the bound of a histogram's bucket."""
    found: list[str] = []
    words = _split(query)
    for at, word in enumerate(words):
        if word.lower() == "by":
            found += [one for one in words[at + 2 : _end(words, at + 1) - 1] if one != ","]
    return tuple(one for one in dict.fromkeys(found) if one != "le")


def read_matchers(text: str) -> tuple[str, ...]:
    """As between the braces of a selector."""
    return _matchers(["{", *_split(text), "}"])


def _split(query: str) -> list[str]:
    return [one for one in _WORD.findall(query) if not one.startswith("#")]


def _names_series(word: str, following: str) -> bool:
    name = re.fullmatch(r"[A-Za-z_:][\w:]*", word) is not None
    taken = word.lower() in _OPERATORS | _LABELS
    return name and not taken and following != "(" and following.lower() not in ("by", "without")


def _end(words: t.Sequence[str], begin: int) -> int:
    """Behind what closes the bracket at `begin`."""
    closing = _CLOSED_BY.get(words[begin], "") if begin < len(words) else ""
    depth = 0
    for at in range(begin, len(words)):
        depth += (words[at] == words[begin]) - (words[at] == closing)
        if depth == 0:
            return at + 1
    return len(words)


def _matchers(words: t.Sequence[str]) -> tuple[str, ...]:
    """Of the words with their braces."""
    parts: list[str] = [""]
    for word in words[1:-1]:
        if word == ",":
            parts.append("")
        else:
            parts[-1] += word
    return tuple(part.replace("'", '"') for part in parts if part)
