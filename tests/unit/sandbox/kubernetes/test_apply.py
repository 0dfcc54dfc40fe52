"""Field ownership and server-side apply."""

import pytest

from sandbox.kubernetes.apply import Manager, after_update, apply, owners_of
from sandbox.kubernetes.errors import ApiError

TIME = "2026-11-24T10:00:00Z"
CI = Manager("ci", "Update", "apps/v1")
RAMP = Manager("ramp", "Apply", "apps/v1")
OTHER = Manager("other", "Apply", "apps/v1")


def config_map(**data: str) -> dict:
    return (
        {"metadata": {"name": "flags"}, "data": data} if data else {"metadata": {"name": "flags"}}
    )


def deployment(image: str, **more: object) -> dict:
    container = {"name": "web", "image": image}
    return {
        "metadata": {"name": "web"},
        "spec": {"template": {"spec": {"containers": [container]}}} | more,
    }


def written_by(manager: Manager, obj: dict, model: str = "V1ConfigMap") -> dict:
    return after_update(model, manager, TIME, {"metadata": {}}, obj)


def test_two_conflicts_are_told_by_manager():
    live = written_by(CI, config_map(a="1", b="1"))

    with pytest.raises(ApiError) as refused:
        apply("V1ConfigMap", RAMP, TIME, live, config_map(a="2", b="2"), force=False)

    assert str(refused.value) == (
        'Apply failed with 2 conflicts: conflicts with "ci" using apps/v1:\n- .data.a\n- .data.b'
    )


def test_the_same_value_is_shared_without_a_conflict():
    live = written_by(CI, config_map(percent="5"))

    after = apply("V1ConfigMap", RAMP, TIME, live, config_map(percent="5"), force=False)

    holders = {m.name for m, o in owners_of(after).items() if ("f:data", "f:percent") in o.paths}
    assert holders == {"ci", "ramp"}


def test_a_field_left_out_is_removed_unless_somebody_else_holds_it():
    live = apply("V1ConfigMap", RAMP, TIME, config_map(), config_map(a="1", b="1"), force=False)
    live = apply("V1ConfigMap", OTHER, TIME, live, config_map(b="1"), force=False)

    after = apply("V1ConfigMap", RAMP, TIME, live, config_map(c="1"), force=False)

    assert after["data"] == {"b": "1", "c": "1"}


def test_applying_the_same_again_changes_nothing():
    live = apply("V1ConfigMap", RAMP, TIME, config_map(), config_map(a="1"), force=False)

    assert (
        apply("V1ConfigMap", RAMP, "2030-01-01T00:00:00Z", live, config_map(a="1"), force=False)
        == live
    )


def test_list_items_are_owned_by_key_and_merged_by_it():
    live = written_by(CI, deployment("web:1", replicas=2), "V1Deployment")
    sidecar = {"name": "sidecar", "image": "sidecar:1"}
    config = {
        "metadata": {"name": "web"},
        "spec": {"template": {"spec": {"containers": [sidecar]}}},
    }

    after = apply("V1Deployment", RAMP, TIME, live, config, force=False)

    containers = after["spec"]["template"]["spec"]["containers"]
    assert [item["name"] for item in containers] == ["web", "sidecar"]
    with pytest.raises(ApiError, match=r'\.spec\.template\.spec\.containers\[name="web"\]\.image'):
        apply("V1Deployment", RAMP, TIME, after, deployment("web:2"), force=False)


def test_an_applied_item_left_out_goes_whole():
    both = deployment("web:1")
    both["spec"]["template"]["spec"]["containers"].append({"name": "sidecar", "image": "s:1"})
    live = apply("V1Deployment", RAMP, TIME, {"metadata": {}}, both, force=False)

    after = apply("V1Deployment", RAMP, TIME, live, deployment("web:1"), force=False)

    assert after["spec"]["template"]["spec"]["containers"] == [{"name": "web", "image": "web:1"}]
