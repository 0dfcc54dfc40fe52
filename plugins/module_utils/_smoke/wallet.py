# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""The one place that speaks to the wallet's public API."""

from __future__ import annotations

import typing as t
from urllib.parse import quote

from .._errors import RefusedError, UnreachableError, VerificationError
from .._http import request, requests
from .._redaction import excerpt
from .payment import Order, Purchase

KEY = "Idempotency-Key"
_SHOWN = 200


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
        answer = self._send(method, path, what, {KEY: key} if key else {}, body)
        if answer.status_code not in (200, 201):
            said = excerpt(answer.text, _SHOWN) or "no reason given"
            raise RefusedError(
                f"{method} {self._base}{path} answered {answer.status_code} on {what} ({said})."
            )
        try:
            document = answer.json()
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise VerificationError(
                f"{method} {self._base}{path} answered something else than JSON."
            )
        return document

    def _send(
        self,
        method: str,
        path: str,
        what: str,
        headers: t.Mapping[str, str],
        body: t.Mapping[str, t.Any] | None,
    ) -> requests.Response:
        failure = ""
        for _attempt in range(2):
            try:
                return request(
                    method,
                    self._base + path,
                    headers=dict(headers),
                    json=body,
                    timeout=self._timeout,
                    ca_cert=self._ca_cert,
                )
            except requests.RequestException as exc:
                failure = type(exc).__name__
        raise UnreachableError(
            f"{method} {self._base}{path} gave no answer on {what} within {self._timeout:g} s ({failure})."
        )


def _order(document: t.Mapping[str, t.Any]) -> Order:
    if not document.get("id"):
        raise VerificationError("The wallet's service answered an order without an id.")
    return Order(
        id=str(document["id"]),
        status=str(document.get("status") or ""),
        payment_id=str(document.get("payment_id") or ""),
    )
