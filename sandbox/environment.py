# SPDX-License-Identifier: GPL-3.0-or-later
"""`env`: settings with which kubectl, psql, aws and the like reach this sandbox, as shell exports.

PostgreSQL's passwords go by passfile; other programs know no such thing, so theirs are exported.
"""

from __future__ import annotations

import shlex
import sys
import typing as t
from pathlib import Path

from sandbox.errors import SandboxError
from sandbox.world import write_private

if t.TYPE_CHECKING:
    from sandbox.world import Facts, World


def exports(world: World) -> str:
    components: Facts = world.state().get("components", {})
    if not components:
        raise SandboxError(
            f"No sandbox is up in {world.directory}: start one with 'python -m sandbox up'."
        )
    values = {"EASYMO_SANDBOX_STATE": str(world.directory)}
    for name, settings in _SETTINGS.items():
        if name in components:
            values |= settings(components[name])
    if "postgres" in components:
        values["PGPASSFILE"] = _passfile(world, components["postgres"])
    lines = [f"export {name}={shlex.quote(value)}" for name, value in values.items()]
    # kubectl is a package of this environment.
    programs = [components["postgres"]["bin"]] if "postgres" in components else []
    programs.append(str(Path(sys.executable).parent))
    lines.append(f'export PATH={shlex.quote(":".join(programs))}:"$PATH"')
    return "\n".join(lines)


def _postgres(facts: Facts) -> dict[str, str]:
    database = facts["databases"]["supabase"]
    return {
        "PGHOST": facts["host"],
        "PGPORT": str(facts["port"]),
        "PGUSER": database["user"],
        "PGDATABASE": database["name"],
        "PGSSLMODE": "verify-full",
        "PGSSLROOTCERT": facts["ca_cert"],
    }


def _passfile(world: World, facts: Facts) -> str:
    path = world.folder("postgres") / "pgpass"
    lines = (
        f"{facts['host']}:{facts['port']}:*:{database['user']}:{database['password']}\n"
        for database in facts["databases"].values()
    )
    write_private(path, "".join(lines).encode())
    return str(path)


_SETTINGS: t.Mapping[str, t.Callable[[Facts], dict[str, str]]] = {
    "postgres": _postgres,
    "valkey": lambda facts: {
        "REDIS_HOST": facts["host"],
        "REDIS_PORT": str(facts["port"]),
        "REDISCLI_AUTH": facts["password"],
    },
    "seaweedfs": lambda facts: {
        "AWS_ENDPOINT_URL": facts["endpoint"],
        "AWS_ACCESS_KEY_ID": facts["access_key"],
        "AWS_SECRET_ACCESS_KEY": facts["secret_key"],
        "AWS_DEFAULT_REGION": facts["region"],
    },
    "kafka": lambda facts: {"KAFKA_BOOTSTRAP": facts["bootstrap"]},
    "kubernetes": lambda facts: {"KUBECONFIG": facts["kubeconfig"]},
    "supabase": lambda facts: {
        "SUPABASE_ACCESS_TOKEN": facts["access_token"],
        "SUPABASE_PROJECT_REF": facts["project_ref"],
        "SUPABASE_MANAGEMENT_URL": facts["management_url"],
        "SUPABASE_URL": facts["gateway_url"],
    },
    "gateway": lambda facts: {"EASYMO_URL": facts["url"]},
    "prometheus": lambda facts: {"PROMETHEUS_URL": facts["url"]},
    "alertmanager": lambda facts: {"ALERTMANAGER_URL": facts["url"]},
}
