# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL as a component: TLS only, a hosted Supabase's database and a plain one, passwords of this run."""

from __future__ import annotations

import typing as t
from pathlib import Path

from sandbox.cache import cached
from sandbox.component import Component, Process
from sandbox.names import (
    AGENT_CORE_DATABASE,
    AGENT_CORE_USER,
    SUPABASE_ADMIN,
    SUPABASE_DATABASE,
    SUPABASE_USER,
)
from sandbox.postgres.binaries import choose, unpack, uuid_library
from sandbox.world import write_private

if t.TYPE_CHECKING:
    from sandbox.postgres.cluster import Cluster
    from sandbox.world import Facts, World

NAME = "postgres"


class Postgres(Component):
    name = NAME
    ports = (NAME,)

    def prepare(self, world: World) -> None:
        # Kept out of the command line, which imports this file too.
        from sandbox.postgres.cluster import build, copy, fingerprint  # noqa: PLC0415

        cluster = self._cluster(world)
        megabytes = world.option("seed_mb")
        version = cluster.programs.parent.name

        def make(folder: Path) -> None:
            build(self._cluster(world, folder), megabytes, world.port(NAME))

        name = f"postgres-{fingerprint(megabytes, version)}"
        copy(cached(world.cache, name, make), cluster)
        cluster.configure(world.port(NAME), self._tls(world, cluster), "hostssl")
        cluster.set_passwords(
            {
                user: _password(world, user)
                for user in (SUPABASE_ADMIN, SUPABASE_USER, AGENT_CORE_USER)
            }
        )

    def process(self, world: World) -> Process:
        cluster = self._cluster(world)
        libraries = uuid_library(cluster.programs, world.cache)
        found = {"LD_LIBRARY_PATH": str(libraries)} if libraries else {}
        return Process(cluster.argv(), env={"HOME": "/", **found})

    def ready(self, world: World) -> bool:
        import psycopg2  # noqa: PLC0415

        connection = psycopg2.connect(
            host="127.0.0.1",
            port=world.port(NAME),
            user=SUPABASE_USER,
            password=_password(world, SUPABASE_USER),
            dbname=SUPABASE_DATABASE,
            sslmode="verify-full",
            sslrootcert=str(world.certificate(NAME).ca),
            connect_timeout=2,
        )
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
        finally:
            connection.close()
        return True

    def facts(self, world: World) -> Facts:
        def database(name: str, user: str) -> Facts:
            return {"name": name, "user": user, "password": _password(world, user)}

        return {
            "host": "127.0.0.1",
            "port": world.port(NAME),
            "ca_cert": str(world.certificate(NAME).ca),
            "bin": str(unpack(world.cache)),
            "databases": {
                "supabase": database(SUPABASE_DATABASE, SUPABASE_USER),
                "agent_core": database(AGENT_CORE_DATABASE, AGENT_CORE_USER),
            },
            # For witnesses and for databases that tests make; no deployer of a hosted project has it.
            "administrator": {
                "user": SUPABASE_ADMIN,
                "password": _password(world, SUPABASE_ADMIN),
            },
        }

    def _cluster(self, world: World, folder: Path | None = None) -> Cluster:
        from sandbox.postgres.cluster import Cluster  # noqa: PLC0415

        programs = unpack(world.cache)
        folder = folder or world.folder(NAME)
        return Cluster(programs, choose(programs, folder), folder)

    def _tls(self, world: World, cluster: Cluster) -> dict[str, str]:
        """The server's settings for TLS; its key must be its own."""
        certificate = world.certificate(NAME)
        key = cluster.folder / "server.key"
        write_private(key, certificate.key.read_bytes())
        cluster.account.own(key)
        return {"ssl": "on", "ssl_cert_file": str(certificate.cert), "ssl_key_file": str(key)}


def _password(world: World, user: str) -> str:
    return world.secret(f"postgres-{user}")


COMPONENT = Postgres()
