"""Every image: it starts, says so, and has health and metrics; what is wrong with it ends it at start."""

import typing as t

import pytest
from aiohttp.test_utils import TestClient

from sandbox.services import IMAGES, ConfigurationError, ContainerContext
from sandbox.services.programs import build
from tests.unit.sandbox.services.client import Container

Client = TestClient[t.Any, t.Any]


@pytest.mark.parametrize("image", sorted(IMAGES))
def test_every_image_is_alive_and_tells_its_version(image):
    service, _, version = image.partition("/")[2].partition(":v")
    container = Container(service, f"v{version}")

    async def story(client: Client) -> None:
        async with client.get("/livez") as alive:
            assert alive.status == 200
        async with client.get("/health") as health:
            body = await health.json()
        assert (body["service"], body["version"]) == (service, version)

    container.run(story)
    assert f"{service.replace('-', ' ').title()} v{version} started successfully" in container.log


def test_a_wrong_flag_ends_agent_core_at_start():
    context = ContainerContext({"FEATURE_AI_AGENTS": "perhaps"}, "p", "127.0.0.1", print)
    with pytest.raises(ConfigurationError):
        build("agent-core", "2.0.0", context)


def test_the_previous_release_does_not_read_the_flags():
    context = ContainerContext({"FEATURE_AI_AGENTS": "perhaps"}, "p", "127.0.0.1", print)
    build("agent-core", "1.9.0", context)


def test_a_required_dependency_that_is_away_makes_the_service_unready():
    async def story(client: Client) -> None:
        async with client.get("/health") as response:
            body = await response.json()
        assert response.status == 503
        assert body["checks"]["database"]["error"] == "UnsetError: DATABASE_URL is not set"

    Container("wallet-service", "1.9.0").run(story)


def test_traffic_is_counted_and_probes_are_not():
    async def story(client: Client) -> None:
        for headers in ({}, {"X-Forwarded-For": "127.0.0.1"}):
            async with client.get("/health", headers=headers):
                pass
        async with client.get("/nowhere") as response:
            assert response.status == 404
        async with client.get("/metrics") as response:
            text = await response.text()
        counted = 'http_requests_total{method="GET",service="metrics",status="%s"} 1.0'
        assert counted % "200" in text
        assert counted % "404" in text
        assert 'http_request_duration_seconds_count{service="metrics"} 2.0' in text

    Container("metrics", "1").run(story)


def test_an_unknown_program_is_refused():
    with pytest.raises(ConfigurationError, match="no program 'nonsense'"):
        build("nonsense", "1", ContainerContext({}, "p", "127.0.0.1", print))
