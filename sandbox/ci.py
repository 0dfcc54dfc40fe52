# SPDX-License-Identifier: GPL-3.0-or-later
"""What CI and staging do with a commit that is tagged: images pushed, checks green, results left. Nothing is tested."""

from __future__ import annotations

import typing as t

from sandbox import application
from sandbox.errors import SandboxError
from sandbox.node.registry import push
from sandbox.sinks.component import report_ci

if t.TYPE_CHECKING:
    from pathlib import Path

    from sandbox.world import World


def pass_ci(world: World, checkout: Path, services: t.Sequence[str]) -> str:
    registry = world.facts("node")["registry_url"]
    tags = application.git(checkout, "tag", "--points-at", "HEAD").split()
    if not tags:
        raise SandboxError(f"The commit of {checkout} has no tag: CI builds what is tagged.")
    commit, tag = application.git(checkout, "rev-parse", "HEAD").strip(), tags[-1]
    images = [f"easymo/{service}:{tag}" for service in services]
    for image in images:
        push(registry, image)
    report_ci(world, commit)
    results = application.folder(world) / "staging-results"
    application.write(results, tag.removeprefix("v"), commit)
    pushed = f", {', '.join(images)} pushed" if images else ""
    return f"CI and staging passed {tag} ({commit[:12]}){pushed}."
