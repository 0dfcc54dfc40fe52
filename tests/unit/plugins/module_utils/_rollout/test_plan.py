import typing as t
from dataclasses import replace

import jsonpatch
import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._cluster import (
    ADMITTED_ANNOTATION,
    CHANGE_CAUSE_ANNOTATION,
    CHECKSUM_ANNOTATION,
    FENCE_ANNOTATION,
    FIELD_MANAGER,
    RELEASE_ANNOTATION,
    ROLLOUT_ID_ANNOTATION,
    Object,
)
from ansible_collections.easymo.deploy.plugins.module_utils._errors import ConflictError, InputError
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.models import Deployment
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.plan import (
    Pin,
    RolloutPlan,
    RolloutRequest,
    is_own_write,
    may_run_release,
    plan_admitted,
    plan_rollout,
    released_container,
    runs_release,
)
from ansible_collections.easymo.deploy.plugins.module_utils._waves.wave import to_environment
from tests.tables import cases

OLD, NEW = "easymo/wallet-service:v1.9.0", "easymo/wallet-service:v2.0.0"
FOREIGN = {"deployment.kubernetes.io/revision": "7", "team": "wallets"}


def deployment(image: str = OLD, **changes: t.Any) -> Object:
    return {
        "metadata": {
            "name": "wallet-service",
            "uid": "u-1",
            "generation": 4,
            "annotations": {**FOREIGN, **changes.get("annotations", {})},
        },
        "spec": {
            "replicas": 3,
            "paused": changes.get("paused", False),
            "selector": {"matchLabels": {"app": "wallet-service"}},
            "template": {
                "metadata": {"labels": {"app": "wallet-service"}, **changes.get("template", {})},
                "spec": {
                    "containers": [
                        {"name": "metrics-sidecar", "image": "easymo/metrics:v1"},
                        {"name": "wallet-service", "image": image},
                    ]
                },
            },
        },
    }


def wanted(state: str = "released", **fields: t.Any) -> RolloutRequest:
    defaults = {"container": "wallet-service", "image": NEW, "release": "2.0.0", "actor": "ann"}
    return RolloutRequest(state=state, **{**defaults, **fields})


def planned(body: Object, ask: RolloutRequest, pin: Pin | None = None) -> RolloutPlan:
    return plan_rollout(Deployment.from_json(body), ask, pin)


def patched(body: Object, plan: RolloutPlan) -> Object:
    """What the API server makes of the plan; raises when a `test` fails."""
    return jsonpatch.apply_patch(body, plan.operations)


def test_a_release_changes_one_image_and_says_who_and_why_in_the_same_patch():
    body = deployment()
    plan = planned(body, wanted())
    after = patched(body, plan)
    assert [
        container["image"] for container in after["spec"]["template"]["spec"]["containers"]
    ] == ["easymo/metrics:v1", NEW]
    annotations = after["metadata"]["annotations"]
    assert annotations[RELEASE_ANNOTATION] == "2.0.0"
    assert annotations[CHANGE_CAUSE_ANNOTATION] == f"release 2.0.0: wallet-service {NEW}"
    assert FOREIGN.items() <= annotations.items()
    assert after["spec"]["replicas"] == 3


@pytest.mark.parametrize(
    "moved",
    [
        pytest.param({"metadata": {"uid": "u-2"}}, id="created-again"),
        pytest.param({"metadata": {"generation": 5}}, id="changed-since"),
    ],
)
def test_the_patch_fits_only_what_was_looked_at(moved):
    body = deployment()
    plan = planned(body, wanted())
    body["metadata"] |= moved["metadata"]
    with pytest.raises(jsonpatch.JsonPatchTestFailed):
        patched(body, plan)


def test_an_image_that_is_there_already_needs_nothing():
    plan = planned(deployment(NEW), wanted(fence=3))
    assert (plan.changed, plan.writes) == (False, False), "not even its epoch is written"
    assert plan.to_diff()["before"] == plan.to_diff()["after"]


def variables_of(body: Object) -> list[Object]:
    containers = body["spec"]["template"]["spec"]["containers"]
    return containers[1].get("env", [])


SECRET = {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "wallet", "key": "token"}}}
LEVEL = {"name": "LOG_LEVEL", "value": "info"}


@pytest.mark.parametrize("image", [OLD, NEW], ids=["with the image", "of the image that runs"])
@cases(
    ("before", "after"),
    {
        "the first": (None, [LEVEL]),
        "one more": ([SECRET], [SECRET, LEVEL]),
        "another value": ([{"name": "LOG_LEVEL", "value": "debug"}, SECRET], [LEVEL, SECRET]),
    },
)
def test_variables_of_the_release_come_and_go_back_exactly(image, before, after):
    body = deployment(image)
    if before is not None:
        body["spec"]["template"]["spec"]["containers"][1]["env"] = before
    pin = Pin.of(Deployment.from_json(body))
    ask = wanted(environment={"LOG_LEVEL": "info"})
    released = patched(body, planned(body, ask))
    assert variables_of(released) == after
    assert not planned(released, ask).writes
    back = planned(released, wanted("rolled_back"), pin)
    assert back.takes == ()
    assert patched(released, back) == body
    released["spec"]["template"]["spec"]["containers"][1]["env"].append({"name": "X", "value": "1"})
    (theirs,) = planned(released, wanted("rolled_back"), pin).takes
    assert theirs.field == "spec.containers[wallet-service].env[X]"


@pytest.mark.parametrize(
    ("given", "text"), [(True, "true"), (60, "60"), ("info", "info"), ("", "")]
)
def test_a_variable_is_a_text_as_a_manifest_has_it(given, text):
    assert to_environment({"X": given}) == {"X": text}


@pytest.mark.parametrize("given", [None, ["a"], {"a": 1}])
def test_what_is_no_text_is_refused(given):
    with pytest.raises(InputError, match="X in 'environment' is a"):
        to_environment({"X": given})


def test_a_paused_deployment_is_refused_with_the_cure():
    paused = Deployment.from_json(deployment(paused=True))
    paused = replace(paused, namespace="shop-prod")
    typed = f"run 'kubectl -n shop-prod rollout resume deployment/{paused.name}' and"
    with pytest.raises(ConflictError, match=typed):
        plan_rollout(paused, wanted(), None)


def test_an_unknown_container_is_refused_with_those_there_are():
    current = Deployment.from_json(deployment())
    with pytest.raises(InputError, match="'metrics-sidecar', 'wallet-service'"):
        plan_rollout(current, wanted(container="wallet"), None)


def test_the_only_container_stands_for_the_one_that_is_called_as_the_deployment():
    body = deployment()
    name = body["metadata"]["name"]
    both = Deployment.from_json(body)
    assert released_container(both, name) == name
    containers = body["spec"]["template"]["spec"]["containers"]
    containers[:] = [{"name": "server", "image": OLD}]
    alone = Deployment.from_json(body)
    assert released_container(alone, name) == "server"
    # One that somebody named is what they meant.
    assert released_container(alone, "sevrer") == "sevrer"
    containers.append({"name": "proxy", "image": OLD})
    assert released_container(Deployment.from_json(body), name) == name


def test_a_restart_happens_once_for_each_checksum():
    body = deployment()
    ask = wanted("restarted", checksum="abc")
    plan = planned(body, ask)
    after = patched(body, plan)
    marks = after["spec"]["template"]["metadata"]["annotations"]
    assert marks == {CHECKSUM_ANNOTATION: "abc"}
    assert not planned(after, ask).changed


def test_a_restart_without_a_checksum_happens_every_time():
    body = deployment()
    first = patched(body, planned(body, wanted("restarted", at="1")))
    assert planned(first, wanted("restarted", at="2")).changed


def released() -> tuple[Object, Pin]:
    body = deployment()
    pin = Pin.of(Deployment.from_json(body))
    return patched(body, planned(body, wanted())), pin


def test_rolling_back_returns_template_and_own_annotations_and_leaves_the_rest():
    body, pin = released()
    body["spec"]["replicas"] = 7
    body["metadata"]["annotations"]["noted"] = "by somebody"
    plan = planned(body, wanted("rolled_back"), pin)
    after = patched(body, plan)
    assert after["spec"]["template"] == deployment()["spec"]["template"]
    assert after["metadata"]["annotations"] == {**FOREIGN, "noted": "by somebody"}
    assert after["spec"]["replicas"] == 7
    assert not planned(after, wanted("rolled_back"), pin).changed


def test_rolling_back_undoes_a_restart_of_the_release_too():
    body, pin = released()
    restart = planned(body, wanted("restarted", checksum="abc"))
    plan = planned(patched(body, restart), wanted("rolled_back"), pin)
    assert plan.template == deployment()["spec"]["template"]


def test_rolling_back_what_somebody_undid_by_hand_takes_back_the_annotations():
    body, pin = released()
    body["spec"]["template"] = deployment()["spec"]["template"]
    plan = planned(body, wanted("rolled_back"), pin)
    assert patched(body, plan)["metadata"]["annotations"] == FOREIGN


def resolved(body: Object, digit: str = "a") -> Object:
    """As an admission webhook leaves it that resolves tags."""
    for container in body["spec"]["template"]["spec"]["containers"]:
        if "@" not in container["image"]:
            container["image"] += f"@sha256:{digit * 64}"
    return body


def test_a_digest_that_a_webhook_adds_is_the_image_that_was_asked_for():
    body = resolved(deployment())
    pin = Pin.of(Deployment.from_json(body))
    rolled = resolved(patched(body, planned(body, wanted())))
    live = Deployment.from_json(rolled)
    assert live.images["wallet-service"].startswith(f"{NEW}@sha256:")
    assert runs_release(live, "2.0.0")
    assert not plan_rollout(live, wanted(), None).writes, "a second run changes nothing"
    back = patched(rolled, plan_rollout(live, wanted("rolled_back"), pin))
    assert back["spec"]["template"] == resolved(deployment())["spec"]["template"]


def test_a_pin_from_before_there_was_such_a_webhook_leads_back_once():
    body, pin = released()
    live = Deployment.from_json(resolved(body))
    back = resolved(patched(body, plan_rollout(live, wanted("rolled_back"), pin)))
    again = planned(back, wanted("rolled_back", fence=3), pin)
    assert (again.writes, again.changed) == (True, False)
    assert not planned(back, wanted("rolled_back"), pin).writes


def mirrored(body: Object) -> Object:
    """As an admission webhook leaves it that takes images from a mirror."""
    for container in body["spec"]["template"]["spec"]["containers"]:
        container["image"] = (
            f"mirror.example.com/{container['image'].removeprefix('mirror.example.com/')}"
        )
    return body


def from_a_mirror() -> tuple[Object, Pin]:
    """Released, and not noted yet."""
    body = mirrored(deployment())
    live = Deployment.from_json(body)
    return mirrored(patched(body, plan_rollout(live, wanted(fence=2), None))), Pin.of(live)


def noted(body: Object) -> Object:
    operations = plan_admitted(Deployment.from_json(body), wanted(fence=2))
    return jsonpatch.apply_patch(body, operations)


def owned(body: Object, manager: str = FIELD_MANAGER) -> Deployment:
    """As the server tells who wrote the image last."""
    fields: Object = {'k:{"name":"wallet-service"}': {"f:image": {}}}
    for path in ("f:containers", "f:spec", "f:template", "f:spec"):
        fields = {path: fields}
    entry = {"manager": manager, "operation": "Update", "fieldsV1": fields}
    return Deployment.from_json(
        {**body, "metadata": {**body["metadata"], "managedFields": [entry]}}
    )


def test_an_image_that_a_webhook_takes_from_a_mirror_is_ours_once_that_is_noted():
    body, pin = from_a_mirror()
    assert not runs_release(Deployment.from_json(body), "2.0.0")
    live = Deployment.from_json(noted(body))
    assert runs_release(live, "2.0.0")
    assert not plan_rollout(live, wanted(), None).writes, "a second run changes nothing"
    assert plan_rollout(live, wanted(image=f"{NEW}.1"), None).changed, "another image was asked for"
    back = patched(noted(body), plan_rollout(live, wanted("rolled_back"), pin))
    assert back["spec"]["template"] == mirrored(deployment())["spec"]["template"]
    assert ADMITTED_ANNOTATION not in back["metadata"]["annotations"]


def test_what_stands_as_it_was_asked_for_is_not_noted():
    body, _pin = released()
    assert not plan_admitted(Deployment.from_json(body), wanted())
    assert not plan_admitted(Deployment.from_json(resolved(body)), wanted())


def test_another_hand_behind_a_mirror_is_never_undone():
    body, pin = from_a_mirror()
    body = noted(body)
    body["spec"]["template"]["spec"]["containers"][1]["image"] = f"mirror.example.com/{NEW}.1"
    with pytest.raises(ConflictError, match="somebody else"):
        planned(body, wanted("rolled_back"), pin)


@pytest.mark.parametrize(
    "moved",
    [
        pytest.param({ROLLOUT_ID_ANNOTATION: "another"}, id="another-release"),
        pytest.param({FENCE_ANNOTATION: "3"}, id="a-later-holder-of-the-lock"),
    ],
)
def test_a_note_fits_only_what_was_released(moved):
    body, _pin = from_a_mirror()
    operations = plan_admitted(Deployment.from_json(body), wanted(fence=2))
    body["metadata"]["generation"] += 1
    jsonpatch.apply_patch(body, operations)  # a controller may have written it
    body["metadata"]["annotations"] |= moved
    with pytest.raises(jsonpatch.JsonPatchTestFailed):
        jsonpatch.apply_patch(body, operations)


def test_a_release_that_got_no_answer_is_known_by_who_wrote_the_image():
    before = Deployment.from_json(mirrored(deployment()))
    body, _pin = from_a_mirror()
    assert is_own_write(before, owned(body), wanted())
    assert not is_own_write(before, owned(body, "kubectl-set"), wanted())
    assert not is_own_write(owned(body), owned(body), wanted()), "it was there before"
    assert may_run_release(owned(body), "2.0.0")
    assert not may_run_release(owned(body, "kubectl-set"), "2.0.0")
    assert not may_run_release(owned(body), "1.9.0")


def test_another_digest_than_the_one_that_was_asked_for_is_another_image():
    digest = f"{NEW}@sha256:{'a' * 64}"
    live = Deployment.from_json(deployment(f"{NEW}@sha256:{'b' * 64}"))
    assert plan_rollout(live, wanted(image=digest), None).changed
    assert planned(deployment(NEW), wanted(image=digest)).changed


def test_a_way_back_fences_what_stands_at_its_pin_and_restarts_nothing():
    body = deployment()
    pin = Pin.of(Deployment.from_json(body))
    plan = planned(body, wanted("rolled_back", fence=3), pin)
    assert (plan.writes, plan.changed) == (True, False)
    after = patched(body, plan)
    assert after["spec"] == body["spec"]
    assert after["metadata"]["annotations"] == {**FOREIGN, FENCE_ANNOTATION: "3"}
    for epoch in (0, 2, 3):
        again = wanted("rolled_back", fence=epoch)
        assert not planned(after, again, pin).writes


def test_a_way_back_fences_a_paused_deployment_and_one_that_never_ran_the_release():
    body = deployment(paused=True)
    pin = Pin.of(Deployment.from_json(deployment()))
    body["spec"]["template"]["spec"]["nodeSelector"] = {"disk": "ssd"}
    plan = planned(body, wanted("rolled_back", fence=3), pin)
    assert patched(body, plan)["metadata"]["annotations"][FENCE_ANNOTATION] == "3"
    assert not plan.changed


def test_rolling_back_needs_a_pin_of_this_very_deployment():
    body, pin = released()
    with pytest.raises(InputError, match="Nothing is pinned"):
        planned(body, wanted("rolled_back"))
    body["metadata"]["uid"] = "u-2"
    with pytest.raises(ConflictError, match="created again"):
        planned(body, wanted("rolled_back"), pin)


def test_annotations_are_added_where_there_are_none():
    body = deployment()
    del body["metadata"]["annotations"]
    after = patched(body, planned(body, wanted()))
    assert after["metadata"]["annotations"][ROLLOUT_ID_ANNOTATION]
