"""A container's environment: sources, precedence, references, and the kubelet's words when one is missing."""

import base64
import typing as t

import pytest

from sandbox.node.process import ConfigError, references, resolve

Object = dict[str, t.Any]

POD: Object = {
    "metadata": {"name": "p-1", "namespace": "easymo-prod", "labels": {"app": "wallet"}},
    "spec": {"nodeName": "sandbox-node"},
    "status": {"podIP": "127.20.0.2"},
}
OBJECTS: dict[tuple[str, str], Object] = {
    ("configmaps", "flags"): {"data": {"FEATURE": "true", "not a name": "x", "BOTH": "map"}},
    ("secrets", "keys"): {"data": {"TOKEN": base64.b64encode(b"s3cret").decode()}},
}


def test_later_sources_win_and_env_wins_over_all():
    container = {
        "envFrom": [
            {"configMapRef": {"name": "flags"}},
            {"secretRef": {"name": "keys"}, "prefix": "APP_"},
        ],
        "env": [
            {"name": "BOTH", "value": "env"},
            {"name": "GREETING", "value": "hi $(BOTH) $$(BOTH) $(NONE)"},
        ],
    }

    assert resolve(container, POD, OBJECTS) == {
        "FEATURE": "true",
        "APP_TOKEN": "s3cret",
        "BOTH": "env",
        "GREETING": "hi env $(BOTH) $(NONE)",
    }


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.name", "p-1"),
        ("metadata.namespace", "easymo-prod"),
        ("metadata.labels['app']", "wallet"),
        ("metadata.annotations['none']", ""),
        ("spec.nodeName", "sandbox-node"),
        ("status.podIP", "127.20.0.2"),
    ],
)
def test_fields_of_the_pod_are_read(path, value):
    container = {"env": [{"name": "X", "valueFrom": {"fieldRef": {"fieldPath": path}}}]}

    assert resolve(container, POD, OBJECTS) == {"X": value}


def one_key(field: str, **reference: object) -> Object:
    return {"env": [{"name": "X", "valueFrom": {field: reference}}]}


@pytest.mark.parametrize(("container", "words"), [
    ({"envFrom": [{"configMapRef": {"name": "gone"}}]}, 'configmap "gone" not found'),
    ({"envFrom": [{"secretRef": {"name": "gone"}}]}, 'secret "gone" not found'),
    (one_key("configMapKeyRef", name="flags", key="NONE"),
     "couldn't find key NONE in ConfigMap easymo-prod/flags"),
    (one_key("secretKeyRef", name="keys", key="NONE"),
     "couldn't find key NONE in Secret easymo-prod/keys"),
])  # fmt: skip
def test_a_missing_reference_is_refused_in_the_kubelets_words(container, words):
    with pytest.raises(ConfigError) as refused:
        resolve(container, POD, OBJECTS)

    assert str(refused.value) == words


def test_an_optional_reference_may_be_missing():
    container = {
        "envFrom": [{"configMapRef": {"name": "gone", "optional": True}}],
        **one_key("secretKeyRef", name="gone", key="X", optional=True),
    }

    assert resolve(container, POD, OBJECTS) == {}


def test_every_referenced_object_is_known_beforehand():
    container = {
        "envFrom": [{"configMapRef": {"name": "a"}}, {"secretRef": {"name": "b"}}],
        **one_key("secretKeyRef", name="c", key="X"),
    }

    assert references(container) == {("configmaps", "a"), ("secrets", "b"), ("secrets", "c")}
