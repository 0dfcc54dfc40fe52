# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""What --diff shows of functions: settings and files, and the text of those that differ."""

from __future__ import annotations

import typing as t

from .models import Running, Source
from .plan import Change, FunctionsPlan

LARGEST = 64 * 1024
"""Bytes of a file whose text is shown."""
ALTOGETHER = 512 * 1024
"""Bytes of text that are shown of all of them."""


def diff_of(plan: FunctionsPlan, running: t.Mapping[str, Running]) -> list[dict[str, str]]:
    """One entry for each function's settings, and one for each of its files. Ansible shows them as unified diffs."""
    entries: list[dict[str, str]] = []
    room = ALTOGETHER
    for change in plan.changes:
        before = running.get(change.slug)
        entries.append(
            {
                "before_header": change.slug,
                "after_header": change.slug,
                "before": _overview(before, change, before.source if before else None),
                "after": _overview(before, change, change.deploy, after=True),
            }
        )
        for path in change.files:
            old = _content(before.source if before else None, path)
            new = _content(change.deploy, path)
            size = len(old or b"") + len(new or b"")
            shown = size <= room
            room -= size if shown else 0
            entries.append(
                {
                    "before_header": f"{change.slug}: {path}",
                    "after_header": f"{change.slug}: {path}",
                    "before": _text(old, shown=shown),
                    "after": _text(new, shown=shown),
                }
            )
    return entries


def _overview(
    before: Running | None, change: Change, source: Source | None, *, after: bool = False
) -> str:
    if (after and change.deploy is None) or (not after and before is None):
        return ""
    running = before.deployed.verify_jwt if before else True
    wanted = change.deploy.verify_jwt if change.deploy else None
    switch = wanted if after and wanted is not None else running
    lines = [f"verify_jwt: {str(switch).lower()}"]
    if source:
        lines += [f"{path}: sha256 {digest}" for path, digest in sorted(source.digests.items())]
    return "\n".join(lines) + "\n"


def _content(source: Source | None, path: str) -> bytes | None:
    if source is None:
        return None
    return next(
        (body for name, body in source.files.items() if source.relative(name) == path), None
    )


def _text(content: bytes | None, *, shown: bool) -> str:
    if content is None:
        return ""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return f"{len(content)} bytes that are not text\n"
    if not shown or len(content) > LARGEST:
        return f"{len(content)} bytes, too many to show\n"
    return text
