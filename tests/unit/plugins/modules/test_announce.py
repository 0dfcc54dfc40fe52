import json

import pytest
from ansible.module_utils.basic import AnsibleModule

from ansible_collections.easymo.deploy.plugins.module_utils._release import task
from ansible_collections.easymo.deploy.plugins.modules import announce
from tests.fakes.cluster import MemoryCluster
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


def test_what_the_record_has_is_sent_again_to_those_alone_whom_it_did_not_reach(monkeypatch):
    cluster, down, sent = MemoryCluster(), {"email"}, []
    monkeypatch.setattr(task, "cluster_elsewhere", lambda _module: cluster)
    mail = {"host": "127.0.0.1", "username": "its", "password": "its-very-secret", "subject": "x",
            "sender": "a@b.example", "recipients": ["c@b.example"]}  # fmt: skip

    def deliver(messages, **_more):
        kinds = [message.kind for message in messages]
        sent.append(kinds)
        missed = {"target": "c@b.example", "reason": "Refused", "msg": "535 its-very-secret"}
        return (
            [{"channel": kind, "changed": True} for kind in kinds if kind not in down],
            [{"channel": kind, **missed} for kind in kinds if kind in down],
        )

    monkeypatch.setattr(announce, "deliver", deliver)
    asked = {"text": "x", "email": mail, "slack": DOWN, "release": "2.0.0", "key": "start"}
    asked["kubernetes"] = {"namespace": "prod"}
    assert run_module(announce, check=True, **asked)["changed"]
    assert not cluster.objects

    def kept():
        written = cluster.objects["ConfigMap", "release-2.0.0"]["data"]["record.json"]
        return json.loads(written)["announcements"]["start"]["undelivered"]

    sent.clear()
    for _run in range(2):
        missed = run_module(announce, **asked)
        assert [missed["msg"] for missed in kept()] == ["535 ********"]
        assert len(missed["undelivered"]) == 1
    down.clear()
    told, again = run_module(announce, **asked), run_module(announce, **asked)
    assert (told["changed"], again["changed"], kept()) == (True, False, [])
    assert sent == [["slack", "email"], ["email"], ["email"]]
    # What it has cannot be seen: better said twice than not at all.
    cluster.out_of_sight = True
    assert "failed" not in run_module(announce, **asked)
    assert sent[-1] == ["slack", "email"]


@pytest.mark.parametrize("args", [{"text": "x"}, {"text": "", "slack": DOWN}])
def test_bad_input_fails_with_a_reason(args):
    result = run_module(announce, **args)
    assert (result["failed"], result["reason"]) == (True, "InvalidInput")
