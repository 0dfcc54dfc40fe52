"""The sandbox's registry: what is there from the start, and what is pushed."""

import asyncio
import json
import typing as t
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from sandbox.node.images import parse_image
from sandbox.node.registry import TOKEN, Registry, digest, manifest

NEXT = "easymo/wallet-service:v2.1.0"
MANIFEST = '{"schemaVersion": 2}'


@pytest.fixture
def pushed(tmp_path) -> Path:
    return tmp_path / "pushed.json"


def ask(registry: Registry, *requests: tuple[str, str]) -> list[tuple[int, t.Mapping[str, str]]]:
    """Status and headers of each answer."""

    async def asked() -> list[tuple[int, t.Mapping[str, str]]]:
        app = web.Application()
        app.add_routes(registry.routes())
        async with TestClient(TestServer(app)) as client:
            headers = {"Authorization": f"Bearer {TOKEN}"}
            found = []
            for method, path in requests:
                data = MANIFEST if method == "PUT" else None
                answer = await client.request(method, path, headers=headers, data=data)
                found.append((answer.status, answer.headers))
            return found

    return asyncio.run(asked())


def path(image: str) -> str:
    name, _, tag = image.rpartition(":")
    return f"/v2/{name}/manifests/{tag}"


def test_what_is_pushed_can_be_pulled_by_tag_and_digest_also_after_a_restart(pushed):
    registry = Registry(pushed)
    assert not registry.has(parse_image(NEXT))
    before, put, after = ask(
        registry, ("GET", path(NEXT)), ("PUT", path(NEXT)), ("GET", path(NEXT))
    )
    assert (before[0], put[0], after[0]) == (404, 201, 200)
    named = put[1]["Docker-Content-Digest"]
    assert after[1]["Docker-Content-Digest"] == named != digest(NEXT)
    restarted = Registry(pushed)
    assert restarted.has(parse_image(NEXT))
    assert restarted.has(parse_image(f"{NEXT}-crash"))
    assert not restarted.has(parse_image("easymo/vendor-service:v2.1.0"))
    assert ask(restarted, ("GET", f"/v2/easymo/wallet-service/manifests/{named}"))[0][0] == 200


def test_of_another_team_s_image_the_program_tells_the_version_that_it_was_pushed_with(pushed):
    image = "registry.example.com/books/web:7f3a"
    pushed.write_text(json.dumps({"books/web:7f3a": manifest(image, "v2.4.0").decode()}))
    registry = Registry(pushed)
    assert registry.has(parse_image(image))
    assert registry.version(parse_image(image)) == "v2.4.0"
    assert registry.version(parse_image("easymo/wallet-service:v2.0.0-slow")) == "2.0.0"
