import json

import pytest
from ansible.module_utils.basic import AnsibleModule

from ansible_collections.easymo.deploy.plugins.modules import announce
from tests.module_runner import run_module

DOWN = {"api_url": "http://127.0.0.1:1/api/", "token": "xoxb-very-secret", "channel": "#devops"}


def test_check_mode_says_whom_it_would_tell_and_tells_nobody():
    result = run_module(announce, text="x", slack=DOWN, check=True)
    assert result["changed"] is True
    assert [d["target"] for d in result["delivered"]] == ["#devops"]
    assert result["undelivered"] == []


def test_a_deployment_does_not_fail_because_slack_is_down(monkeypatch):
    warnings = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda _self, text: warnings.append(text))
    result = run_module(announce, text="x", slack=DOWN, timeout=1)
    assert "failed" not in result
    assert (result["changed"], result["delivered"]) == (False, [])
    assert [u["reason"] for u in result["undelivered"]] == ["Unreachable"]
    assert [("#devops" in warning) for warning in warnings] == [True]
    assert "very-secret" not in json.dumps([result, warnings])


def test_a_required_message_fails_the_task_when_it_is_not_delivered():
    result = run_module(announce, text="x", slack=DOWN, timeout=1, required=True)
    assert (result["failed"], result["reason"]) == (True, "Unreachable")
    assert result["undelivered"]


@pytest.mark.parametrize("args", [{"text": "x"}, {"text": "", "slack": DOWN}])
def test_bad_input_fails_with_a_reason(args):
    result = run_module(announce, **args)
    assert (result["failed"], result["reason"]) == (True, "InvalidInput")
