# SPDX-License-Identifier: GPL-3.0-or-later
"""wallet-service: orders and their payment from the user's wallet, in one transaction each."""

from __future__ import annotations

import typing as t
import uuid

from aiohttp import web

from sandbox.services.base_service import (
    Check,
    RequestError,
    Service,
    application,
    json_object,
    text_field,
)
from sandbox.services.connections import CONNECT_SECONDS, Database, Events
from sandbox.services.routing import normalized

ORDERS = uuid.UUID("0a6c5d3e-3b1f-5f0c-9d0e-3d1f0c5b7a21")


def wallet_service(service: Service) -> web.Application:
    database = Database(service.env, "DATABASE_URL")
    events = Events(service.env, service.log)
    wallets = Wallets(service, database, events)
    return application(
        service,
        routes=[
            web.post("/orders", wallets.order),
            web.get("/orders/{id}", wallets.show_order),
            web.post("/orders/{id}/pay", wallets.pay),
            web.get("/wallets/{number}", wallets.show_wallet),
        ],
        checks=[Check("database", database.ping)],
        resources=[events, database],
    )


class Wallets:
    def __init__(self, service: Service, database: Database, events: Events) -> None:
        self._log = service.log
        self._database = database
        self._events = events

    async def order(self, request: web.Request) -> web.Response:
        body = await json_object(request)
        phone = normalized(text_field(body, "user"))
        vendor = _identifier(text_field(body, "vendor_id"), "vendor_id")
        amount = _amount(body.get("amount"))
        identifier = order_identifier(request.headers.get("Idempotency-Key"))
        rows = await self._database.fetch(
            "insert into orders (id, phone, vendor_id, total_rwf) values ($1, $2, $3, $4)"
            " on conflict (id) do nothing returning *",
            identifier,
            phone,
            vendor,
            amount,
        )
        if not rows:
            return await self._ordered_before(identifier, (phone, vendor, amount))
        self._log.info("order taken", order=rows[0]["id"], amount_rwf=rows[0]["total_rwf"])
        return web.json_response(order_dict(rows[0]), status=201)

    async def _ordered_before(
        self, identifier: uuid.UUID, order_of_caller: tuple[str, uuid.UUID, int]
    ) -> web.Response:
        """The order that the same key made; another order under this key is refused."""
        (order,) = await self._database.fetch("select * from orders where id = $1", identifier)
        if (order["phone"], order["vendor_id"], order["total_rwf"]) != order_of_caller:
            raise RequestError("This Idempotency-Key belongs to another order.", 422)
        return web.json_response(order_dict(order))

    async def show_order(self, request: web.Request) -> web.Response:
        order = _identifier(request.match_info["id"], "id")
        rows = await self._database.fetch("select * from orders where id = $1", order)
        if not rows:
            raise RequestError(f"There is no order {order}.", 404)
        return web.json_response(order_dict(rows[0]))

    async def show_wallet(self, request: web.Request) -> web.Response:
        number = normalized(request.match_info["number"])
        rows = await self._database.fetch(
            "select balance_rwf from wallets where phone = $1", number
        )
        if not rows:
            raise RequestError("This number has no wallet.", 404)
        balance = rows[0]["balance_rwf"]
        return web.json_response({"number": number, "balance": balance, "currency": "RWF"})

    async def pay(self, request: web.Request) -> web.Response:
        identifier = _identifier(request.match_info["id"], "id")
        pool = await self._database.pool()
        async with pool.acquire(timeout=CONNECT_SECONDS) as connection, connection.transaction():
            order, balance, fresh = await pay(connection, identifier)
        if fresh:
            self._log.info("order paid", order=identifier, amount_rwf=order["total_rwf"])
            self._events.send("orders", order["phone"], {"order": str(identifier), "event": "paid"})
        return web.json_response({**order_dict(order), "balance": balance})


async def pay(connection: t.Any, identifier: uuid.UUID) -> tuple[t.Any, int, bool]:
    """The paid order, the balance after it and whether it was paid just now, not before.

    Everybody locks the order's row first and the wallet's second: payments wait, never deadlock.
    """
    order = await connection.fetchrow("select * from orders where id = $1 for update", identifier)
    if order is None:
        raise RequestError(f"There is no order {identifier}.", 404)
    wallet = await connection.fetchrow(
        "select id, balance_rwf from wallets where phone = $1 for update", order["phone"]
    )
    if wallet is None:
        raise RequestError("The one who ordered has no wallet.", 404)
    if order["status"] in ("paid", "fulfilled"):
        return order, wallet["balance_rwf"], False
    if order["status"] != "pending":
        raise RequestError(f"The order is {order['status']} and cannot be paid.", 409)
    balance = wallet["balance_rwf"] - order["total_rwf"]
    if balance < 0:
        raise RequestError(f"The wallet has RWF {wallet['balance_rwf']}: too little to pay.", 402)
    return await _book(connection, order, wallet["id"], balance), balance, True


async def _book(connection: t.Any, order: t.Any, wallet: uuid.UUID, balance: int) -> t.Any:
    payment = await connection.fetchval(
        "insert into payments (order_id, wallet_id, amount_rwf) values ($1, $2, $3) returning id",
        order["id"],
        wallet,
        order["total_rwf"],
    )
    await connection.execute(
        "insert into ledger_entries (wallet_id, payment_id, amount_rwf, balance_after_rwf)"
        " values ($1, $2, $3, $4)",
        wallet,
        payment,
        -order["total_rwf"],
        balance,
    )
    await connection.execute(
        "update wallets set balance_rwf = $2, updated_at = now() where id = $1", wallet, balance
    )
    return await connection.fetchrow(
        "update orders set status = 'paid', paid_at = now() where id = $1 returning *",
        order["id"],
    )


def order_identifier(key: str | None) -> uuid.UUID:
    """The same for the same Idempotency-Key, so that whoever lost the answer may ask again."""
    return uuid.uuid5(ORDERS, key) if key else uuid.uuid4()


def order_dict(order: t.Mapping[str, t.Any]) -> dict[str, object]:
    paid_at = order["paid_at"]
    return {
        "id": str(order["id"]),
        "user": order["phone"],
        "vendor_id": str(order["vendor_id"]),
        "amount": order["total_rwf"],
        "status": order["status"],
        "created_at": order["created_at"].isoformat(),
        "paid_at": paid_at.isoformat() if paid_at else None,
    }


def _identifier(text: str, name: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise RequestError(f"{name!r} is {text!r}: it must be a UUID.") from None


def _amount(value: object) -> int:
    """Whole francs; a number in a text is taken too, as forms send it."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 16:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= 10**12:
        raise RequestError("'amount' must be a whole number of francs above 0.")
    return value
