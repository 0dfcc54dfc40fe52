"""The copy of the cluster's objects follows the watch, survives its end, and lists anew when told to."""

import asyncio
import json
import typing as t

from aiohttp import web
from aiohttp.test_utils import TestServer

from sandbox.gateway.routes import follow
from sandbox.node.client import Client

Event = tuple[str, str, int]


class Api:
    """A Kubernetes API with one list, and one scripted answer for each watch."""

    def __init__(self, *watches: list[Event] | int) -> None:
        self.watches = list(watches)
        self.lists = 0
        self.resumed_at: list[str] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if "watch" not in request.query:
            self.lists += 1
            return web.json_response(
                {
                    "kind": "ThingList",
                    "apiVersion": "v1",
                    "metadata": {"resourceVersion": "10"},
                    "items": [named("a", 5)],
                }
            )
        self.resumed_at.append(request.query["resourceVersion"])
        script = self.watches.pop(0) if self.watches else []
        if isinstance(script, int):
            return web.Response(status=script)
        response = web.StreamResponse()
        await response.prepare(request)
        for kind, name, version in script:
            line = json.dumps({"type": kind, "object": named(name, version)})
            await response.write(line.encode() + b"\n")
        return response


def named(name: str, version: int) -> dict[str, t.Any]:
    return {"metadata": {"name": name, "resourceVersion": str(version)}}


def reflect(api: Api, until: t.Callable[[list[set[str]]], bool]) -> list[set[str]]:
    """All views that were given until one satisfied `until`."""
    views: list[set[str]] = []

    async def run() -> None:
        app = web.Application()
        app.router.add_get("/api/v1/things", api.handle)
        done = asyncio.Event()

        def take(objects: t.Iterable[t.Mapping[str, t.Any]]) -> None:
            views.append({one["metadata"]["name"] for one in objects})
            if until(views):
                done.set()

        async with (
            TestServer(app, host="127.0.0.1") as server,
            Client(str(server.make_url("")).rstrip("/"), "", None) as api_client,
        ):
            task = asyncio.create_task(follow(api_client, "things", take))
            async with asyncio.timeout(5):
                await done.wait()
            task.cancel()

    asyncio.run(run())
    return views


def test_changes_are_followed():
    api = Api([("ADDED", "b", 11), ("MODIFIED", "b", 12), ("DELETED", "a", 13)])
    views = reflect(api, lambda seen: seen[-1] == {"b"})
    assert views == [{"a"}, {"a", "b"}, {"a", "b"}, {"b"}]


def test_a_watch_that_ends_goes_on_where_it_was():
    api = Api([("ADDED", "b", 11), ("BOOKMARK", "", 40)], [("ADDED", "c", 41)])
    reflect(api, lambda seen: "c" in seen[-1])
    assert (api.lists, api.resumed_at[:2]) == (1, ["10", "40"])


def test_an_expired_version_lists_anew_and_forgets_what_is_gone():
    api = Api([("ADDED", "b", 11)], 410)
    views = reflect(api, lambda seen: len(seen) == 3)
    assert (api.lists, views[-1]) == (2, {"a"})


def test_an_error_of_the_server_is_waited_out():
    api = Api(500, [("ADDED", "b", 11)])
    reflect(api, lambda seen: "b" in seen[-1])
    assert api.lists == 1
