# SPDX-License-Identifier: GPL-3.0-or-later
"""What is loaded as a playbook starts is not searched for garbage any more; what comes later still is."""

from __future__ import annotations

import configparser
import gc
import typing as t
import weakref
from pathlib import Path

import pytest

from ansible_collections.easymo.deploy.plugins.callback import lean

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


def test_the_checkouts_runs_have_it():
    config = configparser.ConfigParser()
    config.read(ROOT / "ansible.cfg")
    assert lean.CallbackModule.CALLBACK_NAME in config["defaults"]["callbacks_enabled"].split(", ")
