"""What is loaded as a playbook starts is not searched for garbage any more; and modules stay compiled between runs."""

import configparser
import gc
import sys
import typing as t
import weakref
from importlib.machinery import SourceFileLoader
from pathlib import Path

import pytest

from ansible_collections.easymo.deploy.plugins.callback import lean
from ansible_collections.easymo.deploy.plugins.module_utils import _formats

ROOT = Path(__file__).parents[4]


@pytest.fixture(autouse=True)
def searches() -> t.Iterator[None]:
    """As they were, for the tests to come."""
    usual = gc.get_threshold()
    yield
    gc.set_threshold(*usual)
    gc.unfreeze()


class Ring:
    def __init__(self) -> None:
        self.itself = self


def test_what_is_loaded_when_a_playbook_starts_is_not_searched_again():
    loaded = Ring()
    lean.CallbackModule().v2_playbook_on_start(None)
    assert not any(one is loaded for one in gc.get_objects())


def test_garbage_of_the_run_itself_goes():
    lean.CallbackModule().v2_playbook_on_start(None)
    later = Ring()
    watched = weakref.ref(later)
    del later
    rings = [Ring() for _each in range(lean.NEW_OBJECTS + 1)]
    assert len(rings) > lean.NEW_OBJECTS
    assert watched() is None


@pytest.fixture
def finder(monkeypatch) -> lean.Compiled:
    """The one that a run has."""
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    lean.CallbackModule()
    lean.CallbackModule()
    (found,) = [one for one in sys.meta_path if isinstance(one, lean.Compiled)]
    assert sys.meta_path[0] is found
    return found


def test_modules_of_the_collection_are_kept_compiled(finder):
    spec = finder.find_spec(_formats.__name__, [str(Path(_formats.__file__).parent)])
    assert spec is not None
    assert isinstance(spec.loader, SourceFileLoader)
    assert (spec.origin, spec.name) == (_formats.__file__, _formats.__name__)
    assert spec.cached is not None
    assert Path(spec.cached).parent == Path(_formats.__file__).parent / "__pycache__"


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        pytest.param(f"{lean.PLUGINS}module_utils", ROOT / "plugins", id="a-folder-alone"),
        pytest.param(f"{lean.PLUGINS}modules.nothing", ROOT / "plugins/modules", id="not-there"),
        pytest.param("tests.waiting", ROOT / "tests", id="somebody-elses"),
    ],
)
def test_the_rest_is_left_to_ansible(finder, name, folder):
    assert finder.find_spec(name, [str(folder)]) is None
    assert finder.find_spec(name, None) is None


def test_the_checkouts_runs_have_it():
    config = configparser.ConfigParser()
    config.read(ROOT / "ansible.cfg")
    assert lean.CallbackModule.CALLBACK_NAME in config["defaults"]["callbacks_enabled"].split(", ")
