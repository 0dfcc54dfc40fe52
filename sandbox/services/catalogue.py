# SPDX-License-Identifier: GPL-3.0-or-later
"""The services that each answer one question from the Supabase database, as a table."""

from __future__ import annotations

import datetime
import decimal
import typing as t
import uuid
from dataclasses import dataclass

from aiohttp import web

from sandbox.services.base_service import Check, RequestError, Service, application
from sandbox.services.connections import Database

MOST_ROWS = 50
TEXT_LENGTH = 100


@dataclass(frozen=True)
class Endpoint:
    """GET `path`, answering `{"<noun>": [rows]}`; `$1` of the query is the optional `parameter`."""

    path: str
    query: str
    parameter: str
    noun: str = ""
    """Of the answer, where it is not the path's."""


ENDPOINTS: t.Mapping[str, Endpoint] = {
    "ranking-service": Endpoint(
        "/rank",
        "select id, name, category, district, rating, rank() over (order by rating desc) as rank"
        " from public.vendors where is_open and ($1::text is null or category = $1)"
        " order by rating desc, id",
        "category",
        "vendors",
    ),
    "vendor-service": Endpoint(
        "/vendors",
        "select id, name, category, district, rating, phone from public.vendors"
        " where is_open and ($1::text is null or category = $1) order by name, id",
        "category",
    ),
    "buyer-service": Endpoint(
        "/products",
        "select p.id, p.name, p.unit, p.price_rwf, v.name as vendor from public.products p"
        " join public.vendors v on v.id = p.vendor_id and v.is_open"
        " where p.in_stock and ($1::text is null or p.name = $1) order by p.price_rwf, p.id",
        "name",
    ),
    "station-service": Endpoint(
        "/stations",
        "select id, name, district, latitude, longitude, fuels from public.stations"
        " where $1::text is null or $1 = any(fuels) order by name",
        "fuel",
    ),
    "driver-service": Endpoint(
        "/drivers",
        "select id, vehicle, plate, district, rating from public.drivers"
        " where is_online and ($1::text is null or district = $1) order by rating desc, id",
        "district",
    ),
    "voice-bridge": Endpoint(
        "/languages",
        "select language, count(*) as users from public.users"
        " where $1::text is null or language = $1 group by language order by language",
        "language",
    ),
    "marketplace-service": Endpoint(
        "/categories",
        "select category, count(*) as vendors, round(avg(rating), 1) as rating from public.vendors"
        " where is_open and ($1::text is null or district = $1) group by category order by 1",
        "district",
    ),
    "property-service": Endpoint(
        "/properties",
        "select id, title, district, bedrooms, monthly_rent_rwf from public.properties"
        " where $1::text is null or district = $1 order by monthly_rent_rwf, id",
        "district",
    ),
    "healthcare-service": Endpoint(
        "/pharmacies",
        "select id, name, district, phone, rating from public.vendors where is_open"
        " and category = 'pharmacy' and ($1::text is null or district = $1) order by name, id",
        "district",
    ),
    "customer-support-service": Endpoint(
        "/conversations",
        "select message_id, direction, created_at from public.whatsapp_messages"
        " where phone = $1 order by created_at desc",
        "number",
        "messages",
    ),
}


def catalogue_service(service: Service) -> web.Application:
    endpoint = ENDPOINTS[service.name]
    database = Database(service.env, "SUPABASE_DATABASE_URL")

    async def list_rows(request: web.Request) -> web.Response:
        argument = request.query.get(endpoint.parameter)
        if argument is not None and len(argument) > TEXT_LENGTH:
            raise RequestError(f"{endpoint.parameter!r} is too long.")
        rows = await database.fetch(f"{endpoint.query} limit {MOST_ROWS}", argument)
        listed = [{key: jsonable(value) for key, value in row.items()} for row in rows]
        return web.json_response({endpoint.noun or endpoint.path[1:]: listed})

    return application(
        service,
        routes=[web.get(endpoint.path, list_rows)],
        checks=[Check("database", database.ping)],
        resources=[database],
    )


def jsonable(value: object) -> object:
    """What PostgreSQL's types become in JSON."""
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, (datetime.date, uuid.UUID)):
        return str(value)
    return value
