# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Waves: which services roll together, in which order they roll, and in which they return."""

from __future__ import annotations

import re
import typing as t

Waves = list[list[str]]

PREFIX = "service_wave_"
FIRST_SIZES = (1, 3)
"""The sizes of the first waves, and then the rest, of an inventory that names no waves."""


def waves_of(groups: t.Mapping[str, t.Sequence[str]], group: str) -> Waves:
    """The members of `group` by its groups `service_wave_<number>`, lowest number first; whoever is in none comes last.

    Without any such group: one alone, then three, then the rest, in the order of the inventory.
    """
    members = list(dict.fromkeys(groups.get(group, ())))
    numbered = sorted(
        (int(name.removeprefix(PREFIX)), name)
        for name in groups
        if re.fullmatch(rf"{PREFIX}[0-9]+", name)
    )
    if not numbered:
        return split(members, FIRST_SIZES)
    left, waves = members, []
    for _number, name in numbered:
        # Ansible's lists look at each element when asked for one.
        named = set(groups[name])
        waves.append([one for one in left if one in named])
        left = [one for one in left if one not in named]
    return [wave for wave in (*waves, left) if wave]


def split(names: t.Sequence[str], sizes: t.Sequence[int]) -> Waves:
    waves, at = [], 0
    for size in sizes:
        waves.append(list(names[at : at + size]))
        at += size
    return [wave for wave in (*waves, list(names[at:])) if wave]


def way_back(
    waves: t.Sequence[t.Sequence[str]], names: t.Collection[str], first: t.Sequence[str]
) -> Waves:
    """`names` in reverse waves, those of `first` before all others, each alone; whoever is in no wave comes last."""
    leading = [[one] for one in first if one in names]
    taken = {one for wave in leading for one in wave}
    back: Waves = [*leading]
    for wave in reversed(waves):
        members = [one for one in reversed(wave) if one in names and one not in taken]
        taken.update(members)
        back.append(members)
    back.append(sorted(one for one in names if one not in taken))
    return [wave for wave in back if wave]
