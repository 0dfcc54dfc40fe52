# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Read the end of a container's log, however long its lines are."""

from __future__ import annotations

from .._cluster import Cluster

FEWER = 4
"""By how much fewer lines are asked for when they had too many bytes."""


def read_tail(
    cluster: Cluster,
    pod: str,
    container: str,
    *,
    lines: int,
    limit: int | None = None,
    previous: bool = False,
) -> tuple[str, str]:
    """Its last `lines`, and what was cut of them, in words that go on a sentence.

    The server's own limit of bytes takes the end away, where the cause stands: so rather fewer lines whole.
    """
    if limit is None:
        return cluster.log(pod, container, tail_lines=lines, previous=previous), ""
    wanted = lines
    while True:
        text = cluster.log(
            pod, container, tail_lines=wanted, limit_bytes=limit + 1, previous=previous
        )
        if len(text.encode()) <= limit:
            cut = f"had more than {limit} bytes in {lines} lines: the last {wanted} were read."
            return text, cut if wanted < lines else ""
        if wanted == 1:
            return text[
                :limit
            ], f"ends in a line of more than {limit} bytes: its beginning was read."
        wanted = max(wanted // FEWER, 1)
