"""A watch of the simulated world, whatever befalls it, tells no other story than a real API server's would."""

import json
import typing as t

import pytest
import urllib3

from tests.contract.servers import ACTOR, Simulated
from tests.simulation import plan
from tests.simulation.client import BOOKMARK_SECONDS, Session

PATH = "/api/v1/namespaces/easymo-prod/configmaps"
Event = dict[str, t.Any]


class Watched:
    """A world in which ConfigMaps come, change and go, and what a watch tells of it."""

    def __init__(self, kind: str = "", *, seconds: float = 0.0) -> None:
        faults = (plan.Fault(ACTOR, kind, plan.WATCH, 1, seconds),) if kind else ()
        self.world = Simulated(faults=faults)
        self.told = b""
        self.broke: BaseException | None = None
        self.ended = False
        self._since = self.world.store.version

    def watch(self, since: str = "", **query: str) -> None:
        asked = {"watch": "true", "resourceVersion": since or self._since, "timeoutSeconds": "240"}

        def read(session: Session) -> None:
            response = session.request("GET", PATH, query_params=[*{**asked, **query}.items()])
            try:
                for chunk in response.stream(None, decode_content=False):
                    self.told += chunk
            except urllib3.exceptions.HTTPError as exc:
                self.broke = exc
            self.ended = True

        self.world.begin(read)

    def change(self, times: int) -> None:
        for number in range(times):
            body = {"metadata": {"name": f"a{number % 3}"}, "data": {"n": str(number)}}
            found = self.world.store.records("configmaps", "easymo-prod")
            there = body["metadata"]["name"] in [one.body["metadata"]["name"] for one in found]
            gone = there and number % 4 == 3
            method = "DELETE" if gone else "PATCH" if there else "POST"
            path = f"{PATH}/{body['metadata']['name']}" if there else PATH
            form = "application/merge-patch+json" if method == "PATCH" else "application/json"

            def ask(
                session: Session,
                call: tuple[str, str] = (method, path),
                body: t.Any = None if gone else body,
                form: str = form,
            ) -> None:
                session.request(*call, body=body, content_type=form)

            self.world.begin(ask)

    @property
    def events(self) -> list[Event]:
        """Whole lines."""
        return [json.loads(line) for line in self.told.split(b"\n")[:-1]]

    def story(self) -> list[tuple[str, int]]:
        return [
            (one["type"], int(one["object"]["metadata"]["resourceVersion"]))
            for one in self.events
            if one["type"] != "ERROR"
        ]

    def truth(self) -> list[tuple[str, int]]:
        events = self.world.store.events_since("configmaps", int(self._since))
        return [(one.type, one.record.version) for one in events]


@pytest.mark.parametrize("kind", ["", *plan.AT_WATCHES])
def test_nothing_is_left_out_within_a_stream_and_nothing_comes_twice(kind):
    watched = Watched(kind, seconds=2.0)
    watched.watch()
    watched.change(12)
    watched.world.pass_time(10.0)
    story, truth = watched.story(), watched.truth()
    assert len(truth) == 12
    assert story == truth[: len(story)]
    whole = kind in ("", plan.WATCH_LAGS)
    assert (story == truth) is whole
    assert watched.ended is not whole


@pytest.mark.parametrize("kind", [plan.WATCH_GONE, plan.WATCH_SKIPS])
def test_what_is_missed_is_said_to_be_gone(kind):
    watched = Watched(kind, seconds=2.0)
    watched.watch()
    watched.change(6)
    watched.world.pass_time(10.0)
    last = watched.events[-1]
    assert (last["type"], last["object"]["code"], last["object"]["reason"]) == (
        "ERROR",
        410,
        "Expired",
    )


def test_a_stream_that_ended_or_broke_is_gone_on_with_from_what_was_seen_last():
    for kind in (plan.WATCH_ENDS, plan.WATCH_BREAKS):
        watched = Watched(kind)
        watched.watch()
        watched.change(6)
        assert (watched.broke is not None) is (kind == plan.WATCH_BREAKS)
        seen = watched.story()
        watched.told = b""
        watched.watch(since=str(seen[-1][1]) if seen else "")
        watched.world.pass_time(5.0)
        assert seen + watched.story() == watched.truth()


def test_a_quiet_watch_has_bookmarks():
    watched = Watched()
    watched.watch(allowWatchBookmarks="true")
    watched.change(1)
    watched.world.pass_time(2 * BOOKMARK_SECONDS + 1.0)
    kinds = [one["type"] for one in watched.events]
    assert kinds == ["ADDED", "BOOKMARK", "BOOKMARK"]
    last = watched.events[-1]["object"]
    assert (last["kind"], last["metadata"]["resourceVersion"]) == (
        "ConfigMap",
        watched.world.store.version,
    )


@pytest.mark.parametrize(
    ("query", "names"),
    [({"fieldSelector": "metadata.name=a0"}, {"a0"}), ({"labelSelector": "app=x"}, set())],
)
def test_a_watch_tells_of_what_it_selects(query, names):
    watched = Watched()
    watched.watch(**query)
    elsewhere = {"metadata": {"name": "a0", "namespace": "elsewhere"}}
    watched.world.store.create("namespaces", {"metadata": {"name": "elsewhere"}})
    watched.world.store.create("configmaps", elsewhere)
    watched.change(3)
    watched.world.pass_time(5.0)
    assert {one["object"]["metadata"]["namespace"] for one in watched.events} <= {"easymo-prod"}
    assert {one["object"]["metadata"]["name"] for one in watched.events} == names
