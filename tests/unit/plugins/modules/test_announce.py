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


def test_what_the_record_has_is_not_sent_again(monkeypatch):
    cluster = MemoryCluster()
    monkeypatch.setattr(task, "cluster_elsewhere", lambda _module: cluster)
    mail = {"host": "127.0.0.1", "username": "its", "password": "its-very-secret", "subject": "x",
            "sender": "a@b.example", "recipients": ["c@b.example"]}  # fmt: skip
    refused = {"channel": "email", "target": "c@b.example", "reason": "Refused"}
    refused["msg"] = "535 its-very-secret"
    monkeypatch.setattr(announce, "deliver", lambda *_args, **_more: ([], [refused]))
    asked = {"text": "x", "email": mail, "release": "2.0.0", "key": "start"}
    asked["kubernetes"] = {"namespace": "prod"}
    assert run_module(announce, check=True, **asked)["changed"]
    assert not cluster.objects
    first, again = run_module(announce, **asked), run_module(announce, **asked)
    assert [len(first["undelivered"]), first["changed"]] == [1, True]
    assert again["undelivered"] == again["delivered"] == []
    assert not again["changed"]
    written = cluster.objects["ConfigMap", "release-2.0.0"]["data"]["record.json"]
    kept = json.loads(written)["announcements"]["start"]["undelivered"]
    assert [missed["msg"] for missed in kept] == ["535 ********"]
    # What it has cannot be seen: better said twice than not at all.
    cluster.out_of_sight = True
    unseen = run_module(announce, **asked)
    assert ("failed" not in unseen, len(unseen["undelivered"])) == (True, 1)


@pytest.mark.parametrize("args", [{"text": "x"}, {"text": "", "slack": DOWN}])
def test_bad_input_fails_with_a_reason(args):
    result = run_module(announce, **args)
    assert (result["failed"], result["reason"]) == (True, "InvalidInput")
