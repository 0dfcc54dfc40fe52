"""A test order at an API of wallets that has other paths, fields and answers than those of the defaults."""

import json
import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.modules import smoke_tests
from tests.fakes.http_server import Handler, serving
from tests.module_runner import Result, run_module

FORM = {
    "wallet_path": "/v3/accounts/{number}?currency=RWF",
    "order_path": "/v3/purchases",
    "pay_path": "/v3/purchases/{id}/settlement",
    "key_header": "X-Request-Id",
    "number_field": "buyer",
    "vendor_field": "shop",
    "amount_field": "total",
    "balance": "data.account.available",
    "order_id": "data.ref",
    "status": "data.state",
    "payment_id": "data.settlement",
    "paid": ["SETTLED"],
}
TOKEN = "a-fake-token-of-a-wallet"


class Accounts(Handler):
    """An API that nobody of this project designed."""

    available: t.ClassVar[int] = 5000
    seen: t.ClassVar[list[tuple[str, str, t.Any]]] = []

    def do_GET(self) -> None:
        assert self.path == "/v3/accounts/250780000001?currency=RWF"
        self.answer_json({"data": {"account": {"available": str(self.available)}}})

    def do_POST(self) -> None:
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            return self.answer_json({"error": "who are you?"}, 401)
        key, body = self.headers["X-Request-Id"], json.loads(self.body() or b"null")
        self.seen.append((self.path, key, body))
        if self.path == "/v3/purchases":
            return self.answer_json({"data": {"ref": "p/1", "state": "OPEN"}}, 201)
        Accounts.available -= 1500
        return self.answer_json({"data": {"ref": "p/1", "state": "SETTLED", "settlement": 77}})


def pay(url: str, **options: t.Any) -> Result:
    payment = {
        "api_url": url,
        "number": "250780000001",
        "vendor_id": "7",
        "amount": 1500,
        "key": "release-1",
        "form": FORM,
        "token": TOKEN,
        **options,
    }
    test = {"name": "Payment", "kind": "payment", "payment": payment}
    return run_module(smoke_tests, tests=[test])


@pytest.fixture
def url() -> t.Iterator[str]:
    Accounts.available = 5000
    Accounts.seen.clear()
    with serving(Accounts) as found:
        yield found


def test_another_api_is_ordered_from_and_paid_in_its_own_words(url):
    (found,) = pay(url)["results"]
    assert (found["status"], found["detail"]) == (
        "pass",
        "order p/1 paid from the wallet, balance 3500",
    )
    order = {"buyer": "250780000001", "shop": "7", "total": 1500}
    assert Accounts.seen == [
        ("/v3/purchases", "release-1/order", order),
        ("/v3/purchases", "release-1/order", order),
        ("/v3/purchases/p%2F1/settlement", "release-1/pay", None),
    ]
    assert found["facts"]["payment_id"] == "77"


def test_a_status_that_is_none_of_the_paid_ones_is_told(url):
    result = pay(url, form={**FORM, "paid": ["DONE"]})
    assert "The order p/1 should be paid but is SETTLED" in result["msg"]


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ({"balance": "data.balance"}, "returns no balance at 'data.balance'"),
        ({"order_id": "id"}, "an order without an id at 'id'"),
    ],
)
def test_an_answer_without_what_counts_names_where_it_was_looked_for(url, form, told):
    result = pay(url, form={**FORM, **form})
    assert told in result["msg"]
    assert Accounts.available == 5000


def test_a_path_that_is_no_jmespath_is_refused_before_anything_is_ordered(url):
    result = pay(url, form={**FORM, "status": "data..state"})
    assert "'data..state' is not JMESPath" in result["msg"]
    assert Accounts.seen == []


def test_the_token_stands_in_no_message(url):
    result = pay(url, token="another-fake-token")
    assert "for the order, answered HTTP 401 (who are you?)" in result["msg"]
    assert "another-fake-token" not in json.dumps(result)
