from ansible_collections.easymo.deploy.plugins.module_utils._checks.rollout import (
    references_of,
)


def test_every_place_that_names_a_config_map_or_secret_is_looked_at_and_optional_ones_are_not():
    template = {
        "spec": {
            "initContainers": [{"envFrom": [{"configMapRef": {"name": "first"}}]}],
            "containers": [
                {
                    "envFrom": [
                        {"secretRef": {"name": "all"}},
                        {"configMapRef": {"name": "gone", "optional": True}},
                    ],
                    "env": [
                        {"name": "PLAIN", "value": "1"},
                        {"valueFrom": {"secretKeyRef": {"name": "all", "key": "a"}}},
                        {"valueFrom": {"configMapKeyRef": {"name": "some", "key": "b"}}},
                        {"valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                    ],
                }
            ],
            "volumes": [
                {"emptyDir": {}},
                {"configMap": {"name": "files", "items": [{"key": "c", "path": "c"}]}},
                {"secret": {"secretName": "mounted"}},
                {"secret": {"secretName": "lost", "optional": True}},
                {"projected": {"sources": [{"secret": {"name": "projected"}}]}},
            ],
        }
    }
    assert references_of(template) == {
        ("ConfigMap", "files"): frozenset({"c"}),
        ("ConfigMap", "first"): frozenset(),
        ("ConfigMap", "some"): frozenset({"b"}),
        ("Secret", "all"): frozenset({"a"}),
        ("Secret", "mounted"): frozenset(),
        ("Secret", "projected"): frozenset(),
    }
