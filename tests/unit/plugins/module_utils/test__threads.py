"""Things done side by side: in their order, so many at once, and all of them whatever one raises."""

import threading

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._threads import begin, side_by_side


def test_the_results_come_in_the_order_of_the_items():
    second_first = threading.Event()

    def act(item: int) -> int:
        if item == 1:
            assert second_first.wait(60)
        else:
            second_first.set()
        return item * 10

    assert side_by_side(act, [1, 2]) == [10, 20]


def test_nothing_makes_nothing():
    assert side_by_side(str, []) == []


def test_no_more_run_at_once_than_asked_for():
    pairs, running, most, counting = threading.Barrier(2), 0, 0, threading.Lock()

    def act(_item: int) -> None:
        nonlocal running, most
        with counting:
            running += 1
            most = max(most, running)
        pairs.wait(60)
        with counting:
            running -= 1

    side_by_side(act, range(6), at_once=2)
    assert most == 2


def test_an_error_keeps_no_other_from_its_end():
    done: list[int] = []

    def act(item: int) -> None:
        if item == 0:
            raise ValueError(item)
        done.append(item)

    with pytest.raises(ValueError, match="0"):
        side_by_side(act, range(4))
    assert sorted(done) == [1, 2, 3]


def test_what_was_begun_gives_its_result_when_it_ends():
    may_end = threading.Event()
    begun = begin(lambda: may_end.wait(60))
    with pytest.raises(TimeoutError):
        begun.result(0.01)
    assert not begun.done()
    may_end.set()
    assert begun.result() is True
    assert begun.done()


def test_what_was_begun_raises_where_its_result_is_wanted():
    def fail() -> None:
        raise ValueError("no")

    begun = begin(fail)
    with pytest.raises(ValueError, match="no"):
        begun.result()
