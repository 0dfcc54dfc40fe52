"""The controller's shell: the same arguments, errors and results as the module's."""

import math
import typing as t
from types import SimpleNamespace

import pytest
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.easymo.deploy.plugins.module_utils._errors import ConflictError, Library
from ansible_collections.easymo.deploy.plugins.module_utils._module import ModuleSpec
from ansible_collections.easymo.deploy.plugins.module_utils._progress import DRAWN
from ansible_collections.easymo.deploy.plugins.plugin_utils._action_module import (
    ControllerActionBase,
    ControllerModule,
    SparedActionBase,
)

SECRET = "a-very-secret-token"


def spec() -> dict[str, t.Any]:
    return {
        "argument_spec": {
            "name": {"type": "str", "required": True},
            "count": {"type": "int", "default": 3},
            "api_key": {"type": "str", "no_log": True},
        }
    }


def run(module: ControllerModule) -> dict[str, t.Any]:
    if module.params["name"] == "conflict":
        raise ConflictError("It is taken.", result="superseded")
    if module.params["name"] == "defect":
        raise ValueError(f"unknown url type: {module.params['api_key']!r}")
    module.warn("noticed")
    return {"changed": not module.check_mode, "remarks": ["Look at it."], **module.params}


class Action(ControllerActionBase):
    module = SimpleNamespace(module_spec=ModuleSpec(spec), run=run)


def act(transport: str = "local", *, check_mode: bool = False, **args: t.Any) -> dict[str, t.Any]:
    action = Action.__new__(Action)
    action._connection = SimpleNamespace(transport=transport)
    action._task = SimpleNamespace(args=args, check_mode=check_mode, diff=False, async_val=0)
    action._load_name = "act"
    action._execute_module = lambda **_unused: {"changed": False, "by": "the module"}
    result: dict[str, t.Any] = action.run(None, {"inventory_hostname": "wallet-service"})
    return result


@pytest.fixture(autouse=True)
def _without_a_play(monkeypatch) -> None:
    monkeypatch.setattr(ActionBase, "run", lambda _self, _tmp, _vars: {})


def test_arguments_are_converted_and_defaults_filled():
    result = act(name="x", count="5")
    assert (result["changed"], result["count"], result["warnings"]) == (True, 5, ["noticed"])
    assert act(name="x", check_mode=True)["changed"] is False


def test_what_ansible_takes_or_breaks_on_is_refused_by_its_name():
    result = act(name="x", count=math.inf)
    assert (result["failed"], result["reason"]) == (True, "InvalidInput")
    assert result["msg"] == "Option 'count' is inf: it must be a number within ±1e+15."
    assert act(name=["x"])["msg"] == "Option 'name' is a list: it must be a text."


def test_what_ansible_refuses_is_quoted_in_short():
    with pytest.raises(AnsibleActionFail) as raised:
        act(name="x", count="y" * 100_000)
    assert len(raised.value.message) < 1_100


@pytest.mark.parametrize(("drawn", "shown"), [("", 1), ("1", 0)])
def test_what_people_read_is_on_the_screen_unless_a_console_draws_it(
    drawn, shown, monkeypatch, capsys
):
    monkeypatch.setenv(DRAWN, drawn)
    act(name="x")
    assert capsys.readouterr().out.count("[wallet-service] Look at it.") == shown


def test_an_error_becomes_a_failed_result():
    result = act(name="conflict")
    assert (result["failed"], result["reason"]) == (True, "Conflict")
    assert (result["msg"], result["result"]) == ("It is taken.", "superseded")


def test_what_nobody_thought_of_is_told_with_its_place_and_without_secrets():
    """Ansible itself would show the exception as it is."""
    result = act(name="defect", api_key=SECRET)
    assert (result["failed"], result["reason"]) == (True, "Unexpected")
    assert result["msg"].startswith("ValueError at test__action_module.py:")
    assert result["trace"][-1].endswith(" run")
    assert SECRET not in str(result)


def test_bad_arguments_fail_as_in_a_module():
    with pytest.raises(AnsibleActionFail, match="missing required arguments: name"):
        act()
    with pytest.raises(AnsibleActionFail, match="Unsupported parameters"):
        act(name="x", nmae="y")


def test_secrets_never_come_back():
    assert SECRET not in str(act(name="x", api_key=SECRET))


def test_a_missing_library_is_named_and_nothing_runs(monkeypatch):
    missing = Library("redis >= 6", "Traceback: no redis")
    needs = (Library("requests >= 2.32", None), missing)
    monkeypatch.setattr(Action.module, "module_spec", ModuleSpec(spec, needs))
    result = act(name="x")
    assert (result["failed"], result["reason"]) == (True, "MissingLibrary")
    assert "redis >= 6" in result["msg"]


def test_another_connection_gets_the_module():
    assert act("ssh", name="x")["by"] == "the module"


class Spared(SparedActionBase):
    looking, result_key = Action, "count"


def spared(transport: str = "local", **more: t.Any) -> dict[str, t.Any]:
    action = Spared.__new__(Spared)
    for name in ("_play_context", "_loader", "_templar", "_shared_loader_obj"):
        setattr(action, name, None)
    action._connection = SimpleNamespace(transport=transport)
    of_task = {"async_val": 0, "become": False, "environment": [], "check_mode": False, **more}
    action._task = SimpleNamespace(args=of_task.pop("args", {"name": "x"}), diff=False, **of_task)
    action._execute_module = lambda **_unused: {"changed": True, "by": "the module"}
    result: dict[str, t.Any] = action.run(None, {"inventory_hostname": "wallet-service"})
    return result


@pytest.fixture
def _made_as_ansible_makes_them(monkeypatch) -> None:
    def made(self: t.Any, task: t.Any, connection: t.Any, *_more: object) -> None:
        self._task, self._connection, self._load_name = task, connection, "act"

    monkeypatch.setattr(ActionBase, "__init__", made)


@pytest.mark.usefixtures("_made_as_ansible_makes_them")
def test_a_process_is_spared_where_nothing_is_to_do():
    assert "by" not in spared()
    assert spared(args={"name": "x", "count": 0})["by"] == "the module"
    assert spared(args={"name": "conflict"})["by"] == "the module"


@pytest.mark.parametrize(
    "other",
    [{"transport": "ssh"}, {"become": True}, {"async_val": 5}, {"environment": [{"A": "b"}]}],
)
@pytest.mark.usefixtures("_made_as_ansible_makes_them")
def test_another_place_or_account_looks_for_itself(other):
    assert spared(**other)["by"] == "the module"
