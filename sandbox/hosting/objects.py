# SPDX-License-Identifier: GPL-3.0-or-later
"""What a team has in the cluster before its release, by its manifests or else by its inventory; and its images."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping

import yaml

from sandbox.errors import SandboxError
from sandbox.hosting.inventory import earlier
from sandbox.kubernetes.resources import STORED
from sandbox.postgres import database_url
from sandbox.services.manifests import FLAGS, Manifest, Team, config_map, home, secret, workload

if t.TYPE_CHECKING:
    from pathlib import Path

    from sandbox.hosting.databases import TeamDatabase
    from sandbox.hosting.inventory import Inventory
    from sandbox.world import Facts

REPLICAS = 2
SCRAPED = "prometheus.io/scrape"
KINDS = frozenset(resource.kind for resource in STORED.values())


def release_images(inventory: Inventory) -> dict[str, str]:
    """By service, the image that the release rolls."""
    repository = inventory.value("release_image_repository", "")
    tag = inventory.value("release_image_tag", "latest")
    images = {}
    for service in inventory.hosts("microservices"):
        own = f"{repository}/{service}:{tag}".removeprefix("/")
        images[service] = str(inventory.value("service_image", own, host=service))
    return images


def before(inventory: Inventory, image: str) -> str:
    """The image of the same service as it runs before the release."""
    repository, _, tag = image.rpartition(":")
    return f"{repository}:{inventory.value('sandbox_previous_tag', earlier(tag))}"


def listens(health: object) -> bool:
    """By what contract_health says of a service, if anything: a program, a number or nothing asks no port."""
    return health is None or (isinstance(health, str) and bool(health))


def of_inventory(
    inventory: Inventory,
    namespace: str,
    databases: t.Sequence[TeamDatabase],
    postgres: Facts,
    there: t.Collection[str] = (),
) -> list[Manifest]:
    """Each service that is not there, with the databases' addresses in a Secret and the flags in their ConfigMap."""
    name = f"{namespace}-environment"
    flags = str(inventory.value("flags_config_map", FLAGS))
    sources = {"secretRef": {"name": name}}, {"configMapRef": {"name": flags, "optional": True}}
    team, health = Team(namespace, namespace, sources), inventory.entries("contract_health")
    urls = {
        re.sub(r"\W", "_", f"{database.host}_URL").upper(): database_url(postgres, database.login)
        for database in databases
    }
    if len(urls) == 1:
        urls = dict(zip(["DATABASE_URL"], urls.values(), strict=True))
    objects = [*home(team), secret(name, urls, team)]
    if values := inventory.entries("release_flags"):
        off = {key: _off(value) for key, value in values.items()}
        objects.append(config_map(flags, off, team))
    for service, image in release_images(inventory).items():
        if service in there:
            continue
        hears = listens(health.get(service))
        objects += workload(service, REPLICAS, before(inventory, image), team, listens=hears)
    return objects


def _off(value: object) -> str:
    if isinstance(value, bool):
        return "false"
    return "0" if isinstance(value, (int, float)) else ""


def of_manifests(paths: t.Sequence[Path], namespace: str) -> tuple[list[Manifest], list[str]]:
    """What manifests ask for, and what of it the sandbox does not have."""
    objects: list[Manifest] = []
    for file in (file for path in paths for file in _files(path)):
        try:
            documents = yaml.safe_load_all(file.read_text(encoding="utf-8"))
            bodies = [body for body in documents if body]
        except (OSError, ValueError, yaml.YAMLError) as exc:
            raise SandboxError(f"The manifest {file} cannot be read: {exc}") from exc
        for body in bodies:
            objects += body.get("items") or [body]
    known = [body for body in objects if body["kind"] in KINDS]
    for body in known:
        if body["kind"] not in ("Namespace", "Node"):
            body["metadata"].setdefault("namespace", namespace)
        if template := (body.get("spec") or {}).get("template"):
            # A team's own Prometheus may find its pods by other means.
            pod = template.setdefault("metadata", {})
            pod["annotations"] = {SCRAPED: "true", **(pod.get("annotations") or {})}
    # A namespace before what is in it, and what pods refer to before them.
    first = ("Namespace", "ServiceAccount", "ConfigMap", "Secret", "Service")
    known.sort(key=lambda body: first.index(body["kind"]) if body["kind"] in first else len(first))
    left_out = [
        f"{body['kind']} {body['metadata']['name']}"
        for body in objects
        if body["kind"] not in KINDS
    ]
    return known, left_out


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    return sorted(file for file in path.rglob("*") if file.suffix in (".yaml", ".yml", ".json"))


def images_of(value: object) -> set[str]:
    """Of all containers in manifests, however deep they stand."""
    if isinstance(value, Mapping):
        own = {value["image"]} if isinstance(value.get("image"), str) else set()
        return own.union(*map(images_of, value.values()))
    return set().union(*map(images_of, value)) if isinstance(value, list) else set()
