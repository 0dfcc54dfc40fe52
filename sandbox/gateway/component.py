# SPDX-License-Identifier: GPL-3.0-or-later
"""The gateway as a component of the sandbox: how to start it and where it is reached."""

from __future__ import annotations

import sys
import typing as t
import urllib.request

from sandbox.component import Component, Process
from sandbox.world import Facts, World


class Gateway(Component):
    """Needs the Kubernetes API alone: that pods are missing is an answer it can give."""

    name = "gateway"
    needs = ("kubernetes",)
    ports = ("gateway",)
    faults: t.Mapping[str, str] = {
        "errors": "answers HTTP 500 to percent=100 of the requests to the target service",
        "slow": "holds every request to the target service for seconds=3",
    }

    def prepare(self, world: World) -> None:
        world.port("gateway")
        admin_token(world)
        world.folder("gateway")

    def process(self, world: World) -> Process:
        return Process(argv=(sys.executable, "-m", "sandbox.gateway", str(world.directory)))

    def ready(self, world: World) -> bool:
        with urllib.request.urlopen(f"{base_url(world)}/healthz", timeout=2) as answer:  # noqa: S310 - our own http URL
            return bool(answer.status == 200)

    def settle(self, world: World) -> None:
        """It keeps nothing."""

    def facts(self, world: World) -> Facts:
        return {"url": base_url(world), "admin_token": admin_token(world)}


COMPONENT = Gateway()


def base_url(world: World) -> str:
    return f"http://127.0.0.1:{world.port('gateway')}"


def admin_token(world: World) -> str:
    return world.secret("admin-token")
