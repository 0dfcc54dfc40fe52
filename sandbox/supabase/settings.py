# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything the process is told when it starts, read once from the state folder.

Its JSON Web Tokens are as Supabase's legacy anon and service_role keys.
"""

from __future__ import annotations

import secrets
import typing as t
from dataclasses import dataclass
from pathlib import Path

import jwt

from sandbox.names import PROJECT_REF
from sandbox.postgres import database_url

if t.TYPE_CHECKING:
    from sandbox.world import World

ISSUED_AT = 1_740_000_000
EXPIRES_AT = 2_055_576_000


def mint(secret: str, *, role: str, project_ref: str) -> str:
    claims = {
        "iss": "supabase",
        "ref": project_ref,
        "role": role,
        "iat": ISSUED_AT,
        "exp": EXPIRES_AT,
    }
    return jwt.encode(claims, secret)


NAME = "supabase"


@dataclass(frozen=True)
class Settings:
    folder: Path
    deno_cache: Path
    faults_file: Path
    management_port: int
    gateway_port: int
    project_ref: str
    access_token: str
    jwt_secret: str
    anon_key: str
    service_role_key: str
    database_url: str
    agent_core_url: str

    @property
    def gateway_url(self) -> str:
        return f"http://127.0.0.1:{self.gateway_port}"

    def function_environment(self) -> dict[str, str]:
        """What every function of a Supabase project may read, beside the project's own secrets."""
        return {
            "SUPABASE_URL": self.gateway_url,
            "SUPABASE_ANON_KEY": self.anon_key,
            "SUPABASE_SERVICE_ROLE_KEY": self.service_role_key,
            "SUPABASE_DB_URL": self.database_url,
            "AGENT_CORE_URL": self.agent_core_url,
        }


def read_settings(world: World) -> Settings:
    jwt_secret, server = world.secret("supabase-jwt-secret"), world.facts("postgres")
    return Settings(
        folder=world.folder(NAME),
        deno_cache=world.cache / "deno",
        faults_file=world.faults_file,
        management_port=world.port("supabase-management"),
        gateway_port=world.port("supabase-gateway"),
        project_ref=PROJECT_REF,
        access_token=world.secret("supabase-access-token", lambda: f"sbp_{secrets.token_hex(20)}"),
        jwt_secret=jwt_secret,
        anon_key=mint(jwt_secret, role="anon", project_ref=PROJECT_REF),
        service_role_key=mint(jwt_secret, role="service_role", project_ref=PROJECT_REF),
        database_url=database_url(server, server["databases"]["supabase"]),
        agent_core_url=f"{world.url('gateway')}/internal/agent-core",
    )


def function_secrets(world: World) -> dict[str, str]:
    return {
        "WA_VERIFY_TOKEN": world.secret("wa-verify-token"),
        "WA_APP_SECRET": world.secret("wa-app-secret"),
        "ADMIN_TOKEN": world.secret("admin-token"),
    }
