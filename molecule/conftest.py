"""What the scenarios' verifiers look with: the same as the tests of the other roles."""

import json
import os
from pathlib import Path

import pytest

from tests.integration.role_scenarios.witness import Witness


@pytest.fixture(scope="session")
def witness() -> Witness:
    state = Path(os.environ["EASYMO_SANDBOX_STATE"], "run", "state.json")
    return Witness(json.loads(state.read_text(encoding="utf-8"))["components"])
