"""What cannot return keeps nothing else from returning, and is named at the end."""

import threading
import typing as t

from ansible_collections.easymo.deploy.plugins.module_utils._errors import ConflictError
from ansible_collections.easymo.deploy.plugins.module_utils._waves import rollback
from ansible_collections.easymo.deploy.plugins.module_utils._waves.rollback import (
    describe_return,
    return_all,
)


def returned(_name: str) -> dict[str, t.Any]:
    return {"result": "rolled_back", "changed": True, "taken_away": []}


def test_one_that_cannot_return_keeps_nobody_from_it():
    def return_deployment(name: str) -> dict[str, t.Any]:
        if name == "b":
            raise ConflictError("Deployment 'b' was changed by somebody else.", result="superseded")
        return returned(name)

    done = return_all([["a", "b"], ["c"]], return_deployment)
    assert {name: (each["result"], not each["message"]) for name, each in done.items()} == {
        "a": ("rolled_back", True),
        "b": ("superseded", False),
        "c": ("rolled_back", True),
    }
    summary = describe_return(done, "2.0.0")
    assert summary.startswith(
        "1 of 3 services did not return from release '2.0.0': b. Returned: a, c."
    )
    assert "by somebody else" in summary


def test_a_wave_returns_side_by_side_and_the_next_waits_for_it():
    together = threading.Barrier(3)
    order: list[str] = []

    def return_deployment(name: str) -> dict[str, t.Any]:
        if name != "late":
            together.wait(5)  # breaks unless all three are in here at once
        order.append(name)
        return returned(name)

    return_all([["a", "b", "c"], ["late"]], return_deployment)
    assert order[-1] == "late"


def test_no_more_than_so_many_return_at_once(monkeypatch):
    three, met = threading.Barrier(3), []

    def return_deployment(name: str) -> dict[str, t.Any]:
        try:
            three.wait(0.2)
            met.append(name)
        except threading.BrokenBarrierError:
            pass  # as it should be: a third never came
        return returned(name)

    monkeypatch.setattr(rollback, "AT_ONCE", 2)
    return_all([list("abcd")], return_deployment)
    assert met == []
