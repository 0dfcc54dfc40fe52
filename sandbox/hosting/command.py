# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m sandbox host`: safe to repeat, for what is there stays as it is; a new release has its images pushed."""

from __future__ import annotations

import contextlib
import os
import shutil
import typing as t
from pathlib import Path

from sandbox.application import git
from sandbox.errors import SandboxError
from sandbox.hosting import databases, objects, overlay
from sandbox.hosting.inventory import Inventory
from sandbox.kubernetes.service_accounts import token
from sandbox.names import DEPLOYER
from sandbox.node.registry import push
from sandbox.node.settle import Api, create, wait_available
from sandbox.services.manifests import Team, home

if t.TYPE_CHECKING:
    from sandbox.services.manifests import Manifest
    from sandbox.world import World

Say = t.Callable[[str], None]

INSTALLED = "easymo.deploy.deploy"
TOKEN_SECONDS = 30 * 86400
AUTHOR = ("-c", "user.name=The team", "-c", "user.email=team@example.com")


def host(
    world: World,
    sources: t.Sequence[Path],
    manifests: t.Sequence[Path],
    namespace: str,
    report: Say,
) -> None:
    if not sources and not manifests:
        raise SandboxError("There is nothing to host: name an inventory, or --manifests.")
    if not sources:
        _host_manifests(world, manifests, namespace or "default", report)
        return
    inventory = Inventory(sources)
    namespace = namespace or str(inventory.value("kubernetes_namespace", sources[0].name))
    _take_checkout(world, inventory, namespace)
    postgres = world.facts("postgres")
    made = [databases.prepare(world, inventory, name) for name in inventory.hosts("databases")]
    version = str(inventory.value("release_version", ""))
    rolled = objects.release_images(inventory)
    for image in rolled.values():
        push(world.facts("node")["registry_url"], image, version)
    if manifests:
        _host_manifests(world, manifests, namespace, report)
    else:
        form = "v" if version.startswith("v") else ""
        there = _deployments(world, namespace)
        wanted = objects.of_inventory(inventory, namespace, made, postgres, there)
        _create(world, namespace, wanted, form)
    os.environ["EASYMO_SANDBOX_STATE"] = str(world.directory)
    secret = token(world.secret("kubernetes-token"), namespace, DEPLOYER, TOKEN_SECONDS)
    ours = Inventory([overlay.SANDBOX])
    folder = overlay.write(world, inventory, ours, namespace, secret, made)
    with world.changing() as state:
        hosted = state["components"].setdefault("hosted", {})
        hosted[namespace] = {
            "inventory": str(folder),
            "checkout": str(inventory.value("release_checkout", "")),
        }
    named = " ".join(f"-i {os.path.relpath(source)}" for source in (*sources, folder))
    playbook = "playbooks/deploy.yml" if Path("playbooks/deploy.yml").exists() else INSTALLED
    report(
        f"{len(rolled)} services and {len(made)} databases of {namespace} are up. To deploy "
        f"{version or 'a release'}:\n  ansible-playbook {playbook} {named}"
    )


def _deployments(world: World, namespace: str) -> set[str]:
    with contextlib.closing(Api(world.facts("kubernetes"))) as api:
        _, answer = api.call(f"/apis/apps/v1/namespaces/{namespace}/deployments")
    return {body["metadata"]["name"] for body in answer.get("items", [])}


def _host_manifests(world: World, manifests: t.Sequence[Path], namespace: str, report: Say) -> None:
    wanted, left_out = objects.of_manifests(manifests, namespace)
    made = [*home(Team(namespace, namespace, ())), *wanted]
    _create(world, namespace, made, "")
    if left_out:
        report(f"Left out, for the sandbox has no such kind: {', '.join(left_out)}.")
    report(f"{len(wanted)} objects of the manifests are in the namespace {namespace}.")


def _create(world: World, namespace: str, wanted: t.Sequence[Manifest], form: str) -> None:
    registry = world.facts("node")["registry_url"]
    for image in sorted(objects.images_of([*wanted])):
        tag = image.rpartition("/")[2].partition(":")[2]
        push(registry, image, form + tag.removeprefix("v"))
    names = {body["metadata"]["name"] for body in wanted if body["kind"] == "Deployment"}
    with contextlib.closing(Api(world.facts("kubernetes"))) as api:
        for body in wanted:
            create(api, body)
        wait_available(api, namespace, names)


def _take_checkout(world: World, inventory: Inventory, namespace: str) -> None:
    """The team's repository at the release's tag: a copy of `sandbox_checkout`, else what release_checkout leads to."""
    source = inventory.path("sandbox_checkout")
    if source is None and inventory.path("release_checkout"):
        return
    target = world.folder("hosted") / f"{namespace}-checkout"
    if not target.exists():
        if source is not None:
            shutil.copytree(source, target)
        else:
            target.mkdir()
        if shutil.which("git"):
            tag = str(inventory.value("release_image_tag", "release"))
            git(target, "init", "--quiet", "--initial-branch=main")
            git(target, "add", ".")
            git(
                target, *AUTHOR, "commit", "--quiet", "--allow-empty", "--message", f"Release {tag}"
            )
            git(target, "tag", tag)
    inventory.take(release_checkout=str(target))
