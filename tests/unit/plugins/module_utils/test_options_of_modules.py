"""An option stands once: what Ansible checks a task by is read out of the documentation."""

import typing as t

from ansible_collections.easymo.deploy.plugins.module_utils import _module
from ansible_collections.easymo.deploy.plugins.module_utils._module import (
    documented,
    fragment_spec,
)
from ansible_collections.easymo.deploy.plugins.modules import deploy_lock
from tests.module_runner import run_module

DOCUMENTATION = """
extends_documentation_fragment: [easymo.deploy._kubernetes, easymo.deploy._module.reads]
options:
  namespace: {required: false}
  number: {type: int, default: 5, description: Of them.}
  words: {type: list, elements: str, choices: {a: The first., b: The second.}}
  key: {type: str}
  checks:
    type: list
    elements: dict
    suboptions:
      kind: {type: str, choices: [http, token, none], required: true}
      http: {type: dict, suboptions: {url: {type: str, required: true}}}
      token: {type: dict, suboptions: {token: {type: str}}}
      none: {type: dict}
"""


def spec_of(**more: t.Any) -> dict[str, t.Any]:
    spec: dict[str, t.Any] = documented(DOCUMENTATION, **more)()["argument_spec"]
    return spec


def test_an_option_has_the_type_default_and_choices_that_are_documented():
    spec = spec_of()
    assert spec["number"] == {"type": "int", "default": 5}
    assert spec["words"] == {"type": "list", "elements": "str", "choices": ["a", "b"]}


def test_a_module_adds_to_the_options_of_a_fragment():
    assert spec_of()["namespace"] == {"type": "str", "required": False}
    assert fragment_spec("_kubernetes")["namespace"]["required"] is True


def test_secrets_are_hidden_by_their_names_and_what_only_sounds_like_one_is_not():
    spec = spec_of(no_log=["words"])
    assert [name for name, one in spec.items() if one.get("no_log")] == ["api_key", "words"]
    assert spec["key"]["no_log"] is False
    kinds = spec["checks"]["options"]
    assert (kinds["token"]["no_log"], kinds["token"]["options"]["token"]["no_log"]) == (False, True)


def test_what_is_of_a_kind_needs_the_options_of_its_kind_where_it_has_any():
    assert spec_of()["checks"]["required_if"] == [
        ("kind", "http", ["http"]),
        ("kind", "token", ["token"]),
    ]


def test_rules_go_to_the_option_that_is_named_by_its_path():
    inside = {"checks.http": {"required_by": {"url": ["x"]}}}
    read = documented(DOCUMENTATION, inside=inside, required_by={"number": ["key"]})()
    assert read["required_by"] == {"number": ["key"]}
    http = read["argument_spec"]["checks"]["options"]["http"]
    assert http["required_by"] == {"url": ["x"]}


def test_each_call_returns_a_fresh_spec():
    module_spec = documented(DOCUMENTATION)
    module_spec()["argument_spec"].clear()
    fragment_spec("_kubernetes").clear()
    assert "api_key" in module_spec()["argument_spec"]


def test_a_machine_without_a_reader_of_documentation_is_told_so(monkeypatch):
    monkeypatch.setattr(_module, "HAS_YAML", False)
    monkeypatch.setattr(deploy_lock, "module_spec", documented(DOCUMENTATION))
    result = run_module(deploy_lock)
    assert (result["failed"], result["reason"]) == (True, "MissingLibrary")
    assert "PyYAML" in result["msg"]
