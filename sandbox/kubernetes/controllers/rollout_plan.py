# SPDX-License-Identifier: GPL-3.0-or-later
"""How many replicas each ReplicaSet of a Deployment should have next: pure arithmetic.

Follows the Deployment controller's documented rules: never more than replicas + maxSurge pods, never fewer
than replicas - maxUnavailable available ones.
"""

from __future__ import annotations

import math
import typing as t

from sandbox.kubernetes.controllers.objects import (
    Object,
    annotations_of,
    counter,
    metadata,
    replicas,
)

DESIRED = "deployment.kubernetes.io/desired-replicas"
MAXIMUM = "deployment.kubernetes.io/max-replicas"


class Scale(t.NamedTuple):
    name: str
    size: int


def scaled_value(value: int | str, total: int, *, round_up: bool) -> int:
    """An int-or-percent against `total`: surge rounds up, unavailability rounds down."""
    if isinstance(value, int):
        return value
    text = value.strip()
    if not text.endswith("%"):
        return int(text)
    share = int(text[:-1]) * total
    return -(-share // 100) if round_up else share // 100


def rolls(deployment: Object) -> bool:
    strategy = deployment["spec"].get("strategy") or {}
    return bool(strategy.get("type", "RollingUpdate") == "RollingUpdate")


def fenceposts(deployment: Object) -> tuple[int, int]:
    """(surge, unavailable) in pods. Both zero would never move, so then one may be unavailable."""
    rolling = (deployment["spec"].get("strategy") or {}).get("rollingUpdate") or {}
    wanted = replicas(deployment)
    surge = scaled_value(rolling.get("maxSurge", "25%"), wanted, round_up=True)
    unavailable = scaled_value(rolling.get("maxUnavailable", "25%"), wanted, round_up=False)
    return (surge, unavailable) if surge or unavailable else (0, 1)


def max_surge(deployment: Object) -> int:
    return fenceposts(deployment)[0] if rolls(deployment) else 0


def max_unavailable(deployment: Object) -> int:
    if not rolls(deployment) or replicas(deployment) == 0:
        return 0
    return min(fenceposts(deployment)[1], replicas(deployment))


def total(sets: t.Iterable[Object]) -> int:
    return sum(replicas(entry) for entry in sets)


def total_status(sets: t.Iterable[Object], name: str) -> int:
    return sum(counter(entry, name) for entry in sets)


def new_size(deployment: Object, sets: t.Sequence[Object], current: int) -> int:
    """The size of the new ReplicaSet, which has `current` replicas; `sets` are all of them."""
    if not rolls(deployment):
        return replicas(deployment)
    room = replicas(deployment) + max_surge(deployment) - total(sets)
    if room <= 0:
        return current
    return current + min(room, replicas(deployment) - current)


def plan_new(deployment: Object, new: Object, sets: t.Sequence[Object]) -> list[Scale]:
    current = replicas(new)
    if current == replicas(deployment):
        return []
    if current > replicas(deployment):
        return [Scale(metadata(new)["name"], replicas(deployment))]
    size = new_size(deployment, sets, current)
    return [Scale(metadata(new)["name"], size)] if size != current else []


def plan_old(deployment: Object, new: Object | None, old: t.Sequence[Object]) -> list[Scale]:
    """Take away old replicas: first those that are not available anyway, then what availability allows."""
    sets = [*old, *([new] if new else [])]
    floor = replicas(deployment) - max_unavailable(deployment)
    new_unavailable = replicas(new) - counter(new, "availableReplicas") if new else 0
    room = total(sets) - floor - new_unavailable
    if total(old) == 0 or room <= 0:
        return []
    sizes = {metadata(entry)["name"]: replicas(entry) for entry in old}
    _take_unhealthy(old, sizes, room)
    _take_available(old, sizes, total_status(sets, "availableReplicas") - floor)
    return [
        Scale(name, sizes[name])
        for entry in _oldest_first(old)
        if sizes[name := metadata(entry)["name"]] != replicas(entry)
    ]


def _take_unhealthy(old: t.Sequence[Object], sizes: dict[str, int], room: int) -> None:
    for entry in _oldest_first(old):
        unhealthy = replicas(entry) - counter(entry, "availableReplicas")
        taken = max(0, min(room, unhealthy))
        sizes[metadata(entry)["name"]] -= taken
        room -= taken


def _take_available(old: t.Sequence[Object], sizes: dict[str, int], spare: int) -> None:
    for entry in _oldest_first(old):
        name = metadata(entry)["name"]
        taken = max(0, min(sizes[name], spare))
        sizes[name] -= taken
        spare -= taken


def _oldest_first(sets: t.Iterable[Object]) -> list[Object]:
    return sorted(sets, key=_age)


def _age(entry: Object) -> tuple[str, str]:
    return (metadata(entry).get("creationTimestamp", ""), metadata(entry)["name"])


def scaling_event(deployment: Object, sets: t.Iterable[Object]) -> bool:
    wanted = str(replicas(deployment))
    return any(
        annotations_of(entry).get(DESIRED, wanted) != wanted
        for entry in sets
        if replicas(entry) > 0
    )


def plan_scale(deployment: Object, new: Object | None, old: t.Sequence[Object]) -> list[Scale]:
    """Sizes after spec.replicas changed: all to the only set, or spread in proportion over several."""
    single = _active_or_latest(new, old)
    if single is not None:
        if replicas(single) == replicas(deployment):
            return []
        return [Scale(metadata(single)["name"], replicas(deployment))]
    active_old = [entry for entry in old if replicas(entry) > 0]
    if new is not None and _saturated(deployment, new):
        return [Scale(metadata(entry)["name"], 0) for entry in _oldest_first(active_old)]
    if not rolls(deployment):
        return []
    return _proportional(deployment, [*active_old, *([new] if new and replicas(new) > 0 else [])])


def _active_or_latest(new: Object | None, old: t.Sequence[Object]) -> Object | None:
    sets = [*old, *([new] if new else [])]
    active = [entry for entry in sets if replicas(entry) > 0]
    if len(active) > 1:
        return None
    if active:
        return active[0]
    return new or (_oldest_first(old)[-1] if old else None)


def _saturated(deployment: Object, new: Object) -> bool:
    wanted = replicas(deployment)
    return (
        replicas(new) == wanted
        and annotations_of(new).get(DESIRED) == str(wanted)
        and counter(new, "availableReplicas") == wanted
    )


def _proportional(deployment: Object, sets: list[Object]) -> list[Scale]:
    wanted = replicas(deployment)
    allowed = wanted + max_surge(deployment) if wanted else 0
    to_add = allowed - total(sets)
    # Equal sizes: grow the newer, shrink the older.
    ordered = sorted(sets, key=_age, reverse=to_add > 0)
    ordered.sort(key=replicas, reverse=True)
    added, sizes = 0, []
    for entry in ordered:
        share = _share(deployment, entry, to_add - added) if to_add else 0
        sizes.append(replicas(entry) + share)
        added += share
    if sizes and to_add:
        sizes[0] = max(0, sizes[0] + to_add - added)
    return [
        Scale(metadata(entry)["name"], size) for entry, size in zip(ordered, sizes, strict=True)
    ]


def _share(deployment: Object, entry: Object, left: int) -> int:
    size = replicas(entry)
    if replicas(deployment) == 0:
        return -size
    if size == 0 or left == 0:
        return 0
    before = int(annotations_of(entry).get(MAXIMUM) or 0) or counter(deployment, "replicas") or size
    exact = size * (replicas(deployment) + max_surge(deployment)) / before
    share = math.floor(exact + 0.5) - size
    return min(share, left) if left > 0 else max(share, left)
