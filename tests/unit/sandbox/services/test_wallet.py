"""Paying an order: once, with money that is there, or not at all."""

import asyncio
import typing as t
import uuid
from dataclasses import dataclass, field

import pytest

from sandbox.services.base_service import RequestError
from sandbox.services.wallet import _amount, pay
from tests.tables import cases

ORDER = uuid.uuid4()


@dataclass
class Books:
    """A connection to a database that holds one order and one wallet."""

    status: str = "pending"
    total: int = 100
    balance: int | None = 250
    payments: int = 0
    ledger: list[int] = field(default_factory=list)

    async def fetchrow(self, query: str, *arguments: t.Any) -> dict[str, t.Any] | None:
        if query.startswith("update orders"):
            self.status = "paid"
        if "from wallets" in query:
            return None if self.balance is None else {"id": 1, "balance_rwf": self.balance}
        if arguments[0] != ORDER:
            return None
        return {"id": ORDER, "phone": "2507", "status": self.status, "total_rwf": self.total}

    async def fetchval(self, _query: str, *_arguments: t.Any) -> int:
        self.payments += 1
        return self.payments

    async def execute(self, query: str, *arguments: t.Any) -> None:
        if query.startswith("update wallets"):
            self.balance = arguments[1]
        else:
            self.ledger.append(arguments[2])


def test_a_payment_moves_the_balance_and_is_booked():
    books = Books()
    order, balance, fresh = asyncio.run(pay(books, ORDER))
    assert (order["status"], balance, fresh) == ("paid", 150, True)
    assert (books.balance, books.payments, books.ledger) == (150, 1, [-100])


def test_paying_again_changes_nothing():
    books = Books()
    asyncio.run(pay(books, ORDER))
    _, balance, fresh = asyncio.run(pay(books, ORDER))
    assert (balance, fresh, books.payments) == (150, False, 1)


@cases(
    ("books", "status"),
    {
        "too little money": (Books(total=251), 402),
        "cancelled": (Books(status="cancelled"), 409),
        "no wallet": (Books(balance=None), 404),
    },
)
def test_what_cannot_be_paid_leaves_no_trace(books, status):
    before = books.balance
    with pytest.raises(RequestError) as refused:
        asyncio.run(pay(books, ORDER))
    assert refused.value.status == status
    assert (books.balance, books.payments, books.ledger) == (before, 0, [])


def test_an_unknown_order_is_not_found():
    with pytest.raises(RequestError, match="no order"):
        asyncio.run(pay(Books(), uuid.uuid4()))


@pytest.mark.parametrize("value", [0, -1, True, 1.5, "1.5", "", None, "²", 10**13])
def test_an_amount_is_whole_francs(value):
    with pytest.raises(RequestError):
        _amount(value)


@pytest.mark.parametrize("value", [100, "100"])
def test_an_amount_may_come_as_text(value):
    assert _amount(value) == 100
