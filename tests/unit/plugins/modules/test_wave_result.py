# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import typing as t

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.easymo.deploy.plugins.modules import wave_result

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


def run_module(capsys: pytest.CaptureFixture[str], **arguments: t.Any) -> dict[str, t.Any]:
    with patch_module_args(arguments), pytest.raises(SystemExit):
        wave_result.main()
    result: dict[str, t.Any] = json.loads(capsys.readouterr().out)
    return result


def test_a_host_tells_what_the_wave_did_with_its_service(
    capsys: pytest.CaptureFixture[str],
) -> None:
    result = run_module(capsys, rollout=ROLLED)
    assert (result["changed"], result["result"], result.get("failed", False)) == (
        True,
        "succeeded",
        False,
    )
    assert "diff" not in result


def test_a_difference_is_shown_when_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_module(capsys, rollout=ROLLED, _ansible_diff=True)["diff"] == ROLLED["diff"]


def test_a_doomed_service_fails_its_host_with_its_own_reason(
    capsys: pytest.CaptureFixture[str],
) -> None:
    result = run_module(capsys, rollout=DOOMED)
    assert (result["failed"], result["reason"], result["msg"]) == (
        True,
        "ImageNotFound",
        "no image",
    )


def test_its_warnings_are_the_hosts() -> None:
    class Shell:
        params: t.ClassVar = {"rollout": {**ROLLED, "warnings": ["made by hand"]}}
        check_mode, _diff = False, False
        warned: t.ClassVar[list[str]] = []

        def warn(self, warning: str) -> None:
            self.warned.append(warning)

    assert "warnings" not in wave_result.run(Shell())
    assert Shell.warned == ["made by hand"]
