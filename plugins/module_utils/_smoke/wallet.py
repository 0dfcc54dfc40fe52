# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""The one place that speaks to the wallet's public API, and the test that orders and pays there."""

from __future__ import annotations

import math
import typing as t
from urllib.parse import quote

from .._errors import InputError, RefusedError, VerificationError
from .._http import REQUESTS, Repeat, ask, said_in
from .._time import Deadline
from .models import Finding, Kind, Row
from .payment import Order, Purchase, play_payment

KEY = "Idempotency-Key"


class HttpWallets:
    """Wallets over HTTP. An answer that was lost is asked for once more: the key makes that safe."""

    def __init__(self, api_url: str, *, ca_cert: str | None, timeout: float) -> None:
        self._base = f"{api_url.rstrip('/')}/wallet"
        self._ca_cert = ca_cert
        self._timeout = timeout

    def balance(self, number: str) -> int:
        answer = self._call("GET", f"/wallets/{quote(number, safe='')}", "the balance")
        try:
            return int(answer["balance"])
        except (KeyError, TypeError, ValueError):
            raise VerificationError(f"The wallet at {self._base} returns no balance.") from None

    def order(self, purchase: Purchase) -> Order:
        body = {
            "user": purchase.number,
            "vendor_id": purchase.vendor_id,
            "amount": purchase.amount,
        }
        return _order(
            self._call("POST", "/orders", "the order", key=f"{purchase.key}/order", body=body)
        )

    def pay(self, order: Order, purchase: Purchase) -> Order:
        path = f"/orders/{quote(order.id, safe='')}/pay"
        key = f"{purchase.key}/pay"
        return _order(self._call("POST", path, f"the payment of order {order.id}", key=key))

    def _call(
        self,
        method: str,
        path: str,
        what: str,
        *,
        key: str = "",
        body: t.Mapping[str, t.Any] | None = None,
    ) -> dict[str, t.Any]:
        url = f"{self._base}{path}"
        answer = ask(
            f"{method} {url}, for {what},",
            method,
            url,
            headers={KEY: key} if key else {},
            json=body,
            timeout=self._timeout,
            ca_cert=self._ca_cert,
            repeat=Repeat(Deadline(math.inf), times=1, statuses=()),
        )
        if answer.status not in (200, 201):
            said = said_in(answer) or "no reason given"
            raise RefusedError(f"{method} {url} answered {answer.status} on {what} ({said}).")
        try:
            document = answer.json()
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise VerificationError(f"{method} {url} did not answer with JSON.")
        return document


def _order(document: t.Mapping[str, t.Any]) -> Order:
    if not document.get("id"):
        raise VerificationError("The wallet service returned an order without an id.")
    return Order(
        id=str(document["id"]),
        status=str(document.get("status") or ""),
        payment_id=str(document.get("payment_id") or ""),
    )


def run(options: Row) -> Finding:
    wallets = HttpWallets(
        options["api_url"], ca_cert=options["ca_cert"], timeout=options["request_timeout"]
    )
    purchase = Purchase(
        number=options["number"],
        vendor_id=str(options["vendor_id"]),
        amount=options["amount"],
        key=options["key"],
    )
    return play_payment(wallets, purchase, prove_key=options["prove_key"])


def refuse(name: str, options: Row) -> None:
    if options["amount"] <= 0:
        raise InputError(f"The amount of {name!r} is {options['amount']}; it is more than 0.")


KIND = Kind(
    run,
    {
        "api_url": {"type": "str", "required": True},
        "number": {"type": "str", "required": True},
        "vendor_id": {"type": "raw", "required": True},
        "amount": {"type": "int", "required": True},
        # A key of idempotency, which is no secret.
        "key": {"type": "str", "required": True, "no_log": False},
        "prove_key": {"type": "bool", "default": True, "no_log": False},
        "ca_cert": {"type": "path"},
        "request_timeout": {"type": "float", "default": 10},
    },
    libraries=lambda _options: [REQUESTS],
    intention=lambda options: (
        f"would order for {options['amount']} and pay from the wallet of {options['number']}"
    ),
    refuse=refuse,
)
