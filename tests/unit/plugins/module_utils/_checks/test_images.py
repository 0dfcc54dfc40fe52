"""Whether the images are asked for before anything is touched."""

import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._checks import cluster
from ansible_collections.easymo.deploy.plugins.module_utils._errors import UnreachableError
from ansible_collections.easymo.deploy.plugins.module_utils._images import Reference
from tests.unit.plugins.module_utils._checks.ground import ground

NAMES = ("easymo/agent-core:v2.0.0", "easymo/wallet-service:v2.0.0")


class Registry:
    """Has the first image only."""

    asked: t.ClassVar[list[str]] = []

    def __init__(self, _options: t.Any, **limits: t.Any) -> None:
        assert limits["timeout"] > 0

    def digest(self, reference: Reference) -> str | None:
        self.asked.append(reference.text)
        return "sha256:2a" if reference.text == NAMES[0] else None


def found(monkeypatch: pytest.MonkeyPatch, *names: str, absent: str = "") -> tuple[str, str]:
    monkeypatch.setattr(cluster, "HttpRegistry", Registry)
    Registry.asked.clear()
    options = {"registry": "", "username": "", "password": "", "ca_cert": None}
    given = {**options, "images": names, "absent": absent, "signatures": None}
    finding = cluster.look_images(given, ground())
    return finding.status, finding.detail


def test_images_that_are_there_pass(monkeypatch):
    assert found(monkeypatch, NAMES[0]) == ("pass", "the registry has the 1 image of 1 service")


def test_a_missing_image_fails_by_name(monkeypatch):
    status, detail = found(monkeypatch, *NAMES)
    assert status == "fail"
    assert detail.startswith(
        "1 of 2 images are not in their registry: easymo/wallet-service:v2.0.0."
    )


def test_images_that_the_release_builds_are_not_asked_for(monkeypatch):
    assert found(monkeypatch, *NAMES, absent="built in phase 4") == ("skipped", "built in phase 4")
    assert Registry.asked == []


def test_a_registry_that_does_not_answer_is_no_missing_image(monkeypatch):
    def away(_self: Registry, _reference: Reference) -> str:
        raise UnreachableError("no answer")

    monkeypatch.setattr(Registry, "digest", away)
    with pytest.raises(UnreachableError):
        found(monkeypatch, NAMES[0])
