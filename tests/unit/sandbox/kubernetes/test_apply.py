# SPDX-License-Identifier: GPL-3.0-or-later
"""Field ownership and server-side apply."""

from __future__ import annotations

import typing as t

import pytest

from sandbox.kubernetes.apply import Manager, after_update, apply, owners_of
from sandbox.kubernetes.errors import ApiError
from sandbox.kubernetes.fieldsets import Path, flatten, from_fields_v1, to_fields_v1, to_text

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


def paths_by_owner(obj: dict) -> dict[str, t.AbstractSet[Path]]:
    return {manager.name: owned.paths for manager, owned in owners_of(obj).items()}


def test_an_update_owns_what_it_changed_and_takes_it_from_the_one_before():
    first = written_by(CI, config_map(a="1", b="1"))
    second = after_update(
        "V1ConfigMap",
        Manager("patch", "Update", "v1"),
        TIME,
        first,
        first | {"data": {"a": "2", "b": "1"}},
    )

    owners = paths_by_owner(second)

    assert owners["patch"] == {("f:data", "f:a")}
    assert ("f:data", "f:a") not in owners["ci"]
    assert ("f:data", "f:b") in owners["ci"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ("a", '1 conflict: conflict with "ci" using apps/v1: .data.a'),
        ("ab", '2 conflicts: conflicts with "ci" using apps/v1:\n- .data.a\n- .data.b'),
    ],
)
def test_applying_over_another_manager_names_it_and_the_fields(fields, words):
    live = written_by(CI, config_map(**dict.fromkeys(fields, "1")))

    with pytest.raises(ApiError) as refused:
        apply(
            "V1ConfigMap", RAMP, TIME, live, config_map(**dict.fromkeys(fields, "2")), force=False
        )

    assert (refused.value.status, str(refused.value)) == (409, f"Apply failed with {words}")


def test_the_same_value_is_shared_without_a_conflict():
    live = written_by(CI, config_map(percent="5"))

    after = apply("V1ConfigMap", RAMP, TIME, live, config_map(percent="5"), force=False)

    owners = paths_by_owner(after)
    assert ("f:data", "f:percent") in owners["ci"] & owners["ramp"]


def test_force_takes_the_field_over():
    live = written_by(CI, config_map(percent="5"))

    after = apply("V1ConfigMap", RAMP, TIME, live, config_map(percent="10"), force=True)

    assert after["data"] == {"percent": "10"}
    owners = paths_by_owner(after)
    assert owners["ramp"] == {("f:data", "f:percent")}
    assert ("f:data", "f:percent") not in owners.get("ci", ())


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


def test_fields_v1_and_paths_are_the_same_thing():
    flat = flatten("V1Deployment", deployment("web:1", selector={"matchLabels": {"app": "web"}}))
    paths = frozenset(flat)

    assert from_fields_v1(to_fields_v1(paths)) == paths
    assert ("f:spec", "f:selector") in paths
    assert to_text(("f:spec", 'k:{"name":"web"}', "f:image")) == '.spec[name="web"].image'
