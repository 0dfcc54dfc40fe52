"""What is loaded as a playbook starts is not searched for garbage any more; and who waits is looked at less often."""

import configparser
import gc
import typing as t
import weakref
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible import constants
from ansible._internal._templating._jinja_bits import AnsibleEnvironment

from ansible_collections.easymo.deploy.plugins.callback import lean

ROOT = Path(__file__).parents[4]


@pytest.fixture(autouse=True)
def searches(monkeypatch) -> t.Iterator[None]:
    """As they were, for the tests to come."""
    for method in ("compile", "compile_expression"):
        monkeypatch.setattr(AnsibleEnvironment, method, getattr(AnsibleEnvironment, method))
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


@pytest.mark.parametrize(("action", "pause"), [("metrics_gate", lean.LOOKS), ("release", 0.002)])
def test_what_waits_for_others_is_looked_at_less_often(action, pause, monkeypatch):
    monkeypatch.setattr(lean, "import_ahead", lambda _task: None)
    monkeypatch.setattr(constants, "DEFAULT_INTERNAL_POLL_INTERVAL", 0.002)
    task = SimpleNamespace(resolved_action=f"easymo.deploy.{action}")
    lean.CallbackModule().v2_playbook_on_task_start(task, is_conditional=False)
    assert pause == constants.DEFAULT_INTERNAL_POLL_INTERVAL


def test_the_checkouts_runs_have_it():
    config = configparser.ConfigParser()
    config.read(ROOT / "ansible.cfg")
    assert lean.CallbackModule.CALLBACK_NAME in config["defaults"]["callbacks_enabled"].split(", ")
