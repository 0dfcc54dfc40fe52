import typing as t

from ansible_collections.easymo.deploy.plugins.modules import wave_result
from tests.module_runner import run_module

ROLLED = {
    "changed": True,
    "failed": False,
    "result": "succeeded",
    "diff": {"before": {}, "after": {}},
}
DOOMED = {
    "changed": True,
    "failed": True,
    "result": "rolled_back",
    "reason": "ImageNotFound",
    "msg": "no image",
}


def test_a_host_tells_what_the_wave_did_with_its_service():
    result = run_module(wave_result, rollout=ROLLED)
    assert (result["changed"], result["result"], result.get("failed", False)) == (
        True,
        "succeeded",
        False,
    )
    assert "diff" not in result


def test_a_difference_is_shown_when_asked_for():
    assert run_module(wave_result, rollout=ROLLED, diff=True)["diff"] == ROLLED["diff"]


def test_a_doomed_service_fails_its_host_with_its_own_reason():
    result = run_module(wave_result, rollout=DOOMED)
    assert (result["failed"], result["reason"], result["msg"]) == (
        True,
        "ImageNotFound",
        "no image",
    )


def test_its_warnings_are_the_hosts():
    class Shell:
        params: t.ClassVar = {"rollout": {**ROLLED, "warnings": ["made by hand"]}}
        check_mode, _diff = False, False
        warned: t.ClassVar[list[str]] = []

        def warn(self, warning: str) -> None:
            self.warned.append(warning)

    assert "warnings" not in wave_result.run(Shell())
    assert Shell.warned == ["made by hand"]
