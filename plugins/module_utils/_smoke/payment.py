# SPDX-License-Identifier: GPL-3.0-or-later
"""Order something and pay for it from a test wallet, once for each key however often it is repeated."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._errors import VerificationError
from .models import Finding


@dataclass(frozen=True)
class Purchase:
    """`amount` is in whole francs; whoever sends the same `key` again means the same order."""

    number: str
    vendor_id: str
    amount: int
    key: str


@dataclass(frozen=True)
class Order:
    """`status` is the service's word, `paid` whether that means that it has the money."""

    id: str
    status: str
    paid: bool
    payment_id: str = ""


class Wallets(t.Protocol):
    def balance(self, number: str) -> int: ...
    def order(self, purchase: Purchase) -> Order: ...
    def pay(self, order: Order, purchase: Purchase) -> Order: ...


def play_payment(wallets: Wallets, purchase: Purchase, *, prove_key: bool) -> Finding:
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


def _refuse_forgetful(first: Order, second: Order) -> None:
    if first.id != second.id:
        raise VerificationError(
            f"The wallet service made two orders, {first.id} and {second.id}, for one "
            "Idempotency-Key. Neither was paid: a repeated run would pay twice. Fix the service, "
            "or set 'prove_key' to false.",
            facts={"order_id": first.id, "second_order_id": second.id},
        )
