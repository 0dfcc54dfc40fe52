# SPDX-License-Identifier: GPL-3.0-or-later
"""One task of the release_rollback module: its pins, their order, and a rollout for each."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

from .._cluster import Clock, Cluster
from .._errors import DeployError, InputError
from .._release.pins import Pins, read_pins, record_name
from .._release.store import ReleaseStore
from .._rollout.apply import WriteCheck
from .._rollout.changes import Taken
from .._rollout.models import ReplicaCounts
from .._rollout.plan import Pin, RolloutRequest
from .._rollout.runner import Rollout, Settings
from .._threads import side_by_side

Waves = list[list[str]]

PREFIX = "service_wave_"
FIRST_SIZES = (1, 3)
"""The sizes of the first waves, and then the rest, of an inventory that names no waves."""


def waves_of(groups: t.Mapping[str, t.Sequence[str]], group: str) -> Waves:
    """The members of `group` by its groups `service_wave_<number>`, lowest number first; members of none come last.

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
        # Ansible's lists check each element on every access.
        named = set(groups[name])
        waves.append([host for host in left if host in named])
        left = [host for host in left if host not in named]
    return [wave for wave in (*waves, left) if wave]


def split(names: t.Sequence[str], sizes: t.Sequence[int]) -> Waves:
    waves, at = [], 0
    for size in sizes:
        waves.append(list(names[at : at + size]))
        at += size
    return [wave for wave in (*waves, list(names[at:])) if wave]


def rollback_waves(
    waves: t.Sequence[t.Sequence[str]], names: t.Collection[str], first: t.Sequence[str]
) -> Waves:
    """`names` in reverse waves. Those of `first` come before all others, each alone; names without a wave come last."""
    leading = [[name] for name in first if name in names]
    taken = {name for wave in leading for name in wave}
    back: Waves = [*leading]
    for wave in reversed(waves):
        members = [name for name in reversed(wave) if name in names and name not in taken]
        taken.update(members)
        back.append(members)
    back.append(sorted(name for name in names if name not in taken))
    return [wave for wave in back if wave]


@dataclass(frozen=True)
class Returned:
    """The end of one Deployment's rollback, as a result of the rollout module.

    `message`: the reason of a failure, empty when it returned to its pin.
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
    """Fields that the rollback changed and the release did not write."""
    fenced: bool = False
    """Whether only the fence was written on it."""

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
            "taken_away": [change.to_json() for change in self.takes],
            "fenced": self.fenced,
        }


class NotReturnedError(DeployError):
    reason = "NotReturned"


class Return(t.Protocol):
    def __call__(self, name: str) -> Returned:
        """Return one Deployment and follow it to its end, on any thread. Raises DeployError with the reason."""


def return_all(waves: Waves, return_deployment: Return, *, parallel: int) -> list[Returned]:
    """Return all Deployments: one that cannot return must not stop the others."""
    done: list[Returned] = []
    for wave in waves:
        done += side_by_side(lambda name: _settled(return_deployment, name), wave, at_once=parallel)
    return done


def _settled(return_deployment: Return, name: str) -> Returned:
    try:
        return return_deployment(name)
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
    """One sentence each for the returned, the unchanged and the failed Deployments."""
    moved = [outcome.name for outcome in returned if outcome.returned and outcome.changed]
    there = [outcome.name for outcome in returned if outcome.returned and not outcome.changed]
    failed = [outcome for outcome in returned if not outcome.returned]
    sentences = []
    if failed:
        names = ", ".join(outcome.name for outcome in failed)
        sentences.append(
            f"{len(failed)} of {len(returned)} services did not return from release {release!r}: {names}."
        )
    if moved:
        sentences.append(f"Returned: {', '.join(moved)}.")
    if there:
        sentences.append(f"Already there: {', '.join(there)}.")
    return " ".join([*sentences, *(outcome.message for outcome in failed)])


Report = t.Callable[[str, str, ReplicaCounts], None]
"""Live progress: the Deployment, a text and its counts."""


@dataclass(frozen=True)
class RollbackRequest:
    """`names`: only these, all that are pinned when empty. `wait_timeout`: seconds for each."""

    release: str
    names: tuple[str, ...]
    first: tuple[str, ...]
    parallel: int
    wait_timeout: int
    quorum: str
    actor: str
    at: str
    fence: int


def plan_waves(cluster: Cluster, request: RollbackRequest, clock: Clock) -> tuple[Pins, Waves]:
    """The pins and the waves. A requested name without a pin is refused before any write."""
    pins = read_pins(cluster, record_name(request.release))
    if pins is None or not pins.deployments:
        raise InputError(
            f"Nothing is pinned for release {request.release!r}, so there is nothing to return to: "
            "it touched no service yet, or its record was deleted. Check 'kubectl rollout history'."
        )
    unknown = [name for name in request.names if name not in pins.deployments]
    if unknown:
        raise InputError(
            f"Nothing is pinned for {', '.join(unknown)} in release {request.release!r}: pinned are "
            f"{', '.join(pins.deployments)}."
        )
    record = ReleaseStore(cluster, request.release, clock=clock).read()
    waves = record.facts.waves if record else ()
    return pins, rollback_waves(waves, request.names or tuple(pins.deployments), request.first)


@dataclass
class DeploymentRollback:
    """Returns one Deployment after the other to its pin; each call has a rollout of its own."""

    cluster: Cluster
    pins: Pins
    request: RollbackRequest
    guard: WriteCheck
    clock: Clock
    report: Report
    check_mode: bool

    def __call__(self, name: str) -> Returned:
        rollout = Rollout(
            self.cluster,
            name,
            self._wanted(name),
            self._pin(name),
            settings=Settings(
                wait_timeout=self.request.wait_timeout,
                undo_on_failure=False,
                quorum=self.request.quorum,
            ),
            clock=self.clock,
            report=lambda text, counts: self.report(name, text, counts),
            guard=self.guard,
        )
        plan = rollout.plan()
        outcome = rollout.predict(plan) if self.check_mode else rollout.carry_out(plan)
        return Returned(
            name=name,
            result=outcome.result,
            changed=outcome.changed,
            image_before=outcome.before.image,
            image_after=outcome.after.image,
            duration=round(outcome.duration, 1),
            diff=plan.to_diff(),
            takes=plan.takes,
            fenced=outcome.fenced,
        )

    def all(self, waves: Waves) -> list[Returned]:
        return return_all(waves, self, parallel=self.request.parallel)

    def _pin(self, name: str) -> Pin | None:
        return self.pins.deployment(name)

    def _wanted(self, name: str) -> RolloutRequest:
        images = self.pins.deployments[name]["images"]
        return RolloutRequest(
            state="rolled_back",
            container=name if name in images else next(iter(images)),
            release=self.request.release,
            actor=self.request.actor,
            at=self.request.at,
            fence=self.request.fence,
        )
