"""What an inventory may leave out has one default: that of its contract is the one that roles and wiring take."""

import ast
import re
import typing as t
from pathlib import Path

import pytest
from ansible.module_utils.common.yaml import yaml_load
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

ROOT = Path(__file__).parents[2]
WIRING = (ROOT / "playbooks/group_vars/all/wiring.yml").read_text("utf-8")
OF_PREFLIGHT = (ROOT / "roles/preflight/vars/main.yml").read_text("utf-8")
READERS = "\n".join(
    path.read_text("utf-8")
    for top in ("roles", "playbooks")
    for path in sorted((ROOT / top).rglob("*.yml"))
    if "meta" not in path.parts and "collections" not in path.parts
)
GIVEN = re.compile(r"\b(release_\w+) \| default\(([^)]*?)(?:, true)?\)")
COMPUTED = {
    "release_services": ("groups.microservices", "[]"),
    "release_functions_verify_jwt": ("release_functions is defined",),
}
"""Defaults that are no constant."""
JINJA = {"true": True, "false": False, "none": None}


def declared() -> dict[str, t.Any]:
    text = (ROOT / "roles/release_variables/meta/argument_specs.yml").read_text("utf-8")
    return yaml_load(text)["argument_specs"]["main"]["options"]


def test_roles_and_wiring_take_the_defaults_of_the_contract():
    """But for those left to a module, by `omit`."""
    options = declared()
    given = [(name, JINJA[text] if text in JINJA else ast.literal_eval(text))
             for name, text in GIVEN.findall(READERS)
             if name in options and text not in ("omit", *COMPUTED.get(name, ()))]  # fmt: skip
    assert len(given) > 40
    assert {name: value for name, value in given if value != options[name].get("default")} == {}


def template(name: str, **variables: t.Any) -> t.Any:
    known = {**yaml_load(OF_PREFLIGHT), **yaml_load(WIRING)}
    text = trust_as_template(known[name])
    return Templar(DataLoader(), variables=variables).template(text)


@pytest.mark.parametrize(
    ("connection", "given"),
    [
        ("redis_connection", {"redis_host": "h"}),
        ("kafka_connection", {"kafka_bootstrap": "h:9092"}),
        ("smtp_connection", {"smtp_host": "h", "secret_smtp_user": "u"}),
        ("preflight_cluster_needs", {"kubernetes_access": {"api_key": ""}, "release_secrets": []}),
    ],
)
def test_a_connection_needs_nothing_but_its_address(connection, given):
    assert template(connection, **given)


def test_the_guard_needs_no_token_that_could_deploy_functions():
    rate, functions = {"name": "error_rate"}, {"name": "function_errors", "functions": ["a"]}
    assert template("guarded_metrics", watched_metrics=[rate, functions]) == [rate]


def test_preflight_asks_a_database_by_each_of_its_names():
    server = {"login_host": "db", "login_user": "ann"}
    variables = {
        "database_connections": {"orders": server, "users": {"login_host": "other"}},
        "hostvars": {"orders": {"database_other_hosts": ["prod-db"]}, "users": {}},
    }
    assert template("preflight_databases", **variables) == {
        **variables["database_connections"],
        "orders at prod-db": {**server, "login_host": "prod-db"},
    }


def test_what_begins_with_a_role_s_name_is_an_option_of_that_role():
    """Any other is refused as misspelt, in every run."""
    specs = {path.parts[-3]: yaml_load(path.read_text("utf-8"))["argument_specs"].values()
             for path in ROOT.glob("roles/*/meta/argument_specs.yml")}  # fmt: skip
    unknown = [
        name
        for name in yaml_load(WIRING)
        for role, entries in specs.items()
        if name.startswith(f"{role}_") and not any(name in one["options"] for one in entries)
    ]
    assert unknown == []


@pytest.mark.parametrize(("point", "restores", "written"), [
    ({}, [], True), ({"restores": 0}, [], False), ({"restores": 0}, ["first"], True),
])  # fmt: skip
def test_a_restore_point_is_written_once_and_again_after_each_restore(point, restores, written):
    role = ROOT / "roles/db_backup"
    (task,) = yaml_load((role / "tasks/restore_point.yml").read_text("utf-8"))
    facts = {"restore_points": {"shop": point}, "database_restores": {"shop": restores}}
    known = yaml_load((role / "vars/main.yml").read_text("utf-8"))
    known |= {"when": f"{{{{ {' and '.join(task['when'])} }}}}", "db_backup_name": "shop"}
    variables = {name: trust_as_template(text) for name, text in known.items()}
    variables |= {"ansible_check_mode": False, "__db_backup_record": {"record": {"facts": facts}}}
    assert Templar(DataLoader(), variables=variables).template(variables["when"]) is written


@pytest.mark.parametrize(("seconds", "words"), [
    (1, "1 min"), (3540, "59 min"), (3541, "1 h 0 min"), (7190, "2 h 0 min"), (7261, "2 h 2 min"),
])  # fmt: skip
def test_how_long_a_release_took_is_in_whole_minutes(seconds, words):
    known = yaml_load((ROOT / "roles/sign_off/vars/main.yml").read_text("utf-8"))
    variables = {name: trust_as_template(text) for name, text in known.items() if type(text) is str}
    variables["__sign_off_seconds"] = seconds
    template = Templar(DataLoader(), variables=variables).template
    assert template(variables["sign_off_duration"]) == words
