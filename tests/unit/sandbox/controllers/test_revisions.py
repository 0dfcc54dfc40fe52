"""Revisions: numbering, reuse by an undo, annotations, hashes, and which old ones are dropped."""

import copy
import re
import typing as t

from sandbox.kubernetes.controllers import revisions
from sandbox.kubernetes.controllers.revisions import template_hash

Object = dict[str, t.Any]


def template(image: str) -> Object:
    container = {"name": "app", "image": image}
    return {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [container]}}


def deployment(image: str = "app:v2", **notes: str) -> Object:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d", "namespace": "n", "uid": "u", "annotations": notes},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": {"app": "a"}},
            "template": template(image),
        },
    }


def made(image: str, number: int) -> Object:
    entry = revisions.made_set(deployment(image), number, 3)
    entry["metadata"]["creationTimestamp"] = f"2026-11-24T09:00:0{number}Z"
    return entry


def test_the_hash_looks_real_and_ignores_its_own_label():
    bare, labelled = template("app:v2"), template("app:v2")
    labelled["metadata"]["labels"]["pod-template-hash"] = "abc"

    assert re.fullmatch(r"[bcdf4-9]{1,10}", template_hash(bare))
    assert template_hash(labelled) == template_hash(bare) != template_hash(template("app:v3"))
    assert template_hash(bare, 1) != template_hash(bare)


def test_a_new_set_carries_hash_owner_sizes_and_the_deployments_own_annotations():
    entry = revisions.made_set(
        deployment(**{"kubernetes.io/change-cause": "v2", revisions.LAST_APPLIED: "{}"}), 4, 1
    )

    name_hash = template_hash(template("app:v2"))
    assert entry["metadata"]["name"] == f"d-{name_hash}"
    assert entry["spec"]["selector"]["matchLabels"]["pod-template-hash"] == name_hash
    assert entry["metadata"]["annotations"] == {
        "kubernetes.io/change-cause": "v2",
        "deployment.kubernetes.io/desired-replicas": "3",
        "deployment.kubernetes.io/max-replicas": "4",
        "deployment.kubernetes.io/revision": "4",
    }
    assert entry["metadata"]["ownerReferences"][0]["controller"] is True


def test_numbers_a_set_had_before_are_all_kept():
    entry = made("app:v1", 1)
    for number in (3, 5):
        entry = revisions.reused(deployment("app:v1"), entry, number)

    assert entry["metadata"]["annotations"][revisions.HISTORY] == "1,3"


def test_a_changed_annotation_reaches_the_set_without_a_new_revision():
    entry = made("app:v2", 2)

    changed = revisions.reused(deployment("app:v2", release="r-7"), entry, 2)

    assert changed is not None
    assert changed["metadata"]["annotations"]["release"] == "r-7"
    assert revisions.REVISION in changed["metadata"]["annotations"]


def test_only_empty_sets_beyond_the_limit_are_dropped_lowest_first():
    old = [made(f"app:v{number}", number) for number in (1, 2, 3, 4)]
    for entry in old:
        entry["spec"]["replicas"] = 0
    busy = copy.deepcopy(old)
    busy[0]["spec"]["replicas"] = 1
    wanted = deployment()
    wanted["spec"]["revisionHistoryLimit"] = 2

    assert revisions.expired(wanted, old) == old[:2]
    assert revisions.expired(wanted, busy) == busy[1:2]
