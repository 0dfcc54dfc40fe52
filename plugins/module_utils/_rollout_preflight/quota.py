# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Whether a namespace's quotas leave room for the pods that a rollout starts beside the old ones. Pure."""

from __future__ import annotations

import math
import re
import typing as t
from fractions import Fraction

from .._cluster import Object

SUFFIXES = {
    "n": Fraction(1, 10**9), "u": Fraction(1, 10**6), "m": Fraction(1, 1000), "": Fraction(1),
    "k": Fraction(10**3), "M": Fraction(10**6), "G": Fraction(10**9), "T": Fraction(10**12),
    "Ki": Fraction(2**10), "Mi": Fraction(2**20), "Gi": Fraction(2**30), "Ti": Fraction(2**40),
}  # fmt: skip
COUNT = re.compile(r"([+-]?[0-9.]+(?:[eE][+-]?\d+)?)([a-zA-Z]*)")


def quantity(text: str | int | float) -> Fraction:
    """A quantity as Kubernetes writes it. Raises ValueError when it is none."""
    matched = COUNT.fullmatch(str(text).strip())
    if matched is None or matched[2] not in SUFFIXES:
        raise ValueError(f"{text!r} is no quantity")
    return Fraction(matched[1]) * SUFFIXES[matched[2]]


def resolve(value: t.Any, replicas: int, *, round_up: bool) -> int:
    """A number of pods, given as such or as a percentage of the replicas."""
    if isinstance(value, str) and value.endswith("%"):
        share = Fraction(int(value[:-1]) * replicas, 100)
        return math.ceil(share) if round_up else math.floor(share)
    return int(value)


def surge_of(spec: Object) -> tuple[int, int]:
    """maxSurge and maxUnavailable of a Deployment's spec, in pods, as the controller counts them."""
    replicas = spec.get("replicas", 1)
    rolling = (spec.get("strategy") or {}).get("rollingUpdate") or {}
    surge = resolve(rolling.get("maxSurge", "25%"), replicas, round_up=True)
    unavailable = resolve(rolling.get("maxUnavailable", "25%"), replicas, round_up=False)
    # The controller lets one go when both come to none, for nothing could move otherwise.
    return (surge, unavailable) if surge or unavailable else (0, 1)


def demand(template: Object) -> dict[str, Fraction]:
    """What one pod takes, by the names that a quota may limit."""
    taken = {"pods": Fraction(1), "count/pods": Fraction(1)}
    for container in template["spec"]["containers"]:
        resources = container.get("resources") or {}
        for side in ("requests", "limits"):
            for name, amount in (resources.get(side) or {}).items():
                for key in (f"{side}.{name}", *((name,) if side == "requests" else ())):
                    taken[key] = taken.get(key, Fraction(0)) + quantity(amount)
    return taken


def shortages(template: Object, pods: int, quotas: t.Iterable[Object]) -> list[str]:
    """In words, what is too little for so many more pods."""
    wanted = {key: amount * pods for key, amount in demand(template).items()}
    short = []
    for quota in quotas:
        status = quota.get("status") or {}
        hard, used = status.get("hard") or {}, status.get("used") or {}
        for key in sorted(wanted.keys() & hard.keys()):
            if quantity(used.get(key, 0)) + wanted[key] > quantity(hard[key]):
                short.append(
                    f"quota {quota['metadata']['name']} leaves no room: {used.get(key, 0)} of "
                    f"{hard[key]} {key} are used"
                )
    return short
