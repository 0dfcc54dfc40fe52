# SPDX-License-Identifier: GPL-3.0-or-later
"""The pins of one task of the release_rollback module, the order of their return, and what became of each."""

from __future__ import annotations

import re
import typing as t

from .._cluster import Clock, Cluster
from .._errors import DeployError, InputError
from .._release.pins import Pins, read_pins, record_name
from .._release.store import ReleaseStore
from .._threads import side_by_side

Waves = list[list[str]]

PREFIX = "service_wave_"


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
        return [wave for wave in (members[:1], members[1:4], members[4:]) if wave]
    left, waves = members, []
    for _number, name in numbered:
        # Ansible's lists check each element on every access.
        named = set(groups[name])
        waves.append([host for host in left if host in named])
        left = [host for host in left if host not in named]
    return [wave for wave in (*waves, left) if wave]


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


class NotReturnedError(DeployError):
    reason = "NotReturned"


Result = dict[str, t.Any]
"""As the rollout module returns it, with the `message` of a failure, empty when it returned to its pin."""


AT_ONCE = 50
"""How many return side by side at most, within one wave."""


def return_all(waves: Waves, return_deployment: t.Callable[[str], Result]) -> dict[str, Result]:
    """What became of each Deployment. One that cannot return must not stop the others."""
    done: dict[str, Result] = {}
    for wave in waves:
        results = side_by_side(
            lambda name: _settled(return_deployment, name), wave, at_once=AT_ONCE
        )
        done.update(zip(wave, results, strict=True))
    return done


def _settled(return_deployment: t.Callable[[str], Result], name: str) -> Result:
    try:
        return {**return_deployment(name), "message": ""}
    except DeployError as exc:
        return {"result": "failed_no_undo", **exc.details, "taken_away": [], "message": str(exc)}


def to_service(result: Result) -> dict[str, t.Any]:
    """One Deployment's return, for the result of the task and for the record."""
    return {
        "result": result["result"],
        "changed": bool(result.get("changed")),
        "before": {"image": result.get("before", {}).get("image", "")},
        "after": {"image": result.get("after", {}).get("image", "")},
        "duration": result.get("duration", 0.0),
        "message": result["message"],
        "taken_away": result["taken_away"],
        "fenced": bool(result.get("fenced")),
    }


def describe_return(returned: t.Mapping[str, Result], release: str) -> str:
    """One sentence each for the returned, the unchanged and the failed Deployments."""
    good = {name: result for name, result in returned.items() if not result["message"]}
    moved = [name for name, result in good.items() if result["changed"]]
    there = [name for name, result in good.items() if not result["changed"]]
    failed = [name for name in returned if name not in good]
    sentences = []
    if failed:
        sentences.append(
            f"{len(failed)} of {len(returned)} services did not return from release {release!r}: {', '.join(failed)}."
        )
    if moved:
        sentences.append(f"Returned: {', '.join(moved)}.")
    if there:
        sentences.append(f"Already there: {', '.join(there)}.")
    return " ".join([*sentences, *(returned[name]["message"] for name in failed)])


def plan_waves(cluster: Cluster, params: t.Mapping[str, t.Any], clock: Clock) -> tuple[Pins, Waves]:
    """The pins and the waves. A requested name without a pin is refused before any write."""
    release, names = params["name"], params["deployments"]
    pins = read_pins(cluster, record_name(release))
    if pins is None or not pins.deployments:
        raise InputError(
            f"Nothing is pinned for release {release!r}, so there is nothing to return to: "
            "it touched no service yet, or its record was deleted. Check 'kubectl rollout history'."
        )
    unknown = [name for name in names if name not in pins.deployments]
    if unknown:
        raise InputError(
            f"Nothing is pinned for {', '.join(unknown)} in release {release!r}: pinned are "
            f"{', '.join(pins.deployments)}."
        )
    record = ReleaseStore(cluster, release, clock=clock).read()
    waves = record.facts.waves if record else ()
    return pins, rollback_waves(waves, names or tuple(pins.deployments), params["first"])
