"""Fetches what tests need of the registries and the machine lacks: a network that is away is told first, and once."""

import os
import sys
import typing as t

from sandbox import alertmanager, prometheus
from sandbox.errors import SandboxError
from sandbox.postgres import component
from sandbox.world import CACHE_VARIABLE, World
from tests.caches import ROOT, SANDBOX_CACHE
from tests.fakes.browser import browser
from tests.integration.pgbouncer import program as pgbouncer
from tests.interop.toolchain import InstallError, install

NPM = ("axe", "prisma", "supabase")


def _chromium() -> None:
    if browser() is None:
        raise SandboxError("there is none on PATH, and Debian's package cannot be fetched")


def main() -> int:
    os.environ[CACHE_VARIABLE] = str(SANDBOX_CACHE)
    world = World(ROOT / ".sandbox")
    tools: dict[str, t.Callable[[], object]] = {
        "Prometheus": lambda: prometheus.program(world),
        "promtool": lambda: prometheus.promtool(SANDBOX_CACHE),
        "Alertmanager": lambda: alertmanager.program(world),
        "PostgreSQL": lambda: component.unpack(SANDBOX_CACHE),
        "PgBouncer": pgbouncer,
        "Chromium": _chromium,
        **{name: lambda name=name: install(name) for name in NPM},
    }
    missing = []
    for name, fetch in tools.items():
        try:
            fetch()
        except (SandboxError, InstallError, OSError) as exc:
            missing.append(f"{name}: {str(exc).splitlines()[0][:300]}")
    if missing:
        print(*missing, sep="\n")
        print(f"{len(missing)} of {len(tools)} tools cannot be had: is the network there?")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
