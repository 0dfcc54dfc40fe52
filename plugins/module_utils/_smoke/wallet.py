# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""The one place that speaks to the wallet's public API."""

from __future__ import annotations

import math
import typing as t
from urllib.parse import quote

from .._errors import RefusedError, VerificationError
from .._http import Repeat, ask, said_in
from .._time import Deadline
from .payment import Order, Purchase

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
            raise VerificationError(f"The wallet at {self._base} tells no balance.") from None

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
            raise VerificationError(f"{method} {url} answered something else than JSON.")
        return document


def _order(document: t.Mapping[str, t.Any]) -> Order:
    if not document.get("id"):
        raise VerificationError("The wallet's service answered an order without an id.")
    return Order(
        id=str(document["id"]),
        status=str(document.get("status") or ""),
        payment_id=str(document.get("payment_id") or ""),
    )
