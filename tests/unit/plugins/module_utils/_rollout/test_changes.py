"""What a way back takes away is told field by field, and what the release wrote itself is not told."""

import copy
import typing as t

from ansible_collections.easymo.deploy.plugins.module_utils._cluster import (
    CHECKSUM_ANNOTATION,
    Object,
)
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.changes import (
    describe_changes,
    taken_away,
)
from tests.tables import cases

THEN: Object = {
    "metadata": {"labels": {"app": "wallet"}},
    "spec": {
        "terminationGracePeriodSeconds": 30,
        "containers": [
            {
                "name": "wallet",
                "image": "easymo/wallet:v1.9.0",
                "env": [{"name": "MODE", "value": "fast"}],
                "ports": [{"containerPort": 8080}],
                "args": ["serve"],
            },
            {"name": "sidecar", "image": "easymo/metrics:v1"},
        ],
        "tolerations": [{"key": "a"}, {"key": "a", "effect": "NoExecute"}],
    },
}


def wallet(template: Object) -> t.Any:
    return template["spec"]["containers"][0]


def changed(change: t.Callable[[Object], object]) -> list[tuple[str, str, str]]:
    now = copy.deepcopy(THEN)
    change(now)
    return [
        (change.field, change.now, change.then) for change in taken_away(now, THEN, ours={"wallet"})
    ]


@cases(
    ("change", "field", "now", "then"),
    {
        "a hook that was added": (
            lambda body: wallet(body).update(lifecycle={"preStop": {"sleep": {"seconds": 3}}}),
            "spec.containers[wallet].lifecycle",
            '{"preStop": {"sleep": {"seconds": 3}}}',
            "absent",
        ),
        "a number": (
            lambda body: body["spec"].update(terminationGracePeriodSeconds=60),
            "spec.terminationGracePeriodSeconds",
            "60",
            "30",
        ),
        "the image of another container": (
            lambda body: body["spec"]["containers"][1].update(image="easymo/metrics:v2"),
            "spec.containers[sidecar].image",
            "easymo/metrics:v2",
            "easymo/metrics:v1",
        ),
        "a container that came first": (
            lambda body: body["spec"]["containers"].insert(0, {"name": "proxy", "image": "p:1"}),
            "spec.containers[proxy]",
            '{"image": "p:1", "name": "proxy"}',
            "absent",
        ),
        "a container that went comes back": (
            lambda body: body["spec"]["containers"].pop(),
            "spec.containers[sidecar]",
            "absent",
            '{"image": "easymo/metrics:v1", "name": "sidecar"}',
        ),
        "an annotation, beside one of ours": (
            lambda body: body["metadata"].update(
                annotations={"team": "w", CHECKSUM_ANNOTATION: "x"}
            ),
            "metadata.annotations.team",
            "w",
            "absent",
        ),
        "a variable, without its value": (
            lambda body: wallet(body)["env"].append({"name": "TOKEN", "value": "hunter2"}),
            "spec.containers[wallet].env[TOKEN]",
            "(not shown)",
            "absent",
        ),
        "a list of words": (
            lambda body: wallet(body).update(args=["serve", "--slow"]),
            "spec.containers[wallet].args",
            '["serve", "--slow"]',
            '["serve"]',
        ),
        "a list whose entries have no name of their own": (
            lambda body: body["spec"].pop("tolerations"),
            "spec.tolerations",
            "absent",
            '[{"key": "a"}, {"effect": "NoExecute", "key": "a"}]',
        ),
        "an order": (
            lambda body: body["spec"]["containers"].reverse(),
            "spec.containers (order)",
            '["sidecar", "wallet"]',
            '["wallet", "sidecar"]',
        ),
    },
)
def test_each_field_is_told_with_what_it_is_and_what_it_becomes(change, field, now, then):
    assert changed(change) == [(field, now, then)]


def test_what_the_release_wrote_is_not_told():
    def released(body: Object) -> None:
        wallet(body)["image"] = "easymo/wallet:v2.0.0"
        body["metadata"]["annotations"] = {CHECKSUM_ANNOTATION: "x"}

    assert changed(released) == []
    assert describe_changes([]) == ""
