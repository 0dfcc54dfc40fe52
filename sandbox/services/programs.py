# SPDX-License-Identifier: GPL-3.0-or-later
"""Which program an image holds."""

from __future__ import annotations

import typing as t

from sandbox import shop
from sandbox.names import WORKER
from sandbox.services import METRICS, ConfigurationError
from sandbox.services.agent_core import agent_core
from sandbox.services.base_service import Service, application
from sandbox.services.catalogue import ENDPOINTS, catalogue_service, shop_service
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
    **dict.fromkeys(ENDPOINTS, catalogue_service),
    **dict.fromkeys(shop.SERVICES, shop_service),
}


def build(service: str, version: str, context: ContainerContext) -> web.Application:
    """The application of `easymo/<service>:v<version>`; `version` with or without its leading v.

    Raises ConfigurationError, as a process would end at start, when the environment is not usable.
    """
    try:
        make = PROGRAMS[service]
    except KeyError:
        raise ConfigurationError(f"There is no program {service!r} in this image.") from None
    return make(Service.of(service, version.removeprefix("v"), context))
