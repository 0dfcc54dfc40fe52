"""What an inventory says of a namespace that runs: only what was read, and CHANGE_ME where a person decides."""

import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.easymo.deploy.plugins.module_utils._errors import (
    DeployError,
    InputError,
    RefusedError,
)
from ansible_collections.easymo.deploy.plugins.module_utils._inventory_draft import apply
from ansible_collections.easymo.deploy.plugins.module_utils._inventory_draft.plan import (
    Namespace,
    draft,
    host_of,
    quoted,
)
from tests.tables import cases

STACKS = Path(__file__).parents[4] / "stacks"
CONTEXT = {"context": "prod"}


def manifests(name: str) -> dict[str, list[dict[str, t.Any]]]:
    """By kind, as the cluster has them."""
    by_kind: dict[str, list[dict[str, t.Any]]] = {}
    for body in yaml.safe_load_all(next((STACKS / name).glob("*.txt")).read_text("utf-8")):
        if body:
            by_kind.setdefault(body["kind"], []).append(body)
    return by_kind


def drafted(name: str) -> tuple[dict[str, t.Any], dict[str, t.Any], str]:
    """Hosts, variables, and all of the text."""
    kinds = manifests(name)
    seen = Namespace(
        name,
        deployments=kinds["Deployment"],
        others=kinds.get("StatefulSet", []),
        autoscalers=kinds.get("HorizontalPodAutoscaler", []),
        budgets=kinds.get("PodDisruptionBudget", []),
        flags={body["metadata"]["name"]: [*body["data"]] for body in kinds.get("ConfigMap", [])},
    )
    files = draft(seen, CONTEXT).files
    hosts, variables = (yaml.safe_load(text) for text in files.values())
    return hosts["all"]["children"], variables, "".join(files.values())


def test_of_eleven_services_each_is_one_but_those_that_nothing_can_roll():
    hosts, variables, text = drafted("boutique")
    assert len(hosts["microservices"]["hosts"]) == 10
    assert hosts["databases"] is None
    assert "loadgenerator: it has no readinessProbe" in text
    assert "redis-cart: its image redis:alpine is not in" in text
    # What only the kubelet can ask, by gRPC, is asked by nobody else.
    health = variables["contract_health"]
    assert health["cartservice"] == ""
    assert "frontend" not in health
    assert variables["release_version"] == "0.10.2"
    assert variables["release_image_tag"] == "v{{ release_version }}"
    assert variables["kubernetes_access"] == CONTEXT
    assert [phase["name"] for phase in variables["release_plan"]] == [
        "preflight", "microservices", "smoke_tests", "sign_off",
    ]  # fmt: skip


def test_workers_are_asked_by_the_program_of_their_probe_and_a_database_is_named_by_its_secret():
    hosts, variables, text = drafted("books")
    assert variables["contract_health"] == {
        "mailer": {"exec": {"command": ["python", "-m", "mailer.health"]}},
        "indexer": {"exec": {"command": ["cat", "/tmp/ready"]}},
    }
    # The image is not called as the service.
    image = "{{ release_image_repository }}/books-api:{{ release_image_tag }}"
    assert hosts["microservices"]["hosts"]["api"] == {"service_image": image}
    (database,) = hosts["databases"]["hosts"].items()
    assert database[0] == "books_db"
    assert database[1]["database_host"].startswith("CHANGE_ME: ")
    assert "DATABASE_URL of api, DATABASE_URL of mailer" in text
    assert "s3cret" not in text
    assert "StatefulSet search (opensearchproject/opensearch:2.17.1)" in text
    assert "by its autoscaler 3 to 10; PodDisruptionBudget web (minAvailable 2)" in text
    assert "NEW_SEARCH, NEW_SEARCH_PERCENT" in text


@cases(
    ("name", "host"),
    {
        "a-dash": ("books-db", "books_db"),
        "capitals-and-dots": ("Books.Postgres", "books_postgres"),
        "none-of-the-words": ("leih-service", "leih_service_db"),
        "cyrillic": ("книги-db", "книги_db"),
    },
)
def test_a_database_is_called_as_its_secret(name, host):
    assert host_of(name) == host


@cases(
    ("value", "written"),
    {
        "a-word": ("web", "web"),
        "a-number": ("2048", '"2048"'),
        "a-switch": ("on", '"on"'),
        "nothing": ("", '""'),
        "cyrillic": ("магазин", '"магазин"'),
    },
)
def test_what_yaml_would_read_as_something_else_is_quoted(value, written):
    assert quoted(value) == written
    assert yaml.safe_load(f"key: {quoted(value)}") == {"key": value}


def test_a_file_that_is_there_is_left_alone(tmp_path):
    made = draft(Namespace("shop", manifests("books")["Deployment"]), CONTEXT)
    (tmp_path / "hosts.yml").write_text("mine\n", encoding="utf-8")
    new, kept = apply.compare(made, tmp_path)
    assert ([*new], kept) == (["group_vars/all.yml"], ["hosts.yml"])
    apply.write(new, tmp_path)
    assert apply.compare(made, tmp_path) == ({}, ["hosts.yml"])
    assert (tmp_path / "hosts.yml").read_text(encoding="utf-8") == "mine\n"
    with pytest.raises(DeployError, match=r"hosts\.yml was not written"):
        apply.write(made.files, tmp_path)


def test_a_namespace_without_a_deployment_is_refused():
    class Empty:
        def list_objects(self, _kind: str) -> list[t.Any]:
            return []

    with pytest.raises(InputError, match="has no Deployment"):
        apply.read_namespace(Empty(), "nowhere")  # type: ignore[arg-type]


class Cluster:
    """Lists these kinds, and refuses all others."""

    def __init__(self, **kinds: list[dict[str, t.Any]]) -> None:
        self._kinds = kinds

    def list_objects(self, kind: str) -> list[dict[str, t.Any]]:
        if kind not in self._kinds:
            raise RefusedError(f"Could not list {kind} objects.")
        return self._kinds[kind]


def test_what_may_not_be_read_is_told_in_the_file_and_only_deployments_are_needed():
    deployments = manifests("books")["Deployment"]
    seen = apply.read_namespace(Cluster(Deployment=deployments), "shop")  # type: ignore[arg-type]
    assert len(seen.unseen) == 5
    hosts = draft(seen, CONTEXT).files["hosts.yml"]
    assert "#   Could not list HorizontalPodAutoscaler objects." in hosts
    with pytest.raises(RefusedError, match="Give this account the right to list them"):
        apply.read_namespace(Cluster(), "shop")  # type: ignore[arg-type]
