# SPDX-License-Identifier: GPL-3.0-or-later
"""Return Deployments to their pins, wave after wave, the members of one wave side by side."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

from .._errors import DeployError
from .._rollout.changes import Taken
from .._threads import side_by_side

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


@dataclass(frozen=True)
class Returned:
    """How the way back of one Deployment ended, in the words of the rollout module.

    `message` tells why, empty when it stands at its pin.
    """

    name: str
    result: str
    changed: bool
    image_before: str = ""
    image_after: str = ""
    duration: float = 0.0
    message: str = ""
    diff: t.Mapping[str, t.Any] = field(default_factory=dict)
    takes: tuple[Taken, ...] = ()
    """What going back takes away that the release did not write."""
    fenced: bool = False
    """Whether the fence was written on it and nothing else."""

    @property
    def returned(self) -> bool:
        return not self.message

    def to_json(self) -> dict[str, t.Any]:
        return {
            "result": self.result,
            "changed": self.changed,
            "before": {"image": self.image_before},
            "after": {"image": self.image_after},
            "duration": self.duration,
            "message": self.message,
            "taken_away": [one.to_json() for one in self.takes],
            "fenced": self.fenced,
        }


class NotReturnedError(DeployError):
    reason = "NotReturned"


class Return(t.Protocol):
    def __call__(self, name: str) -> Returned:
        """Return one Deployment and follow it to its end; a DeployError tells why not. On any thread."""


def return_all(waves: Waves, return_one: Return, *, parallel: int) -> list[Returned]:
    """All of them, whatever becomes of one: what cannot return must not keep others from it."""
    done: list[Returned] = []
    for wave in waves:
        done += side_by_side(lambda name: _settled(return_one, name), wave, at_once=parallel)
    return done


def _settled(return_one: Return, name: str) -> Returned:
    try:
        return return_one(name)
    except DeployError as exc:
        details = exc.details
        return Returned(
            name=name,
            result=details.get("result", "failed_no_undo"),
            changed=bool(details.get("changed")),
            image_before=details.get("before", {}).get("image", ""),
            image_after=details.get("after", {}).get("image", ""),
            duration=details.get("duration", 0.0),
            message=str(exc),
            fenced=bool(details.get("fenced")),
        )


def describe_return(returned: t.Sequence[Returned], release: str) -> str:
    """One sentence for each of: what returned, what was there, what did not."""
    moved = [one.name for one in returned if one.returned and one.changed]
    there = [one.name for one in returned if one.returned and not one.changed]
    failed = [one for one in returned if not one.returned]
    said = []
    if failed:
        names = ", ".join(one.name for one in failed)
        said.append(
            f"{len(failed)} of {len(returned)} services did not return from release {release!r}: {names}."
        )
    if moved:
        said.append(f"Returned: {', '.join(moved)}.")
    if there:
        said.append(f"Already there: {', '.join(there)}.")
    return " ".join([*said, *(one.message for one in failed)])
