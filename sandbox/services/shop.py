# SPDX-License-Identifier: GPL-3.0-or-later
"""The services of the shop, which work when their database does."""

from __future__ import annotations

import typing as t

from sandbox.services.base_service import Service, application
from sandbox.services.connections import Database
from sandbox.services.health import Check

if t.TYPE_CHECKING:
    from aiohttp import web


def shop_service(service: Service) -> web.Application:
    database = Database(service.env, "DATABASE_URL")
    return application(service, checks=[Check("database", database.ping)], resources=[database])
