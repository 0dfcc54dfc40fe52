"""Image references: what they name, how they behave, what the registry has."""

import pytest

from sandbox.node import images
from sandbox.node.images import InvalidImageError, in_registry, not_found_message, parse_image

REGISTRY = {"easymo/wallet-service:v2.0.0", "easymo/metrics:v1", "nginx"}


@pytest.mark.parametrize(
    ("reference", "service", "version", "behaviour"),
    [
        ("easymo/wallet-service:v2.0.0", "wallet-service", "v2.0.0", ""),
        ("easymo/wallet-service:v2.0.0-crash", "wallet-service", "v2.0.0", "crash"),
        ("easymo/wallet-service:v2.0.0-oom", "wallet-service", "v2.0.0", "oom"),
        ("easymo/wallet-service:v2.0.0-rc1", "wallet-service", "v2.0.0-rc1", ""),
        ("registry.example:5000/easymo/metrics:v1", "metrics", "v1", ""),
        ("metrics", "metrics", "latest", ""),
        (f"easymo/metrics:v1@sha256:{'a' * 64}", "metrics", "v1", ""),
    ],
)
def test_a_reference_says_service_version_and_behaviour(reference, service, version, behaviour):
    image = parse_image(reference)

    assert (image.service, image.version, image.behaviour) == (service, version, behaviour)


@pytest.mark.parametrize(
    "reference", ["", "Easymo/Wallet:v1", "easymo/wallet:", "easymo//wallet", "easymo/wallet:v 1"]
)
def test_what_cannot_name_an_image_is_invalid(reference):
    with pytest.raises(InvalidImageError, match="invalid reference format"):
        parse_image(reference)


@pytest.mark.parametrize(
    ("reference", "there"),
    [
        ("easymo/wallet-service:v2.0.0", True),
        ("easymo/wallet-service:v2.0.0-slow", True),
        ("easymo/wallet-service:v2.0.0-nopull", False),
        ("easymo/wallet-service:v9", False),
        ("elsewhere/wallet-service:v2.0.0", False),
        ("docker.io/library/nginx:1.27", True),
    ],
)
def test_the_registry_has_each_version_with_each_behaviour(reference, there):
    assert in_registry(parse_image(reference), REGISTRY) is there


def test_a_missing_image_is_named_as_the_runtime_names_it():
    told = not_found_message(parse_image("easymo/wallet-service:v9"))

    assert told.startswith("rpc error: code = NotFound desc = failed to pull and unpack image")
    assert told.endswith("docker.io/easymo/wallet-service:v9: not found")


def test_restarts_are_at_once_then_wait_longer_and_longer():
    assert [images.restart_delay(n) for n in range(1, 9)] == [0, 1, 2, 4, 8, 16, 30, 30]
    assert [images.pull_delay(n) for n in range(1, 8)] == [1, 2, 4, 8, 16, 30, 30]
    assert [images.words(n) for n in (1, 30, 80)] == ["1s", "30s", "1m20s"]
