"""The schema for editors is what the argument specs say, and the inventories of this repository fit it."""

import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from scripts import inventory_schema

ROOT = Path(__file__).parents[2]
FILES = sorted(ROOT.glob("inventories/*/group_vars/all/*.yml"))


def test_it_is_current():
    assert inventory_schema.main(["--check"]) is None


@pytest.mark.parametrize("path", FILES, ids=lambda path: "/".join(path.parts[-4:]))
def test_our_own_inventories_fit(path):
    check = Draft202012Validator(json.loads(inventory_schema.schema()))
    variables = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert [error.message for error in check.iter_errors(variables)] == []


def test_a_wrong_type_and_a_mistyped_key_are_seen():
    check = Draft202012Validator(json.loads(inventory_schema.schema()))
    wrong = {"release_watch_duration": "soon", "release_launch_window": {"timezon": "UTC"}}
    assert len([*check.iter_errors(wrong)]) == 2
