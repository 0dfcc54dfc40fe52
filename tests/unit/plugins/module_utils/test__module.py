import importlib
import math
import re
import typing as t
from unittest import mock

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils import _module
from ansible_collections.easymo.deploy.plugins.module_utils._errors import (
    ConflictError,
    InputError,
    Library,
    MissingLibraryError,
    refuse_missing,
)
from ansible_collections.easymo.deploy.plugins.module_utils._module import (
    ModuleSpec,
    execute,
    refuse_below,
)
from ansible_collections.easymo.deploy.plugins.modules import deploy_lock
from tests.module_runner import run_module


class Ended(Exception):  # noqa: N818 - an AnsibleModule ends its process, which is no error
    pass


class Process:
    """An AnsibleModule that keeps what it ended with."""

    def __init__(self) -> None:
        self.params: dict[str, t.Any] = {}
        self.check_mode = self._diff = False
        self.result: dict[str, t.Any] = {}

    def warn(self, warning: str) -> None: ...

    def exit_json(self, **result: t.Any) -> t.NoReturn:
        self.result = result
        raise Ended

    def fail_json(self, msg: str, **result: t.Any) -> t.NoReturn:
        self.result = {"failed": True, "msg": msg, **result}
        raise Ended


def ended(run: t.Callable[[t.Any], dict[str, t.Any]], *needs: Library) -> dict[str, t.Any]:
    process = Process()
    with (
        mock.patch.object(_module, "_Brief", return_value=process),
        mock.patch.object(_module, "_load_params", dict),
        pytest.raises(Ended),
    ):
        execute(ModuleSpec(lambda: {"argument_spec": {}}, needs), run)
    return process.result


def test_a_module_refuses_what_ansible_breaks_on_before_ansible_reads_it():
    result = run_module(deploy_lock, wait=math.inf)
    assert (result["failed"], result["reason"]) == (True, "InvalidInput")
    assert result["msg"] == "Option 'wait' is inf: it must be a number within ±1e+15."
    result = run_module(deploy_lock, namespace=["shop"])
    assert result["msg"] == "Option 'namespace' is a list: it must be a text."


def test_a_result_ends_the_module():
    assert ended(lambda _module: {"changed": True}) == {"changed": True}


def test_what_nobody_thought_of_ends_it_as_a_failure_that_tells_where():
    """Returned, it is searched for secrets like any result; raised, Ansible would show it as it is."""

    def run(_module: t.Any) -> dict[str, t.Any]:
        raise KeyError("nobody:hunter2@here")

    result = ended(run)
    assert (result["failed"], result["reason"]) == (True, "Unexpected")
    assert re.match(r"KeyError at test__module.py:\d+ run, a defect", result["msg"])


def test_an_error_ends_it_with_its_sentence_and_details():
    def run(_module: t.Any) -> dict[str, t.Any]:
        raise ConflictError("It is taken.", holder="ada")

    assert ended(run) == {
        "failed": True,
        "msg": "It is taken.",
        "reason": "Conflict",
        "holder": "ada",
    }


def test_without_a_library_nothing_runs():
    result = ended(lambda _module: pytest.fail("it ran"), Library("redis >= 6", "Traceback"))
    assert (result["failed"], result["reason"]) == (True, "MissingLibrary")
    assert "redis >= 6" in result["msg"]


def test_a_library_that_is_not_there_is_told_only_where_it_is_needed():
    absent, there = Library("no-such-library >= 1"), Library("json >= 2")
    with absent:
        importlib.import_module("no_such_library")
    with there:
        importlib.import_module("json")
    refuse_missing([there])
    told = r"^The Python library no-such-library >= 1 is missing on .+: run .+ there\.$"
    with pytest.raises(MissingLibraryError, match=told) as raised:
        refuse_missing([there, absent])
    assert "No module named 'no_such_library'" in raised.value.to_result()["exception"]


def test_only_the_absence_of_a_library_is_kept_for_later():
    with pytest.raises(ZeroDivisionError), Library("json >= 2"):
        1 / 0  # noqa: B018


def test_the_first_option_below_its_bound_is_named():
    params = {"interval": 1, "duration": -0.5}
    refuse_below(params, interval=1)
    with pytest.raises(InputError, match=r"'duration' is -0\.5; it is at least 0"):
        refuse_below(params, interval=1, duration=0)
