# SPDX-License-Identifier: GPL-3.0-or-later
"""Which program an image holds: one of the platform's, or for an image of anybody else a stand-in."""

from __future__ import annotations

import typing as t

from sandbox.names import SERVICES, WORKER
from sandbox.services import METRICS, ConfigurationError
from sandbox.services.agent_core import agent_core
from sandbox.services.base_service import Check, Service, application
from sandbox.services.connections import Database
from sandbox.services.wallet import wallet_service
from sandbox.services.worker import worker

if t.TYPE_CHECKING:
    from aiohttp import web

    from sandbox.services import ContainerContext

PROGRAMS: t.Mapping[str, t.Callable[[Service], web.Application]] = {
    "agent-core": agent_core,
    "wallet-service": wallet_service,
    WORKER: worker,
    # A sidecar: nothing but the metrics that all have.
    METRICS: application,
}
"""What a release needs more of than its health. For all other services a stand-in does."""
HERE = "@127.0.0.1:"
"""In the URL of a database of the sandbox, which a stand-in can ask."""


def build(service: str, version: str, context: ContainerContext) -> web.Application:
    """The application of `easymo/<service>:v<version>`; `version` with or without its leading v.

    Raises ConfigurationError, as a process would end at start, when the environment is not usable.
    """
    version = version.removeprefix("v")
    if service in PROGRAMS:
        return PROGRAMS[service](Service.of(service, version, context))
    if service not in SERVICES:
        raise ConfigurationError(f"There is no program {service!r} in this image.")
    return stand_in(service, version, context)


def stand_in(name: str, version: str, context: ContainerContext) -> web.Application:
    """Whatever it is asked, it tells its health and version, and so that of the databases that it is given."""
    service = Service.of(name, version, context)
    names = [
        variable
        for variable, value in service.env.items()
        if value.startswith(("postgres://", "postgresql://")) and HERE in value
    ]
    databases = {name: Database(service.env, name) for name in names}
    return application(
        service,
        checks=[
            Check(name.lower().removesuffix("_url"), database.ping)
            for name, database in databases.items()
        ],
        resources=[*databases.values()],
        everywhere=True,
    )
