# SPDX-License-Identifier: GPL-3.0-or-later
"""The supabase component: its process, and the previous release's functions deployed into it."""

from __future__ import annotations

import typing as t
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

from sandbox.application import checkout
from sandbox.component import Component
from sandbox.names import PREVIOUS_VERSION
from sandbox.supabase.client import ManagementClient, read_functions
from sandbox.supabase.settings import NAME, Settings, function_secrets, read_settings

if t.TYPE_CHECKING:
    from sandbox.world import Facts, World


class Supabase(Component):
    name = NAME
    program = "sandbox.supabase.server"
    needs = ("postgres",)
    ports = ("supabase-management", "supabase-gateway")
    faults: t.Mapping[str, str] = {
        "errors": "The Management API answers 500. With a function as target, that function does.",
        "rate-limited": "The Management API answers 429 (retry_after=1), or after limit=N a minute.",
        "unauthorized": "The Management API refuses every token with 401.",
        "bundle-fails": "Deploying the target function fails while it is bundled.",
        "missing-blob": "The target function is listed as ACTIVE and answers 404: it has no bundle.",
        "jwt-flipped": "The target function verifies JWTs, however it was deployed.",
        "slow": "The Management API, or the target function, answers after seconds=2.",
    }

    def prepare(self, world: World) -> None:
        settings = read_settings(world)
        settings.deno_cache.mkdir(parents=True, exist_ok=True)

    def ready(self, world: World) -> bool:
        """The gateway answers; a refusal for want of a key is an answer too."""
        url = f"{read_settings(world).gateway_url}/auth/v1/health"
        try:
            urllib.request.urlopen(url, timeout=2.0)  # noqa: S310
        except urllib.error.HTTPError as exc:
            return exc.code == 401
        return False

    def settle(self, world: World) -> None:
        """What is deployed already stays: after a restart that may be the new release."""
        client = management_client(read_settings(world))
        if client.functions():
            return
        client.set_secrets(function_secrets(world))
        with checkout(PREVIOUS_VERSION) as folder:
            sources = read_functions(folder)
        with ThreadPoolExecutor(max_workers=len(sources)) as pool:
            records = pool.map(lambda source: client.bundle(source, verify_jwt=False), sources)
        client.activate(list(records))

    def facts(self, world: World) -> Facts:
        settings = read_settings(world)
        secrets = function_secrets(world)
        return {
            "management_url": management_url(settings),
            "gateway_url": settings.gateway_url,
            "access_token": settings.access_token,
            "project_ref": settings.project_ref,
            "anon_key": settings.anon_key,
            "service_role_key": settings.service_role_key,
            "wa_verify_token": secrets["WA_VERIFY_TOKEN"],
            "wa_app_secret": secrets["WA_APP_SECRET"],
        }


def management_url(settings: Settings) -> str:
    return f"http://127.0.0.1:{settings.management_port}"


def management_client(settings: Settings) -> ManagementClient:
    return ManagementClient(management_url(settings), settings.project_ref, settings.access_token)


COMPONENT = Supabase()
