# SPDX-License-Identifier: GPL-3.0-or-later
"""The epoch of the deploy lock that an object carries: no holder of an earlier epoch may write it again."""

from __future__ import annotations

import re
import typing as t

from .._cluster import FENCE_ANNOTATION, Cluster, Object, operation, set_annotations
from .._errors import ConflictError
from .errors import LeaseLostError

ATTEMPTS = 8
EPOCH = re.compile(r"[0-9]{1,10}")


def epoch_in(annotations: t.Mapping[str, str], annotation: str = FENCE_ANNOTATION) -> int:
    """The epoch; 0 without one and for a text that no run writes, as manifests/policy reads it."""
    text = annotations.get(annotation, "")
    return int(text) if EPOCH.fullmatch(text) else 0


def fence_of(body: Object) -> int:
    return epoch_in(body["metadata"].get("annotations") or {})


def refuse_later(what: str, written: int, ours: int, **details: t.Any) -> None:
    """Raise LeaseLostError for an object that a later holder of the lock wrote. `ours` is 0 without a lock."""
    if ours and written > ours:
        raise LeaseLostError(
            f"{what} was written under a later deploy lock (epoch {written}, ours is {ours}), so it was left alone: "
            "another run took the lock over. Check playbooks/status.yml before deploying again.",
            **details,
        )


def leave_epoch(cluster: Cluster, name: str, epoch: int) -> None:
    """Write the epoch on a ConfigMap, if there is one, and nothing else. Raises LeaseLostError for a later one.

    A run that read the ConfigMap before and writes it by that version is refused.
    """
    last: ConflictError | None = None
    for _attempt in range(ATTEMPTS):
        body = cluster.read("ConfigMap", name)
        if body is None or fence_of(body) == epoch:
            return
        refuse_later(f"ConfigMap {name!r}", fence_of(body), epoch)
        metadata = body["metadata"]
        present = metadata.get("annotations") or {}
        try:
            cluster.patch(
                "ConfigMap",
                name,
                [
                    operation("test", "/metadata/resourceVersion", metadata["resourceVersion"]),
                    *set_annotations(
                        "/metadata/annotations", present, {FENCE_ANNOTATION: str(epoch)}
                    ),
                ],
            )
        except ConflictError as exc:
            last = exc
            continue
        return
    raise ConflictError(
        f"ConfigMap {name!r} was changed {ATTEMPTS} times during our writes: something else keeps writing to it. "
        "Find out what, and try again."
    ) from last
