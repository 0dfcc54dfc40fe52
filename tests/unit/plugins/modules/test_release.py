"""Under which lock the record is written, and that a freeze keeps no failure from it."""

import json
import typing as t

import pytest
from ansible.module_utils.basic import AnsibleModule

from ansible_collections.easymo.deploy.plugins.module_utils import _rollback
from ansible_collections.easymo.deploy.plugins.module_utils._lock import apply
from ansible_collections.easymo.deploy.plugins.module_utils._release.record import Record
from ansible_collections.easymo.deploy.plugins.module_utils._story.next_step import (
    Story,
    command_of,
    steps,
)
from ansible_collections.easymo.deploy.plugins.modules import kill_switch, release, release_rollback
from tests.fakes.lock import NAME, Scene
from tests.module_runner import run_module
from tests.tables import cases


@pytest.fixture
def scene(monkeypatch) -> Scene:
    """Of one who holds the lock at its first epoch and has opened the phase."""
    scene = Scene()
    for module in (kill_switch, release, release_rollback):
        monkeypatch.setattr(module, "cluster_for", lambda _module: scene.cluster)
    monkeypatch.setattr(release, "MonotonicClock", lambda: scene.clock)
    monkeypatch.setattr(apply.LeaseCheck.__init__, "__kwdefaults__", {"wall": scene.wall})
    assert scene.locking(scene.claim()).hold().after.fence == 1
    told(phase_status="running")
    return scene


def told(**options: t.Any) -> dict[str, t.Any]:
    return run_module(
        release,
        namespace="easymo-prod",
        name="2.0.0",
        phase="database",
        fence=1,
        lock=NAME,
        **options,
    )


def phase_of(scene: Scene) -> str:
    body = scene.cluster.objects["ConfigMap", "release-2.0.0"]
    return str(json.loads(body["data"]["record.json"])["phases"]["database"]["status"])


def test_a_failure_is_recorded_during_a_freeze_and_nothing_else_is(scene):
    frozen = {"metadata": {"name": "deploy-freeze"}, "data": {"reason": "Black Friday"}}
    scene.cluster.put("ConfigMap", frozen)
    assert told(phase_status="done")["reason"] == "Frozen"
    assert phase_of(scene) == "running"
    assert not told(phase_status="failed").get("failed")
    assert phase_of(scene) == "failed"


def test_a_failure_is_not_recorded_by_who_lost_the_lock(scene):
    scene.locking(scene.claim("joe", "there", purpose="undo")).hold()
    assert told(phase_status="failed")["reason"] == "LeaseLost"
    assert phase_of(scene) == "running"


@cases(("part", "asked", "anew"), {
    "all of it went back": ("all", "2020", False),
    "a part, and nothing was deployed since": ("services", "2099", False),
    "a part, and a phase was run since": ("services", "2020", True),
})  # fmt: skip
@pytest.mark.usefixtures("scene")
def test_a_rollback_is_open_until_its_end_and_the_same_words_ask_anew_after_a_deployment(
    monkeypatch, part, asked, anew
):
    monkeypatch.setattr(_rollback, "utc_now", lambda: f"{asked}-01-01T00:00:00Z")
    given = {"namespace": "easymo-prod", "name": "2.0.0", "parts": [part]}
    states = ("begun", "closed", "begun")
    turns = [run_module(release_rollback, **given, state=state) for state in states]
    assert [turn["changed"] for turn in turns] == [True, True, anew]
    assert [facts_of(turn)["rollback_asked"]["open"] for turn in turns[:2]] == [True, False]


def facts_of(turn: dict[str, t.Any]) -> dict[str, t.Any]:
    return json.loads(turn["document"])["facts"]


def back(state: str, parts: str, **given: t.Any) -> dict[str, t.Any]:
    given = {"namespace": "easymo-prod", "name": "2.0.0", "parts": parts.split(","), **given}
    return run_module(release_rollback, **given, state=state)


@pytest.mark.usefixtures("scene")
def test_what_another_rollback_verified_is_not_said_of_one_that_looks_at_nothing():
    tests = {"results": [{"name": "payments", "status": "fail", "detail": "HTTP 500"}]}
    back("begun", "feature_flags")
    assert facts_of(back("verified", "feature_flags", tests=tests))["rollback_verified"]
    back("closed", "feature_flags")
    assert facts_of(back("begun", "edge_functions"))["rollback_verified"] == []
    nothing = back("verified", "edge_functions")
    assert (nothing["verified"], nothing["left_out"]) == ([], "")
    assert nothing["sentence"] == "Verified: nothing was checked"


@cases(("turns", "finish"), {
    "all": ([("all", [])], "playbooks/rollback.yml"),
    "a part": ([("edge_functions", [])], "playbooks/rollback.yml --tags edge_functions"),
    "some services": (
        [("services", ["b"]), ("services", ["a"])],
        """playbooks/rollback.yml --tags services -e '{"service_rollback_names": ["a", "b"]}'""",
    ),
    "all services after one": (
        [("services", ["b"]), ("services", [])],
        "playbooks/rollback.yml --tags services",
    ),
    "a part after another": (
        [("services", ["b"]), ("edge_functions", [])],
        "playbooks/rollback.yml --tags edge_functions,services"
        """ -e '{"service_rollback_names": ["b"]}'""",
    ),
    "all after a part": ([("services", ["b"]), ("all", [])], "playbooks/rollback.yml"),
})  # fmt: skip
@pytest.mark.usefixtures("scene")
def test_a_rollback_that_left_something_out_is_typed_again_as_it_was(turns, finish):
    for parts, deployments in turns:
        assert back("begun", parts, deployments=deployments)["changed"]
    closed = back("closed", turns[-1][0], left_out="wallet-service runs something else.")
    story = Story(record=Record.read(json.loads(closed["document"])))
    assert command_of(steps(story)[0]) == finish


@pytest.mark.parametrize("secret", ["ghp_" + "a1B2" * 9, "password=" + "Zx9!" + "qqqq"])
def test_a_secret_in_a_reason_stops_no_kill_switch_and_is_kept_nowhere(scene, secret):
    scene.cluster.put(
        "ConfigMap", {"metadata": {"name": "feature-flags"}, "data": {"CHAT": "true"}}
    )
    given = {
        "name": "feature-flags",
        "namespace": "easymo-prod",
        "flags": {"CHAT": False},
        "consumers": [],
    }
    result = run_module(kill_switch, **given, reason=secret, by=f"ann {secret}", release="2.0.0")
    assert not result.get("failed"), result
    stored = json.dumps(
        [scene.cluster.objects["ConfigMap", name] for name in ("feature-flags", "release-2.0.0")]
    )
    assert '"CHAT": "false"' in stored
    assert "********" in stored
    assert secret.removeprefix("password=") not in stored + json.dumps(result)


HOSTILE = {
    "record": '{"attempt": %s}' % ("9" * 5000),
    "record of another kind": '{"phases": 1}',
    "record cut off": '{"version": "2.0.0", "phases": {"datab',
    "record nested": "[" * 100_000,
    "easymo.com/fence": "9" * 5000,
    "easymo.com/kill-switch": "[" * 100_000,
    "easymo.com/kill-switch-epoch": "9" * 5000,
    "easymo.com/ramp": '{"step": %s}' % ("9" * 5000),
    "easymo.com/guard": '{"acts": 1}',
}
"""What somebody may have written: the record, or an annotation of the flags."""


@pytest.mark.parametrize(("where", "text"), HOSTILE.items(), ids=HOSTILE)
def test_the_kill_switch_works_whatever_stands_beside_it(scene, monkeypatch, where, text):
    warnings: list[str] = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda _self, warning: warnings.append(warning))
    metadata: dict[str, t.Any] = {"name": "feature-flags"}
    if where.startswith("record"):
        record = scene.cluster.objects["ConfigMap", "release-2.0.0"]
        scene.cluster.put("ConfigMap", {**record, "data": {"record.json": text}})
    else:
        metadata["annotations"] = {where: text}
    scene.cluster.put("ConfigMap", {"metadata": metadata, "data": {"CHAT": "true"}})
    given = {"name": "feature-flags", "namespace": "easymo-prod", "flags": {"CHAT": False}}
    result = run_module(
        kill_switch, **given, consumers=[], reason="errors", by="ann", release="2.0.0"
    )
    assert not result.get("failed"), result
    flags = scene.cluster.objects["ConfigMap", "feature-flags"]
    assert flags["data"]["CHAT"] == "false"
    assert flags["metadata"]["annotations"]["easymo.com/kill-switch"]
    if where.startswith("record"):
        told = "The release record was not written: ConfigMap 'release-2.0.0' has no valid release record "
        assert any(warning.startswith(told) for warning in warnings)


def test_a_secret_in_a_note_is_signed_nowhere(scene):
    given = {
        "required": [{"name": "qa", "what": "QA"}],
        "name": "qa",
        "by": "ann",
        "note": "ghp_" + "a1B2" * 9,
    }
    result = run_module(release, namespace="easymo-prod", name="2.0.0", lock=NAME, sign_off=given)
    assert result["msg"].startswith("'note' looks as if it holds a secret")
    assert given["note"] not in json.dumps([*scene.cluster.objects.values()])


def test_a_signature_has_the_servers_word_beside_the_name_that_was_typed(scene):
    given = {"required": [{"name": "qa", "what": "QA"}], "name": "qa", "by": "ann"}
    result = run_module(release, namespace="easymo-prod", name="2.0.0", lock=NAME, sign_off=given)
    account, _comma, place = result["sign_off"]["known_as"].partition(", ")
    assert (result["sign_off"]["by"], account) == ("ann", scene.cluster.account())
    known = f"ann (as stated; signed as {account}, {place}) signed"
    assert known in result["remarks"][0]
