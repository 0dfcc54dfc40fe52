# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place that speaks to the wallet's public API, and the test that orders and pays there, once for each key."""

from __future__ import annotations

import math
import typing as t
from dataclasses import dataclass
from textwrap import indent
from urllib.parse import quote

from .._doc_fragments._module import AUTHORITIES
from .._errors import InputError, RefusedError, VerificationError
from .._http import REQUESTS, Repeat, ask, bearer, good
from .._templates import JMESPATH, search
from .._time import Deadline
from .models import Finding, Kind, Kinds, Options, passed


@dataclass(frozen=True)
class PaymentOrder:
    """`status` is the service's word, `paid` whether that means that it has the money."""

    id: str
    status: str
    paid: bool
    payment_id: str = ""


def play_payment(options: Options) -> Finding:
    """Raises VerificationError with the order's id as soon as money is not where it should be."""
    return pay_once(HttpWallets(options), options)


def pay_once(wallets: HttpWallets, options: Options) -> Finding:
    """Order and pay in these wallets."""
    amount, before = options["amount"], wallets.balance()
    order = wallets.order()
    if options["prove_key"] and (second := wallets.order()).id != order.id:
        raise VerificationError(
            f"The wallet service made two orders, {order.id} and {second.id}, for one "
            "Idempotency-Key. Neither was paid: a repeated run would pay twice. Fix the service, "
            "or set 'prove_key' to false.",
            facts={"order_id": order.id, "second_order_id": second.id},
        )
    if order.paid:
        # The payment of a run that was killed may have been booked between the two looks.
        before = wallets.balance()
    paid = wallets.pay(order)
    after = wallets.balance()
    facts = {
        "order_id": order.id,
        "payment_id": paid.payment_id,
        "amount": amount,
        "number": options["number"],
        "vendor_id": str(options["vendor_id"]),
        "key": options["key"],
        "balance_before": before,
        "balance_after": after,
        "paid_before": order.paid,
    }
    moved = 0 if order.paid else amount
    wrong = ""
    if not paid.paid:
        wrong = f"should be paid but is {paid.status or 'without status'}"
    elif before - after != moved:
        wrong = (
            f"of {amount} moved the balance from {before} to {after} but should have moved it by "
            f"{moved}"
        )
    if wrong:
        raise VerificationError(
            f"The order {order.id} {wrong}: check the log of the wallet service.", facts=facts
        )
    was = "was already paid by this attempt" if order.paid else "paid from the wallet"
    return passed(f"order {order.id} {was}, balance {after}", facts=facts)


class HttpWallets:
    """The wallet of a test's options, over HTTP. A lost answer is asked for once more: the key makes that safe."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._form = options["form"]
        self._base = options["api_url"].rstrip("/")

    def balance(self) -> int:
        number = quote(self._options["number"], safe="")
        path = self._form["wallet_path"].replace("{number}", number)
        answer, place = self._call("GET", path, "the balance"), self._form["balance"]
        try:
            return int(search(place, answer))
        except (TypeError, ValueError):
            raise VerificationError(
                f"The wallet at {self._base} returns no balance at {place!r}."
            ) from None

    def order(self) -> PaymentOrder:
        form, options = self._form, self._options
        body = {
            form["number_field"]: options["number"],
            form["vendor_field"]: str(options["vendor_id"]),
            form["amount_field"]: options["amount"],
        }
        path = form["order_path"]
        return self._order(self._call("POST", path, "the order", key="order", body=body))

    def pay(self, order: PaymentOrder) -> PaymentOrder:
        path = self._form["pay_path"].replace("{id}", quote(order.id, safe=""))
        what = f"the payment of order {order.id}"
        return self._order(self._call("POST", path, what, key="pay"))

    def _call(
        self,
        method: str,
        path: str,
        what: str,
        *,
        key: str = "",
        body: t.Mapping[str, t.Any] | None = None,
    ) -> dict[str, t.Any]:
        url, options = f"{self._base}{path}", self._options
        where = f"{method} {url}, for {what},"
        answer = ask(
            where,
            method,
            url,
            headers={self._form["key_header"]: f"{options['key']}/{key}"} if key else {},
            authorization=bearer(options["token"]),
            json=body,
            timeout=options["request_timeout"],
            ca_cert=options["ca_cert"],
            repeat=Repeat(Deadline(math.inf), times=1, statuses=()),
        )
        good(answer, where, otherwise=(RefusedError, "see the log of the wallet service"))
        try:
            return dict(answer.json())
        except (TypeError, ValueError):
            raise VerificationError(f"{where} did not answer with JSON.") from None

    def _order(self, document: t.Mapping[str, t.Any]) -> PaymentOrder:
        order_id, status, payment_id = (
            str(search(self._form[name], document) or "")
            for name in ("order_id", "status", "payment_id")
        )
        if not order_id:
            place = self._form["order_id"]
            raise VerificationError(
                f"The wallet service returned an order without an id at {place!r}."
            )
        return PaymentOrder(order_id, status, status in self._form["paid"], payment_id)


def refuse_wallet(name: str, options: Options) -> None:
    if options["amount"] <= 0:
        raise InputError(f"The amount of {name!r} is {options['amount']}; it is more than 0.")
    for place in ("balance", "order_id", "status", "payment_id"):
        search(
            options["form"][place], {}
        )  # raises on what is no JMESPath, before anything is ordered


PAYMENT_OPTIONS = f"""  description:
    - Order something and pay for it from a wallet. The order must be paid and the balance less by its amount.
    - The requests carry an idempotency key. A test that is run again with the same key pays nothing more, and
      the test then says that the order was paid before.
  suboptions:
    api_url:
      description: URL of the API below which O(tests[].payment.form) has its paths.
      type: str
      required: true
    number:
      description: Whose wallet pays. A test number.
      type: str
      required: true
    vendor_id:
      description: Who is ordered from. A test vendor.
      type: raw
      required: true
    amount:
      description: What the order costs, in whole francs.
      type: int
      required: true
    key:
      description: What makes the order the same one when the test is run again.
      type: str
      required: true
    form:
      description: The paths and fields of the service, and where in its answers what counts is, in JMESPath (U(https://jmespath.org)).
      type: dict
      default: {{}}
      suboptions:
        wallet_path:
          description: Of the wallet, with C({{number}}) for O(tests[].payment.number).
          type: str
          default: /wallet/wallets/{{number}}
        order_path:
          description: Where an order is posted.
          type: str
          default: /wallet/orders
        pay_path:
          description: Where it is paid, with C({{id}}) for the order's id.
          type: str
          default: /wallet/orders/{{id}}/pay
        key_header:
          description: The header of the idempotency key.
          type: str
          default: Idempotency-Key
        number_field:
          description: In the body of an order, the field for O(tests[].payment.number).
          type: str
          default: user
        vendor_field:
          description: The field for O(tests[].payment.vendor_id).
          type: str
          default: vendor_id
        amount_field:
          description: The field for O(tests[].payment.amount).
          type: str
          default: amount
        balance:
          description: In the answer on the wallet, its balance.
          type: str
          default: balance
        order_id:
          description: In the answer on an order, its id.
          type: str
          default: id
        status:
          description: In the answer on an order or a payment, the order's status.
          type: str
          default: status
        payment_id:
          description: In the answer on a payment, its id, kept as evidence. It may be missing.
          type: str
          default: payment_id
        paid:
          description: The statuses of an order that has its money.
          type: list
          elements: str
          default: [paid, fulfilled]
    token:
      description: A bearer token, for a service that asks for one.
      type: str
    prove_key:
      description:
        - Order twice with the same key before paying, and fail when that made two orders.
        - For a service that knows no such key, set it to V(false). A run that is killed and repeated may
          then pay twice.
      type: bool
      default: true
{indent(AUTHORITIES, " " * 4)}    request_timeout:
      description: Seconds to wait for the answer to one request.
      type: float
      default: 10
"""

TESTS: Kinds = {
    "payment": Kind(
        play_payment,
        PAYMENT_OPTIONS,
        (REQUESTS, JMESPATH),
        intention=lambda options: (
            f"would order for {options['amount']} and pay from the wallet of {options['number']}"
        ),
        refuse=refuse_wallet,
    )
}
