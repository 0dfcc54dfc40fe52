# SPDX-License-Identifier: GPL-3.0-or-later
"""The gateway as a component of the sandbox: how to start it and where it is reached."""

from __future__ import annotations

import typing as t

from sandbox.component import Component, responds
from sandbox.world import Facts, World


class Gateway(Component):
    """Needs the Kubernetes API alone: that pods are missing is an answer it can give."""

    name = "gateway"
    program = "sandbox.gateway.server"
    needs = ("kubernetes",)
    ports = ("gateway",)
    faults: t.Mapping[str, str] = {
        "errors": "Requests to the target service are answered 500 (percent=100 of them).",
        "slow": "Every request to the target service is held for seconds=3.",
    }

    def ready(self, world: World) -> bool:
        return responds(f"{world.url('gateway')}/healthz")

    def facts(self, world: World) -> Facts:
        return {"url": world.url("gateway"), "admin_token": world.secret("admin-token")}


COMPONENT = Gateway()
