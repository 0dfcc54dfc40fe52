# SPDX-License-Identifier: GPL-3.0-or-later
"""A second inventory, to be named after the team's own: each address and secret of the team's is one of the sandbox's.

What a team does not name it does not get, so a part that it leaves out stays out.
"""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

from sandbox.errors import SandboxError
from sandbox.world import write_private

if t.TYPE_CHECKING:
    from sandbox.hosting.databases import TeamDatabase
    from sandbox.hosting.inventory import Inventory
    from sandbox.world import World

SANDBOX = Path(__file__).parents[1] / "project/inventory"
SYSTEMS = (
    "alertmanager", "backup", "github", "kafka", "pagerduty", "redis", "slack", "smtp", "statuspage", "supabase",
)  # fmt: skip
"""The first words of variables with the connections that a team may have."""
OWN = ("backup_prefix", "backup_profile")
"""What stays the team's of them."""


def write(
    world: World,
    inventory: Inventory,
    sandbox: Inventory,
    namespace: str,
    token: str,
    databases: t.Sequence[TeamDatabase],
) -> Path:
    """The folder of the inventory. `token`: of the account that deploys."""
    folder = world.folder("hosted") / namespace
    kubernetes, postgres = world.facts("kubernetes"), world.facts("postgres")
    health = f"{world.facts('gateway')['url']}/health/{namespace}"
    contract = inventory.entries("contract_health")
    variables: dict[str, t.Any] = {
        "environment_name": "sandbox",
        "report_directory": f"{world.directory}/{namespace}/{{{{ release_version }}}}",
        "kubernetes_namespace": namespace,
        "kubernetes_access": {
            "host": kubernetes["server"],
            "api_key": "{{ secret_kubernetes_token }}",
            "ca_cert": kubernetes["ca_cert"],
        },
        "registry_url": world.facts("node")["registry_url"],
        "contract_health_url": f"{health}/{{service}}",
        "contract_health": {
            service: f"{health}/{service}" if isinstance(how, str) and how else how
            for service, how in contract.items()
        },
        "prometheus_url": world.facts("prometheus")["url"],
        **{name: f"{postgres['bin']}/{name}" for name in ("pg_dump", "pg_restore", "psql")},
        # A rehearsal may begin at any time, watches for seconds, and asks nobody.
        "release_launch_window": {"timezone": "UTC"},
        "release_watch_duration": 10,
        "release_watch_interval": 2,
        "release_smoke_people": False,
        # Where a team has one database, it may describe it for all hosts.
        **(databases[0].variables(postgres) if databases else {}),
        **_connections(inventory, sandbox),
        **_secrets(world, inventory),
        "secret_kubernetes_token": token,
    }
    if checkout := inventory.value("release_checkout"):
        variables["release_checkout"] = str(checkout)
    if signed := inventory.value("release_sign_offs", []):
        by = {"by": "Rehearser of the sandbox", "note": "a rehearsal, nothing was looked at"}
        variables["release_sign_offs_given"] = {entry["name"]: by for entry in signed}
    _write(folder / "hosts.yml", {"all": {"hosts": {database.host: {} for database in databases}}})
    _write(folder / "group_vars/all.yml", variables)
    for database in databases:
        _write(folder / f"host_vars/{database.host}.yml", database.variables(postgres))
    return folder


def _connections(inventory: Inventory, sandbox: Inventory) -> dict[str, t.Any]:
    """Of each system that the team names, all that the sandbox's own inventory says of it."""
    named = {_system(name) for name in inventory.names() if inventory.value(name)} & {*SYSTEMS}
    return {
        name: sandbox.value(name, None if name.endswith("_cert") else "")
        for name in sorted(sandbox.names())
        if _system(name) in named and name not in OWN
    }


def _system(name: str) -> str:
    return name.removeprefix("secret_").partition("_")[0]


def _secrets(world: World, inventory: Inventory) -> dict[str, str]:
    """Those of systems that the sandbox has not. Nobody asks for them here."""
    listed = {secret["name"] for secret in inventory.value("release_secrets", [])}
    unknown = {
        name
        for name in listed | {name for name in inventory.names() if name.startswith("secret_")}
        if _system(name) not in SYSTEMS
    }
    return {name: world.secret(f"hosted-{name}") for name in sorted(unknown)}


def _write(path: Path, content: t.Mapping[str, t.Any]) -> None:
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    try:
        write_private(path, json.dumps(content, indent=1, default=str).encode())
    except ValueError as exc:
        raise SandboxError(f"The inventory has a value that is no JSON ({exc}).") from exc
