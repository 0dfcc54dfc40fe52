# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place that speaks to the wallet's public API, and the test that orders and pays there, once for each key."""

from __future__ import annotations

import math
import typing as t
from dataclasses import dataclass
from urllib.parse import quote

from .._errors import InputError, RefusedError, VerificationError
from .._http import REQUESTS, Repeat, ask, said_in
from .._templates import JMESPATH, search
from .._time import Deadline
from .models import Finding, Kind, Kinds, Options


@dataclass(frozen=True)
class Purchase:
    """`amount` is in whole francs; a client that sends the same `key` again means the same order."""

    number: str
    vendor_id: str
    amount: int
    key: str


@dataclass(frozen=True)
class PaymentOrder:
    """`status` is the service's word, `paid` whether that means that it has the money."""

    id: str
    status: str
    paid: bool
    payment_id: str = ""


def play_payment(wallets: HttpWallets, purchase: Purchase, *, prove_key: bool) -> Finding:
    """Raises VerificationError with the order's id as soon as money is not where it should be."""
    before = wallets.balance(purchase.number)
    order = wallets.order(purchase)
    if prove_key:
        _refuse_forgetful(order, wallets.order(purchase))
    paid_before = order.paid
    if paid_before:
        # The payment of a run that was killed may have been booked between the two looks.
        before = wallets.balance(purchase.number)
    paid = wallets.pay(order, purchase)
    after = wallets.balance(purchase.number)
    facts = {
        "order_id": order.id,
        "payment_id": paid.payment_id,
        "amount": purchase.amount,
        "number": purchase.number,
        "vendor_id": purchase.vendor_id,
        "key": purchase.key,
        "balance_before": before,
        "balance_after": after,
        "paid_before": paid_before,
    }
    moved = 0 if paid_before else purchase.amount
    if not paid.paid:
        raise VerificationError(
            f"The order {order.id} should be paid but is {paid.status or 'without status'}: "
            "check the log of the wallet service.",
            facts=facts,
        )
    if before - after != moved:
        raise VerificationError(
            f"The order {order.id} of {purchase.amount} moved the balance from {before} to "
            f"{after} but should have moved it by {moved}: check the log of the wallet service.",
            facts=facts,
        )
    was = "was already paid by this attempt" if paid_before else "paid from the wallet"
    return Finding("pass", f"order {order.id} {was}, balance {after}", facts=facts)


def _refuse_forgetful(first: PaymentOrder, second: PaymentOrder) -> None:
    if first.id != second.id:
        raise VerificationError(
            f"The wallet service made two orders, {first.id} and {second.id}, for one "
            "Idempotency-Key. Neither was paid: a repeated run would pay twice. Fix the service, "
            "or set 'prove_key' to false.",
            facts={"order_id": first.id, "second_order_id": second.id},
        )


@dataclass(frozen=True)
class WalletForm:
    """What a service of wallets is asked, below its URL, and where in its answers what counts is, as JMESPath.

    `number_field`, `vendor_field` and `amount_field` are the names in the body of an order. `paid` are the statuses of
    an order that has its money.
    """

    wallet_path: str = "/wallet/wallets/{number}"
    order_path: str = "/wallet/orders"
    pay_path: str = "/wallet/orders/{id}/pay"
    key_header: str = "Idempotency-Key"
    number_field: str = "user"
    vendor_field: str = "vendor_id"
    amount_field: str = "amount"
    balance: str = "balance"
    order_id: str = "id"
    status: str = "status"
    payment_id: str = "payment_id"
    paid: tuple[str, ...] = ("paid", "fulfilled")


class HttpWallets:
    """Wallets over HTTP. An answer that was lost is asked for once more: the key makes that safe."""

    def __init__(
        self,
        api_url: str,
        form: WalletForm = WalletForm(),
        *,
        token: str = "",
        ca_cert: str | None,
        timeout: float,
    ) -> None:
        self._base = api_url.rstrip("/")
        self._form = form
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._ca_cert = ca_cert
        self._timeout = timeout

    def balance(self, number: str) -> int:
        answer = self._call("GET", _below(self._form.wallet_path, number=number), "the balance")
        try:
            return int(search(self._form.balance, answer))
        except (TypeError, ValueError):
            raise VerificationError(
                f"The wallet at {self._base} returns no balance at {self._form.balance!r}."
            ) from None

    def order(self, purchase: Purchase) -> PaymentOrder:
        form = self._form
        body = {
            form.number_field: purchase.number,
            form.vendor_field: purchase.vendor_id,
            form.amount_field: purchase.amount,
        }
        key = f"{purchase.key}/order"
        return self._order(self._call("POST", form.order_path, "the order", key=key, body=body))

    def pay(self, order: PaymentOrder, purchase: Purchase) -> PaymentOrder:
        path = _below(self._form.pay_path, id=order.id)
        key = f"{purchase.key}/pay"
        return self._order(self._call("POST", path, f"the payment of order {order.id}", key=key))

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
            headers={**self._headers, **({self._form.key_header: key} if key else {})},
            json=body,
            timeout=self._timeout,
            ca_cert=self._ca_cert,
            repeat=Repeat(Deadline(math.inf), times=1, statuses=()),
        )
        if answer.status not in (200, 201):
            text = said_in(answer) or "no reason given"
            raise RefusedError(f"{method} {url} answered {answer.status} on {what} ({text}).")
        try:
            document = answer.json()
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise VerificationError(f"{method} {url} did not answer with JSON.")
        return document

    def _order(self, document: t.Mapping[str, t.Any]) -> PaymentOrder:
        form = self._form
        results = {
            name: search(getattr(form, name), document)
            for name in ("order_id", "status", "payment_id")
        }
        messages = {name: str(value or "") for name, value in results.items()}
        if not messages["order_id"]:
            raise VerificationError(
                f"The wallet service returned an order without an id at {form.order_id!r}."
            )
        return PaymentOrder(
            id=messages["order_id"],
            status=messages["status"],
            paid=messages["status"] in form.paid,
            payment_id=messages["payment_id"],
        )


def _below(path: str, **values: str) -> str:
    for name, value in values.items():
        path = path.replace(f"{{{name}}}", quote(value, safe=""))
    return path


def play_wallet(options: Options) -> Finding:
    """The one place that speaks to the wallet's public API, and the test that orders and pays there."""
    wallets = HttpWallets(
        options["api_url"],
        _form(options),
        token=options["token"] or "",
        ca_cert=options["ca_cert"],
        timeout=options["request_timeout"],
    )
    purchase = Purchase(
        number=options["number"],
        vendor_id=str(options["vendor_id"]),
        amount=options["amount"],
        key=options["key"],
    )
    return play_payment(wallets, purchase, prove_key=options["prove_key"])


def _form(options: Options) -> WalletForm:
    given = options["form"] or {}
    return WalletForm(**{**given, "paid": tuple(given["paid"])}) if given else WalletForm()


def refuse_wallet(name: str, options: Options) -> None:
    if options["amount"] <= 0:
        raise InputError(f"The amount of {name!r} is {options['amount']}; it is more than 0.")
    form = _form(options)
    for expression in (form.balance, form.order_id, form.status, form.payment_id):
        search(expression, {})  # raises on what is no JMESPath, before anything is ordered


TESTS: Kinds = {
    "payment": Kind(
        play_wallet,
        components=lambda _options: [REQUESTS, JMESPATH],
        intention=lambda options: (
            f"would order for {options['amount']} and pay from the wallet of {options['number']}"
        ),
        refuse=refuse_wallet,
    )
}
