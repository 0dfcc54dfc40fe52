# SPDX-License-Identifier: GPL-3.0-or-later
"""The exporters as a component."""

from __future__ import annotations

import typing as t
import urllib.request

from sandbox.component import Component

if t.TYPE_CHECKING:
    from sandbox.world import Facts, World

NAME = "exporters"


class Exporters(Component):
    name = NAME
    program = "sandbox.exporters.server"
    needs = ("postgres", "valkey", "kafka")
    ports = (NAME,)

    def ready(self, world: World) -> bool:
        with urllib.request.urlopen(f"{world.url(NAME)}/metrics", timeout=2) as answer:  # noqa: S310
            return b"pg_up" in answer.read()

    def facts(self, world: World) -> Facts:
        return {"url": f"{world.url(NAME)}/metrics"}


COMPONENT = Exporters()
