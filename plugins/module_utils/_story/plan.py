# SPDX-License-Identifier: GPL-3.0-or-later
"""The phases of a release as the inventory plans them. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._formats import number, titled


def dictionaries(value: t.Any, key: str) -> list[t.Mapping[str, t.Any]]:
    """Those of a list of the inventory that have the key; of what is no list, none."""
    entries = value if isinstance(value, (list, tuple)) else ()
    return [entry for entry in entries if isinstance(entry, dict) and key in entry]


@dataclass(frozen=True)
class Planned:
    """A phase as people call it, and how long it is planned to take."""

    name: str
    title: str = ""
    minutes: float = 0

    @property
    def seconds(self) -> float:
        return 60 * self.minutes


class Plan(tuple[Planned, ...]):
    """All phases in their order."""

    __slots__ = ()

    @classmethod
    def read(cls, value: t.Any) -> Plan:
        """From the variable release_plan; of what is no list of phases, nothing."""
        return cls(
            Planned(
                str(entry["name"]),
                str(entry.get("title") or titled(str(entry["name"]))),
                number(entry.get("minutes")) or 0,
            )
            for entry in dictionaries(value, "name")
        )

    @property
    def names(self) -> list[str]:
        return [phase.name for phase in self]

    def phase(self, name: str) -> Planned:
        """One that is not planned takes no time, and is called by its name."""
        known = (phase for phase in self if phase.name == name)
        return next(known, Planned(name, titled(name)))

    def number(self, name: str) -> int:
        """Which of all phases it is, 0 for one that is not planned."""
        return self.names.index(name) + 1 if name in self.names else 0

    def place(self, name: str) -> str:
        """For example "Monitoring (7 of 8)"."""
        number = self.number(name)
        return self.phase(name).title + (f" ({number} of {len(self)})" if number else "")


UNPLANNED = Plan()
