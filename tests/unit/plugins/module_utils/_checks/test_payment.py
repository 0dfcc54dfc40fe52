"""A test order is paid once for each key, and money that is not where it should be is told with the order's id."""

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._checks.payment import (
    PaymentOrder,
    pay_once,
)
from ansible_collections.easymo.deploy.plugins.module_utils._errors import VerificationError

PURCHASE = {
    "number": "250780000001",
    "vendor_id": "v-1",
    "amount": 1500,
    "key": "release-2.0.0/attempt-1",
    "prove_key": True,
}


class MemoryWallets:
    """`broken` is what the service gets wrong."""

    def __init__(self, balance: int = 5000, broken: str = "") -> None:
        self.money, self.broken = balance, broken
        self.orders: dict[str, str] = {}

    def balance(self) -> int:
        return self.money

    def order(self) -> PaymentOrder:
        number = f"-{len(self.orders)}" if self.broken == "forgets keys" else ""
        known = f"order-of-{PURCHASE['key']}{number}"
        status = self.orders.setdefault(known, "pending")
        return PaymentOrder(known, status, status == "paid")

    def pay(self, order: PaymentOrder) -> PaymentOrder:
        if self.broken == "does not pay":
            return order
        if self.orders[order.id] != "paid" or self.broken == "pays again":
            self.money -= 1500 + (1 if self.broken == "takes too much" else 0)
        self.orders[order.id] = "paid"
        return PaymentOrder(order.id, "paid", True, "p-1")


def test_a_payment_is_told_with_what_the_accountant_needs():
    wallets = MemoryWallets()
    found = pay_once(wallets, PURCHASE)
    assert (found.status, wallets.money) == ("pass", 3500)
    facts = dict(found.facts or {})
    assert (facts["order_id"], facts["payment_id"]) == (f"order-of-{PURCHASE['key']}", "p-1")
    assert (facts["balance_before"], facts["balance_after"], facts["amount"]) == (5000, 3500, 1500)


def test_the_same_key_pays_once_however_often_the_test_runs():
    wallets = MemoryWallets()
    pay_once(wallets, PURCHASE)
    again = pay_once(wallets, PURCHASE)
    assert (again.status, wallets.money, len(wallets.orders)) == ("pass", 3500, 1)
    assert "was already paid by this attempt" in again.detail


def test_a_run_that_was_killed_after_ordering_pays_that_order():
    wallets = MemoryWallets()
    wallets.order()
    pay_once(wallets, PURCHASE)
    assert (wallets.money, list(wallets.orders.values())) == (3500, ["paid"])


class BookedLate(MemoryWallets):
    """The payment of a run that was killed is booked when the balance was just read."""

    def balance(self) -> int:
        seen = super().balance()
        for order in [*self.orders]:
            if self.orders[order] == "pending":
                self.pay(PaymentOrder(order, "pending", False))
        return seen


def test_a_payment_that_is_booked_while_the_test_begins_again_is_no_missing_money():
    wallets = BookedLate()
    wallets.order()
    found = pay_once(wallets, PURCHASE)
    assert (found.status, wallets.money) == ("pass", 3500)
    assert "was already paid by this attempt" in found.detail


@pytest.mark.parametrize(
    ("broken", "said", "left"),
    [
        ("forgets keys", "made two orders", 5000),
        ("does not pay", "should be paid but is pending", 5000),
        ("takes too much", "from 5000 to 3499 but should have moved it by 1500", 3499),
    ],
)
def test_money_that_is_not_where_it_should_be_fails_with_the_order(broken, said, left):
    """And nothing is paid to a service that would pay twice."""
    wallets = MemoryWallets(broken=broken)
    with pytest.raises(VerificationError, match=said) as failed:
        pay_once(wallets, PURCHASE)
    facts = failed.value.details["facts"]
    assert facts["order_id"] in wallets.orders
    assert wallets.money == left


def test_a_second_payment_of_a_paid_order_is_found():
    wallets = MemoryWallets(broken="pays again")
    pay_once(wallets, PURCHASE)
    with pytest.raises(VerificationError, match="should have moved it by 0"):
        pay_once(wallets, PURCHASE)
