"""The platform's objects: complete, consistent among themselves, and with secrets in Secrets only."""

import base64
import json
import typing as t
from urllib.parse import parse_qs, urlsplit

import pytest

from sandbox.names import WORKER
from sandbox.services import IMAGES
from sandbox.services.manifests import FLAGS_BEFORE, Manifest, manifests
from sandbox.world import World

PASSWORD = "p@ss/word"


@pytest.fixture
def world(tmp_path) -> World:
    world = World(tmp_path)
    login = {"user": "postgres", "password": PASSWORD}
    databases = {
        "supabase": {**login, "name": "postgres"},
        "agent_core": {**login, "name": "agent_core_prod"},
    }
    postgres = {"host": "127.0.0.1", "port": 5432, "ca_cert": "/a b/ca.crt", "databases": databases}
    world.publish("postgres", postgres)
    world.publish("valkey", {"host": "127.0.0.1", "port": 6379, "password": PASSWORD})
    world.publish("kafka", {"bootstrap": "127.0.0.1:9092", "topics": [], "group": WORKER})
    sinks = {"openai_url": "http://127.0.0.1:1/openai", "openai_api_key": "sk-1"}
    world.publish("sinks", sinks)
    return world


def of_kind(objects: t.Iterable[Manifest], kind: str) -> dict[str, Manifest]:
    return {one["metadata"]["name"]: one for one in objects if one["kind"] == kind}


def test_deployments_run_images_that_exist_and_select_their_own_pods(world):
    for name, one in of_kind(manifests(world), "Deployment").items():
        spec = one["spec"]
        (container,) = spec["template"]["spec"]["containers"]
        assert container["name"] == name
        assert container["image"] in IMAGES
        assert (
            spec["selector"]["matchLabels"].items()
            <= spec["template"]["metadata"]["labels"].items()
        )
        assert spec["replicas"] == (2 if name == WORKER else 3)


def test_a_pod_can_always_be_evicted(world):
    objects = manifests(world)
    budgets = of_kind(objects, "PodDisruptionBudget")
    for name, one in of_kind(objects, "Deployment").items():
        assert budgets[name]["spec"]["minAvailable"] < one["spec"]["replicas"]


def test_passwords_are_in_secrets_only_and_survive_quoting(world):
    objects = manifests(world)
    secrets = of_kind(objects, "Secret")["platform-secrets"]["data"]
    url = urlsplit(base64.b64decode(secrets["DATABASE_URL"]).decode())
    assert url.password == "p%40ss%2Fword"
    assert parse_qs(url.query) == {"sslmode": ["verify-full"], "sslrootcert": ["/a b/ca.crt"]}
    others = [one for one in objects if one["kind"] != "Secret"]
    assert PASSWORD not in json.dumps(others)
    assert world.secret("admin-token") not in json.dumps(others)


def test_every_flag_is_off_before_the_release(world):
    assert of_kind(manifests(world), "ConfigMap")["feature-flags"]["data"] == FLAGS_BEFORE
    assert set(FLAGS_BEFORE.values()) == {"false", "0"}
