"""A database of a test's own with a backup of it, and psql's view of what became of both."""

import secrets
import subprocess
import typing as t
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.easymo.deploy.plugins.modules import pg_backup, pg_restore
from sandbox.world import World
from tests.integration.running import bucket, client, connection, query
from tests.module_runner import Result, run_module
from tests.waiting import until

SCHEMA = """
CREATE TABLE orders (id int PRIMARY KEY, note text, total numeric);
INSERT INTO orders SELECT g, md5(g::text), g FROM generate_series(1, 2000) g;
CREATE SCHEMA shop;
CREATE TABLE shop.items (id int GENERATED ALWAYS AS IDENTITY, order_id int REFERENCES orders);
INSERT INTO shop.items (order_id) SELECT g FROM generate_series(1, 500) g;
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql AS 'SELECT 2 * n';
CREATE VIEW big AS SELECT id FROM orders WHERE total > 1000;
"""
WHOLE, SPOILT = "2000|2001000", "12|78"
"""What `Restorable.orders` says of the backup, and after SPOIL."""
SPOIL = "TRUNCATE shop.items; DELETE FROM orders WHERE id > 12"
APPROVAL = {"approved_by": "Jane Doe", "reason": "The orders are gone"}


@dataclass(frozen=True)
class Restorable:
    """One database; whoever gives `options` something else is refused by the module, not by us."""

    world: World
    database: str
    options: dict[str, t.Any]

    def backup(self, **more: t.Any) -> Result:
        """One of the database as it is now."""
        result = self.try_backup(**more)
        assert "backup" in result, result
        backup: Result = result["backup"]
        return backup

    def try_backup(self, **more: t.Any) -> Result:
        names = pg_backup.module_spec()["argument_spec"]
        given = {"pg_dump": self.program("pg_dump"), **self.options, **more}
        return run_module(pg_backup, **{n: value for n, value in given.items() if n in names})

    def restore(self, *, check: bool = False, diff: bool = True, **more: t.Any) -> Result:
        return run_module(pg_restore, check=check, diff=diff, **{**self.options, **more})

    def psql(self, sql: str, database: str | None = None) -> list[str]:
        """Rows as the server's own client prints them, columns joined by |."""
        done = self.start_psql(sql, database)
        output, errors = done.communicate(timeout=60)
        assert done.returncode == 0, errors
        return output.splitlines()

    def start_psql(self, sql: str, database: str | None = None, **login: str) -> t.Any:
        return subprocess.Popen(
            [self.program("psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", sql],
            env={**self.environment(**login), "PGDATABASE": database or self.database},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def environment(self, **login: str) -> dict[str, str]:
        """For a client of PostgreSQL that connects to this database."""
        server = connection(self.world, "postgres")
        return {
            "PGHOST": server["login_host"],
            "PGPORT": str(server["login_port"]),
            "PGUSER": login.get("user", server["login_user"]),
            "PGPASSWORD": login.get("password", server["login_password"]),
            "PGSSLMODE": "verify-full",
            "PGSSLROOTCERT": server["ca_cert"],
            "PGDATABASE": self.database,
            "HOME": "/",
        }

    def wait_for_client(self, query: str) -> None:
        seen = f"SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%{query}%'"
        until(lambda: self.psql(seen, "template1") != ["1"])  # it sees itself

    def program(self, name: str) -> str:
        return str(Path(self.world.facts("postgres")["bin"]) / name)

    def databases(self) -> dict[str, str]:
        """Those of this test, with their comments."""
        rows = self.psql(
            "SELECT datname || chr(1) || COALESCE(replace(shobj_description(oid, 'pg_database'), chr(10), ' '), '')"
            f" FROM pg_database WHERE datname LIKE '{self.database}%' ORDER BY 1",
            "template1",
        )
        return dict(row.split("\x01", 1) for row in rows)

    def orders(self, database: str | None = None) -> str:
        (found,) = self.psql("SELECT count(*), COALESCE(sum(total), 0) FROM orders", database)
        return found

    def s3(self) -> t.Any:
        return client(self.options)


@contextmanager
def restorable(world: World, **more: t.Any) -> t.Iterator[Restorable]:
    """With a backup of 2,000 orders taken; every database of its name is dropped at the end."""
    database = f"test_{secrets.token_hex(5)}"
    programs = Path(world.facts("postgres")["bin"])
    options = {
        **connection(world, database),
        **bucket(world, f"test-{secrets.token_hex(4)}/"),
        "name": "orders_db",
        "release": "2.0.0",
        "method": "swap",
        **{name: str(programs / name) for name in ("pg_restore", "psql")},
        **APPROVAL,
        **more,
    }
    made = Restorable(world, database, options)
    server, own = connection(world, "template1"), connection(world, database)
    query(server, f"CREATE DATABASE {database} TEMPLATE template0 STRATEGY file_copy")
    try:
        query(own, SCHEMA)
        _put_backup(made)
        yield made
    finally:
        for name in made.databases():
            query(server, f'DROP DATABASE "{name}" WITH (FORCE)')


_backups: dict[World, tuple[Restorable, dict[str, bytes]]] = {}


def _put_backup(made: Restorable) -> None:
    """The first of a server serves every other database, for SCHEMA makes the same rows each time."""
    if made.world not in _backups:
        made.backup()
        _backups[made.world] = made, _objects(made)
        return
    first, objects = _backups[made.world]

    def renamed(text: str) -> str:
        ours = text.replace(first.options["prefix"], made.options["prefix"])
        return ours.replace(first.database, made.database)

    for key, content in objects.items():
        body = content if key.endswith(".dump") else renamed(content.decode()).encode()
        made.s3().put_object(Bucket=made.options["bucket"], Key=renamed(key), Body=body)


def _objects(made: Restorable) -> dict[str, bytes]:
    """The dump and its manifest, by their keys."""
    where = {"Bucket": made.options["bucket"]}
    listed = made.s3().list_objects_v2(**where, Prefix=made.options["prefix"])["Contents"]
    keys = [one["Key"] for one in listed]
    return {key: made.s3().get_object(**where, Key=key)["Body"].read() for key in keys}
