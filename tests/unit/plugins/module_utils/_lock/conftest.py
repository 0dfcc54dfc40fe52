import pytest

from tests.fakes.lock import Scene


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
def held(scene) -> Scene:
    """A scene whose lock ann holds."""
    scene.locking(scene.claim()).hold()
    return scene
