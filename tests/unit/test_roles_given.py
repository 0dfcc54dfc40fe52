"""Ansible resolves a variable when it is used, so that a role which gives another one its own may ask in a circle."""

import re
import typing as t
from pathlib import Path

import pytest
from ansible.module_utils.common.yaml import yaml_load

from tests.unit.test_docs import tasks_of

ROOT = Path(__file__).parents[2]
WIRING: dict[str, t.Any] = yaml_load(
    (ROOT / "playbooks/group_vars/all/wiring.yml").read_text("utf-8")
)
GIVEN = [
    (path, name, value)
    for path in sorted([*ROOT.glob("roles/*/tasks/*.yml"), *ROOT.glob("playbooks/*.yml")])
    for task in tasks_of(yaml_load(path.read_text("utf-8")))
    if {"ansible.builtin.include_role", "ansible.builtin.import_role"} & {*task}
    for name, value in (task.get("vars") or {}).items()
]


def named(value: t.Any) -> set[str]:
    """What a template names; a text in quotes is no variable."""
    return {*re.findall(r"[a-z_]\w*", re.sub(r"'[^']*'", "", str(value)))}


def needed(name: str) -> set[str]:
    """Every variable that `name` is made of by the wiring."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        for one in named(WIRING.get(waiting.pop(), "")) - found:
            found.add(one)
            waiting.append(one)
    return found


@pytest.mark.parametrize(
    ("path", "name", "value"),
    GIVEN,
    ids=[f"{path.parents[1].name}-{name}" for path, name, _ in GIVEN],
)
def test_what_a_role_is_given_is_not_made_of_itself(path, name, value):
    assert name not in {one for other in named(value) for one in needed(other)}
