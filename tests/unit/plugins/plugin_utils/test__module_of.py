"""A task's module, by any name that a task may give it; and its import before Ansible forks."""

import sys
import typing as t
from types import SimpleNamespace

import pytest
import yaml

from ansible_collections.easymo.deploy.plugins.plugin_utils import _action_module as _module_of
from ansible_collections.easymo.deploy.plugins.plugin_utils._action_module import IN_CONTROLLER
from tests.ansible_playbook import run_playbook
from tests.tables import cases

MODULES = "ansible_collections.easymo.deploy.plugins.modules."


@pytest.fixture(autouse=True)
def _every_module_is_stop(monkeypatch) -> None:
    found = SimpleNamespace(resolved_fqcn="easymo.deploy.stop")
    monkeypatch.setattr(
        _module_of,
        "module_loader",
        SimpleNamespace(find_plugin_with_context=lambda *_names, **_more: found),
    )


def task(action: str, resolved: str | None = IN_CONTROLLER) -> t.Any:
    return SimpleNamespace(action=action, resolved_action=resolved, collections=None)


@cases(
    ("given", "module"),
    {
        "in the controller": (task("stop"), "easymo.deploy.stop"),
        "of Ansible": (task("debug", "ansible.builtin.debug"), "ansible.builtin.debug"),
        "templated": (task("{{ unknown }}", None), "{{ unknown }}"),
    },
)
def test_the_module_of_a_task(given, module):
    assert _module_of.module_of(given) == module


def test_only_what_runs_in_the_controller_is_imported_ahead(monkeypatch):
    monkeypatch.delitem(sys.modules, f"{MODULES}stop", raising=False)
    _module_of.import_ahead(task("stop", "easymo.deploy.stop"))
    assert f"{MODULES}stop" not in sys.modules
    _module_of.import_ahead(task("stop"))
    assert f"{MODULES}stop" in sys.modules


@pytest.mark.parametrize("checks", [True, False])
def test_what_checks_the_phases_variables_is_imported_for_those_who_check_them(monkeypatch, checks):
    monkeypatch.delitem(sys.modules, _module_of.READERS, raising=False)
    variables = {"release_variables_contracts": []} if checks else {}
    refuses = task(_module_of.VARIABLES, _module_of.VARIABLES)
    _module_of.import_ahead(SimpleNamespace(**vars(refuses), get_vars=lambda: variables))
    assert (_module_of.READERS in sys.modules) == checks


def test_a_task_has_the_defaults_of_its_module_by_any_of_its_names(tmp_path):
    """What it still lacks is what no group gives."""
    given = ("easymo.deploy.release_rollback", "rollout_wave")
    tasks = [{name: {}, "ignore_errors": True, "collections": ["easymo.deploy"]} for name in given]
    cluster = {"kubeconfig": "/nowhere", "namespace": "shop-prod"}
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "module_defaults": {"group/easymo.deploy.kubernetes": cluster},
        "tasks": [
            *tasks,
            {
                "easymo.deploy.stop": {"reason": "Hold", "msg": "x", "typo": 1},
                "ignore_errors": True,
            },
        ],
    }
    playbook = tmp_path / "play.yml"
    playbook.write_text(yaml.safe_dump([play]), encoding="utf-8")
    done = run_playbook("-vvv", "-i", "localhost,", "-c", "local", playbook)
    printed = " ".join(done.stdout.split())
    for lacking in ("name", "services"):
        assert f"missing required arguments: {lacking}" in printed
    assert "Unsupported parameters for (easymo.deploy.stop) module: typo" in printed
    assert "AnsiballZ" not in printed
