"""What Ansible would refuse at a role's include is refused, with who lacks what, before the first role runs."""

import typing as t

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import trust_as_template

from ansible_collections.easymo.deploy.plugins.plugin_utils._role_contracts import (
    RoleContracts,
)

SPEC = {
    "main": {
        "options": {
            "backup_name": {"type": "str", "required": True},
            "backup_age": {"type": "int", "default": 60},
            "backup_mode": {"type": "str", "choices": ["full", "part"], "default": "full"},
            "backup_key": {"type": "int", "no_log": True},
            "backup_window": {"type": "dict", "options": {"start": {"type": "str"}}},
        }
    },
    "remove": {"options": {"backup_force": {"type": "bool", "required": True}}},
}
MAIN = {"role": "backup", "entry_points": ["main"], "later": [], "reads": []}


@pytest.fixture
def contracts(tmp_path) -> RoleContracts:
    files = {
        "meta/argument_specs.yml": {"argument_specs": SPEC},
        "defaults/main.yml": {"backup_age": 60, "backup_mode": "full"},
    }
    for name, content in files.items():
        path = tmp_path / "backup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return RoleContracts(DataLoader(), tmp_path, {})


def given(**variables: t.Any) -> dict[str, t.Any]:
    return {
        name: trust_as_template(value) if isinstance(value, str) else value
        for name, value in variables.items()
    }


def whys(
    contracts: RoleContracts, contract: dict[str, t.Any], variables: dict[str, t.Any]
) -> list[str]:
    return [one.why for one in contracts.problems(contract, variables)]


def test_variables_that_meet_the_spec_are_no_problem(contracts):
    assert contracts.problems(MAIN, given(where="s3", backup_name="{{ where }}/prod")) == []


def test_every_problem_is_told_at_once(contracts):
    found = whys(contracts, MAIN, given(backup_age="a week", backup_mode="half"))
    assert len(found) == 3
    assert any("missing required" in one and "backup_name" in one for one in found)
    assert any("backup_age" in one for one in found)
    assert any("backup_mode must be one of: full, part, got: half" in one for one in found)


def test_what_a_reader_could_not_work_with_is_told_beside_the_rest(contracts):
    read: list[dict[str, t.Any]] = []

    def reader(variables: t.Mapping[str, t.Any]) -> list[str]:
        read.append(dict(variables))
        return ["backup_window is wrong."]

    contracts._readers = {"backup": reader}
    window = {"start": 9}
    found = whys(contracts, MAIN, given(backup_name="x", backup_age="a week", backup_window=window))
    assert [one for one in found if "backup_age" in one]
    assert found[-1] == "backup_window is wrong."
    (variables,) = read
    assert variables["backup_window"] == window, "as its task gets it, and not made a text"
    assert variables["backup_mode"] == "full"
    assert "backup_age" not in variables, "it is told already"


def test_a_value_that_contains_itself_is_told_by_its_name(contracts):
    itself: dict[str, t.Any] = {}
    itself["start"] = itself
    (found,) = whys(contracts, MAIN, given(backup_name="x", backup_window=itself))
    assert found.startswith("Option 'backup_window' contains itself")


def test_keys_that_an_option_does_not_have_are_said_to_be_unknown(contracts):
    (found,) = whys(contracts, MAIN, given(backup_name="x", backup_window={"from": "09:00"}))
    assert found == "unknown: backup_window.from. Supported parameters include: start."


def test_a_value_that_cannot_be_read_names_what_is_missing(contracts):
    (found,) = contracts.problems(MAIN, given(backup_name="{{ nowhere }}"))
    assert found.unread == "backup_name"
    assert found.why.startswith("'nowhere' is undefined")


def test_variables_of_one_host_are_no_values_for_the_next(contracts):
    asked = {"backup_name": "{{ where }}/prod"}
    assert contracts.problems(MAIN, given(where="s3", **asked)) == []
    (found,) = contracts.problems(MAIN, given(**asked))
    assert found.unread == "backup_name"


def test_other_entry_points_are_asked_for_by_name(contracts):
    both = {**MAIN, "entry_points": ["main", "remove"]}
    assert contracts.problems(MAIN, given(backup_name="x")) == []
    assert "backup_force" in " ".join(whys(contracts, both, given(backup_name="x")))


def test_what_a_later_task_makes_is_left_to_that_task(contracts):
    later = {**MAIN, "later": ["backup_name"]}
    assert contracts.problems(later, given(backup_name="{{ nowhere }}")) == []


def test_variables_that_are_read_without_a_role_must_have_a_value(contracts):
    reads = {**MAIN, "role": "", "reads": ["where", "what"]}
    assert contracts.problems(reads, given(where="s3", what="{{ where }}")) == []
    (missing,) = whys(contracts, reads, given(where="s3"))
    assert missing == "missing required arguments: what."
    (unread,) = contracts.problems(reads, given(where="{{ nowhere }}", what="x"))
    assert unread.unread == "where"


def test_no_secret_is_quoted(contracts):
    found = whys(contracts, MAIN, given(backup_name="x", backup_key="hunter2hunter2"))
    assert found
    assert "hunter2hunter2" not in " ".join(found)
