"""What the tests of backups share: a database with rows that take a while, and what a witness sees in the bucket."""

import contextlib
import secrets
import typing as t
from pathlib import Path
from urllib.parse import urlsplit

from sandbox.world import World
from tests.fakes.tcp_proxy import HOST, TcpProxy
from tests.integration.running import bucket, client, query, scratch_database

# Random, so that a dump of it is about as large: 12 MB, which is two parts.
_ROWS = """
CREATE TABLE orders AS
SELECT g AS id, string_agg(md5(random()::text || n), '') AS note
  FROM generate_series(1, 6000) AS g, generate_series(1, 125) AS n GROUP BY g
"""


@contextlib.contextmanager
def database_to_back_up(world: World) -> t.Iterator[dict[str, t.Any]]:
    """The options of pg_backup for it, with a prefix of its own in the bucket."""
    with scratch_database(world) as database:
        query(database, _ROWS)
        yield {**backup_options(world, database), "compression": "none"}


def backup_options(world: World, database: dict[str, t.Any]) -> dict[str, t.Any]:
    """Of pg_backup, with a prefix of their own in the bucket."""
    programs = Path(world.facts("postgres")["bin"])
    return {
        **database,
        **bucket(world, f"test-{secrets.token_hex(4)}/"),
        "name": "orders_db",
        "release": "2.0.0",
        "pg_dump": str(programs / "pg_dump"),
        "pg_restore": str(programs / "pg_restore"),
    }


@contextlib.contextmanager
def s3_through(options: dict[str, t.Any]) -> t.Iterator[tuple[TcpProxy, dict[str, t.Any]]]:
    """A proxy before S3, and the options that lead through it."""
    endpoint = urlsplit(options["endpoint_url"])
    with TcpProxy(str(endpoint.hostname), int(endpoint.port or 0)) as proxy:
        yield proxy, {**options, "endpoint_url": f"http://{HOST}:{proxy.port}"}


def keys(options: dict[str, t.Any]) -> list[str]:
    listed = client(options).list_objects_v2(Bucket=options["bucket"], Prefix=options["prefix"])
    return [entry["Key"] for entry in listed.get("Contents", [])]


def unfinished(options: dict[str, t.Any]) -> list[str]:
    """The keys of uploads that were begun and neither completed nor aborted."""
    listed = client(options).list_multipart_uploads(
        Bucket=options["bucket"], Prefix=options["prefix"]
    )
    return [entry["Key"] for entry in listed.get("Uploads", [])]


def nothing_is_left(options: dict[str, t.Any]) -> bool:
    return keys(options) == unfinished(options) == []
