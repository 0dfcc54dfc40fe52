"""One watch for many: each part knows its own objects, and is woken by what changes in them."""

import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._cluster import Cluster, Object
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.watches import (
    SharedWatches,
    keys_of,
)

BUYER, WALLET = {"label_selector": "app=buyer"}, {"label_selector": "app=wallet"}


class Server:
    """A cluster whose watches know what a test says."""

    def __init__(self) -> None:
        self.known: list[Object] | None = None
        self.wake: t.Callable[[], None] = lambda: None
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.closed = 0

    def watch(self, kind: str, wake: t.Callable[[], None], **selectors: str) -> "Server":
        self.asked.append((kind, selectors))
        self.wake = wake
        return self

    def objects(self) -> list[Object] | None:
        return self.known

    def listed(self, _seconds: float) -> bool:
        return self.known is not None

    def close(self) -> None:
        self.closed += 1

    def tells(self, *bodies: Object) -> None:
        self.known = [*bodies]
        self.wake()


def pod(name: str, app: str, **more: str) -> Object:
    return {"metadata": {"name": name, "uid": name, "labels": {"app": app, **more}}}


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def watches(server) -> t.Iterator[SharedWatches]:
    with SharedWatches(t.cast("Cluster", server)) as shared:
        yield shared
    assert server.closed == len(server.asked)


def test_all_parts_are_told_by_one_watch_and_each_of_its_own(server, watches):
    woken: list[str] = []
    buyer = watches.watch("Pod", lambda: woken.append("buyer"), **BUYER)
    wallet = watches.watch("Pod", lambda: woken.append("wallet"), **WALLET)
    assert (buyer.objects(), buyer.listed(0)) == (None, False)
    first, second = pod("b-1", "buyer", color="red"), pod("w-1", "wallet")
    server.tells(first, second)
    assert (buyer.objects(), wallet.objects()) == ([first], [second])
    assert (buyer.listed(0), sorted(woken)) == (True, ["buyer", "wallet"])
    assert server.asked == [("Pod", {})]

    woken.clear()
    newer, third = pod("b-1", "buyer", color="blue"), pod("b-2", "buyer")
    server.tells(newer, third, second)
    assert (buyer.objects(), wallet.objects(), woken) == ([newer, third], [second], ["buyer"])
    server.tells(third, second)
    assert buyer.objects() == [third]


def test_an_object_may_go_from_one_part_to_another(server, watches):
    buyer = watches.watch("Pod", lambda: None, **BUYER)
    wallet = watches.watch("Pod", lambda: None, **WALLET)
    server.tells(pod("x", "buyer"))
    moved = pod("x", "wallet")
    server.tells(moved)
    assert (buyer.objects(), wallet.objects()) == ([], [moved])


def test_what_was_listed_before_belongs_to_a_later_part_too(server, watches):
    watches.watch("Deployment", lambda: None, field_selector="metadata.name=buyer")
    body = {"metadata": {"name": "wallet", "uid": "1"}}
    server.tells(body)
    later = watches.watch("Deployment", lambda: None, field_selector="metadata.name=wallet")
    assert (later.objects(), later.listed(0)) == ([body], True)


def test_a_watch_that_is_down_is_known_to_all_until_it_lists_again(server, watches):
    woken: list[str] = []
    part = watches.watch("Pod", lambda: woken.append("buyer"), **BUYER)
    body = pod("b-1", "buyer")
    server.tells(body)
    server.known = None
    server.wake()
    assert (part.objects(), part.listed(0)) == (None, False)
    server.tells(body)
    assert (part.objects(), len(woken)) == ([body], 3)


def test_a_part_that_is_closed_is_not_woken(server, watches):
    woken: list[str] = []
    part = watches.watch("Pod", lambda: woken.append("buyer"), **BUYER)
    part.close()
    server.tells(pod("b-1", "buyer"))
    assert woken == []


@pytest.mark.parametrize(
    ("selectors", "keys"),
    [
        ({"label_selector": "app=a,tier=b"}, (("app", "a"), ("tier", "b"))),
        ({"field_selector": "metadata.name=a"}, (("", "a"),)),
        ({"label_selector": "app=a,tier in (b,c)"}, ()),
        ({"label_selector": "app!=a"}, ()),
        ({"label_selector": "app"}, ()),
        ({"field_selector": "status.phase=Running"}, ()),
        ({}, ()),
    ],
)
def test_what_a_selector_says_beyond_equal_labels_needs_a_watch_of_its_own(
    server, watches, selectors, keys
):
    assert keys_of(**selectors) == keys
    watches.watch("Pod", lambda: None, **selectors)
    shared = [("Pod", {})] if keys else [("Pod", selectors)]
    assert server.asked == shared
    if not keys:
        server.closed += 1  # its owner does that
