# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Return Deployments to their pins, wave after wave, the members of one wave side by side."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._errors import DeployError
from .._rollout.changes import Taken
from .._threads import side_by_side
from .waves import Waves


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
