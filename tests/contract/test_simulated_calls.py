"""What befalls a call in the simulated world: what its caller is told, and what the server has done."""

import json
import typing as t

import pytest
import urllib3
from kubernetes.client.exceptions import ApiException

from tests.contract.servers import ACTOR, Simulated
from tests.simulation import plan
from tests.simulation.client import Session, is_watch, sent

PATH = "/api/v1/namespaces/easymo-prod/configmaps"
Told = tuple[int, str]


class Place:
    """A world in which this befalls the second write of its only caller."""

    def __init__(self, kind: str, seconds: float = 0.0) -> None:
        self.world = Simulated(faults=(plan.Fault(ACTOR, kind, plan.WRITE, 2, seconds),))
        self.version = ""
        self.version = self.tell("POST", PATH, {"metadata": {"name": "a"}, "data": {"n": "1"}})[1]

    def tell(self, method: str, path: str, body: t.Any) -> Told:
        """The status, and the words or the version of what came of it."""

        def ask(session: Session) -> Told:
            try:
                answer = session.request(method, path, body=body)
            except ApiException as exc:
                return exc.status, json.loads(exc.body)["message"]
            except urllib3.exceptions.HTTPError as exc:
                return 0, str(exc)
            found = json.loads(answer.read())
            return answer.status, found.get("metadata", {}).get("resourceVersion", "")

        return self.world.during(ask)

    def replace(self) -> Told:
        body = {"metadata": {"name": "a", "resourceVersion": self.version}, "data": {"n": "2"}}
        return self.tell("PUT", f"{PATH}/a", body)

    def value(self) -> str:
        return str(self.world.store.get("configmaps", "easymo-prod", "a")["data"]["n"])


@pytest.mark.parametrize(
    ("kind", "status", "done"),
    [
        (plan.LOST, 0, False),
        (plan.ANSWER_LOST, 0, True),
        (plan.THROTTLED, 429, False),
        (plan.ERROR, 500, False),
        (plan.ERROR_DONE, 500, True),
        (plan.SLOW, 200, True),
    ],
)
def test_what_is_told_and_what_is_done(kind, status, *, done):
    place = Place(kind)
    assert place.replace()[0] == status
    assert place.value() == ("2" if done else "1")


def test_what_arrives_late_is_done_when_nobody_waits_for_it():
    place = Place(plan.LATE, seconds=10.0)
    assert place.replace()[0] == 0
    assert place.value() == "1"
    place.world.pass_time(15.0)
    assert place.value() == "2"


def test_a_put_that_is_sent_twice_finds_what_the_first_did():
    place = Place(plan.CONFLICT)
    status, words = place.replace()
    assert (status, place.value()) == (409, "2")
    assert "Operation cannot be fulfilled on configmaps" in words


def test_a_deletion_that_is_sent_twice_finds_nothing():
    place = Place(plan.CONFLICT)
    assert place.tell("DELETE", f"{PATH}/a", None) == (404, 'configmaps "a" not found')


def test_what_no_proxy_repeats_is_done_once():
    place = Place(plan.CONFLICT)
    status, _words = place.tell("POST", PATH, {"metadata": {"name": "b"}})
    assert status == 500
    assert len(place.world.store.records("configmaps", "easymo-prod")) == 2


@pytest.mark.parametrize(
    ("typed", "arrives"),
    [(f"{PATH}/x.y-z", f"{PATH}/x.y-z"), (f"{PATH}/%41", f"{PATH}/A"), (f"{PATH}/..", PATH[:-10])],
)
def test_a_path_arrives_as_a_server_reads_it(typed, arrives):
    assert sent(typed) == arrives


def test_of_one_object_there_is_no_watch():
    assert is_watch(PATH, {"watch": "true"})
    assert not is_watch(f"{PATH}/a", {"watch": "true"})
