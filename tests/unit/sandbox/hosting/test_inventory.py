"""What the sandbox takes from a team's inventory, and what it makes of it before the release."""

import pytest
import yaml

from sandbox.errors import SandboxError
from sandbox.hosting import objects
from sandbox.hosting.databases import TeamDatabase
from sandbox.hosting.inventory import Inventory, earlier
from tests.tables import cases

LOGIN = {"name": "books", "user": "books", "password": "secret"}
POSTGRES = {"host": "127.0.0.1", "port": 5432, "ca_cert": "/ca.crt"}


@pytest.fixture
def team(tmp_path) -> Inventory:
    written = {
        "kubernetes_namespace": "reading",
        "release_image_repository": "registry.example.com/books",
        "release_image_tag": "v2.4.0",
        "contract_health": {
            "mailer": "",
            "indexer": {"metric": {"query": "up"}},
            "web": "https://up",
        },
        "prometheus_url": "CHANGE_ME: its address",
        "redis_host": "{{ nothing_is_called_so }}",
        "release_flags": {"FEATURE_LISTS": True, "LISTS_PERCENTAGE": 5},
    }
    hosts = {
        "microservices": {
            "hosts": {"web": {}, "mailer": {}, "indexer": {"service_image": "other/i:7"}}
        },
        "databases": {"hosts": {"books_db": {}}},
    }
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars/all.yml").write_text(yaml.safe_dump(written), encoding="utf-8")
    listed = yaml.safe_dump({"all": {"children": hosts}})
    (tmp_path / "hosts.yml").write_text(listed, encoding="utf-8")
    return Inventory([tmp_path])


def test_what_is_not_filled_in_counts_as_absent(team):
    assert team.value("prometheus_url", "none") == "none"
    assert team.value("redis_host", "none") == "none"
    assert team.value("kubernetes_namespace") == "reading"


def test_an_inventory_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SandboxError, match=r"no inventory .*nowhere"):
        Inventory([tmp_path / "nowhere"])


def test_each_service_runs_its_own_image_at_the_release_before(team):
    database = TeamDatabase("books_db", LOGIN, "")
    made = objects.of_inventory(team, "reading", [database], POSTGRES)
    images = objects.images_of(made)
    assert images == {
        "registry.example.com/books/web:v2.3.0",
        "registry.example.com/books/mailer:v2.3.0",
        "other/i:6",
    }
    by_name = {(body["kind"], body["metadata"]["name"]): body for body in made}
    # Nobody asks a worker at an address, so it has no port.
    assert ("Service", "web") in by_name
    assert not {("Service", "mailer"), ("Service", "indexer")} & by_name.keys()
    assert by_name["ConfigMap", "feature-flags"]["data"] == {
        "FEATURE_LISTS": "false",
        "LISTS_PERCENTAGE": "0",
    }
    assert [*by_name["Secret", "reading-environment"]["data"]] == ["DATABASE_URL"]
    assert {body["metadata"].get("namespace", "reading") for body in made} == {"reading"}


@cases(
    ("tag", "before"),
    {
        "three-numbers": ("v1.1.0", "v1.0.0"),
        "a-patch": ("v1.2.3", "v1.2.2"),
        "a-major": ("2.0.0", "1.0.0"),
        "a-date": ("2026.11", "2026.10"),
        "a-commit": ("abcdef", "previous"),
    },
)
def test_the_release_before_is_one_less(tag, before):
    assert earlier(tag) == before


def test_of_manifests_it_says_what_it_does_not_have(tmp_path):
    file = tmp_path / "all.yaml"
    file.write_text(
        "kind: Deployment\nmetadata: {name: web}\n---\nkind: Namespace\nmetadata: {name: x}\n---\n"
        "kind: Gateway\nmetadata: {name: g}\n",
        encoding="utf-8",
    )
    known, left_out = objects.of_manifests([tmp_path], "reading")
    assert [body["kind"] for body in known] == ["Namespace", "Deployment"]
    assert known[1]["metadata"]["namespace"] == "reading"
    assert left_out == ["Gateway g"]
