"""pg_backup beside what people do by hand, `pg_dump -Fc` into a file and an upload of that, and the memory it takes."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

from sandbox.world import World
from tests.benchmarks.measurement import BenchmarkError, Measurement, Size
from tests.benchmarks.stage import REPOSITORY, RUN_WITHIN, SEED_MB, stage
from tests.integration.running import bucket, client, connection, query

NAME = "bench_backup"

# Words of customers, identifiers, times and documents: they compress to a third, as such rows do.
_TABLES = """
CREATE TABLE messages (id bigint, conversation uuid, sender text, body text, meta jsonb, sent_at timestamptz);
CREATE TABLE orders (id uuid, buyer text, status text, total numeric(12,2), items jsonb, created_at timestamptz);
"""
_WORDS = (
    "I need vegetables from the market in Kimironko please send two kilos of tomatoes onions and carrots today "
    "before noon my house is near the school thank you how much is the delivery can you find a moto to "
    "Nyamirambo at five we are three people the payment did not go through again order number is what time"
)
_ROWS = """
INSERT INTO messages
SELECT g, gen_random_uuid(), '+2507' || lpad((random() * 99999999)::int::text, 8, '0'),
       array_to_string(ARRAY(SELECT w[1 + floor(random() * cardinality(w))::int]
                               FROM generate_series(1, 12 + g %% 30) AS n WHERE n + g > 0), ' '),
       jsonb_build_object('route', (ARRAY['agent', 'menu', 'fallback'])[1 + g %% 3], 'ok', random() < 0.97,
                          'wa_id', md5(random()::text), 'latency_ms', floor(random() * 2000)),
       timestamptz '2025-01-01' + random() * interval '300 days'
  FROM generate_series(%(first)s, %(last)s) AS g, string_to_array(%(words)s, ' ') AS w;
INSERT INTO orders
SELECT gen_random_uuid(), '+2507' || lpad((random() * 99999999)::int::text, 8, '0'),
       (ARRAY['paid', 'delivered', 'cancelled'])[1 + floor(random() * 3)::int], random() * 90000,
       jsonb_build_array(jsonb_build_object('sku', 'veg-' || g %% 400, 'quantity', 1 + g %% 7)),
       timestamptz '2025-01-01' + random() * interval '300 days'
  FROM generate_series(%(first)s, %(last)s, 5) AS g;
"""
_SIZE = "SELECT (pg_table_size('messages') + pg_table_size('orders')) / 1000000"

_MODULE = """
import json, sys
from ansible.module_utils.testing import patch_module_args
from ansible_collections.easymo.deploy.plugins.modules import pg_backup
with patch_module_args(json.load(sys.stdin)):
    pg_backup.main()
"""
_BY_HAND = """
import json, subprocess, sys
import boto3
order = json.load(sys.stdin)
with open(order["file"], "wb") as file:
    subprocess.run([order["pg_dump"], "-Fc"], env=order["env"], stdout=file, check=True)
boto3.client("s3", **order["client"]).upload_file(order["file"], order["bucket"], order["key"])
"""

Options = dict[str, t.Any]


@dataclass(frozen=True)
class Taken:
    seconds: float
    peak_mb: float


def backup(size: Size = Size.FULL) -> t.Iterator[Measurement]:
    """Takes backups of three sizes, and compares at the middle one."""
    sizes = size.of(small=(1, 2, 3), full=(100, 400, 1000))
    step = size.of(small=500, full=50_000)
    repeats = size.of(small=1, full=3)
    with stage() as place:
        place.sandbox("up", "--only", "postgres,seaweedfs", "--seed-mb", SEED_MB)
        world = World(place.state)
        query(connection(world), f"CREATE DATABASE {NAME} TEMPLATE template0")
        options = _options(world)
        query(options, _TABLES)
        rows, peaks = 0, {}
        for megabytes in sizes:
            rows = _grow(options, rows, megabytes, step)
            peaks[megabytes] = _by_us(options).peak_mb
            if megabytes == sizes[1]:
                rounds = [(_by_us(options), _by_hand(options)) for _ in range(repeats)]
    ours = sorted(mine.seconds for mine, _hand in rounds)[repeats // 2]
    hand = sorted(hand.seconds for _mine, hand in rounds)[repeats // 2]
    note = f"medians of {repeats}: {ours:.1f} s and {hand:.1f} s, {sizes[1]} MB of rows"
    yield Measurement("pg_backup / by hand", ours / hand, "ratio", target=0.33, note=note)
    for megabytes in (sizes[0], sizes[-1]):
        yield Measurement(f"peak memory, {megabytes} MB", peaks[megabytes], "MB", target=150)


def _options(world: World) -> Options:
    programs = Path(world.facts("postgres")["bin"])
    return {
        **connection(world, NAME),
        **bucket(world, "benchmark/"),
        "name": NAME,
        "pg_dump": str(programs / "pg_dump"),
        "pg_restore": str(programs / "pg_restore"),
    }


def _grow(options: Options, rows: int, megabytes: int, step: int) -> int:
    """How many rows there are now."""
    while int(query(options, _SIZE)[0][0]) < megabytes:
        values = {"first": rows + 1, "last": rows + step, "words": _WORDS}
        query(options, _ROWS, values)
        rows += step
    query(options, "VACUUM ANALYZE")
    return rows


def _by_us(options: Options) -> Taken:
    given = {**options, "release": str(time.monotonic_ns())}
    path = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "playbooks" / "collections")])
    with _emptied(options):
        return _timed(_MODULE, given, {**os.environ, "PYTHONPATH": path})


def _by_hand(options: Options) -> Taken:
    with tempfile.TemporaryDirectory(prefix="easymo-bench-") as folder, _emptied(options):
        environment = {
            "PGHOST": options["login_host"],
            "PGPORT": str(options["login_port"]),
            "PGUSER": options["login_user"],
            "PGPASSWORD": options["login_password"],
            "PGDATABASE": options["login_db"],
            "PGSSLMODE": "verify-full",
            "PGSSLROOTCERT": options["ca_cert"],
        }
        order = {
            "pg_dump": options["pg_dump"],
            "env": environment,
            "file": f"{folder}/dump",
            "client": {
                "endpoint_url": options["endpoint_url"],
                "region_name": options["region"],
                "aws_access_key_id": options["access_key"],
                "aws_secret_access_key": options["secret_key"],
            },
            "bucket": options["bucket"],
            "key": f"{options['prefix']}by-hand.dump",
        }
        return _timed(_BY_HAND, order, dict(os.environ))


def _timed(program: str, given: Options, environment: t.Mapping[str, str]) -> Taken:
    """A Python process that reads `given` from its standard input."""
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    peak = _Peak(process.pid)
    output, _nothing = process.communicate(json.dumps(given), timeout=RUN_WITHIN)
    seconds = time.monotonic() - began
    if process.returncode:
        raise BenchmarkError(f"A backup failed: {output[-700:]}")
    return Taken(seconds, peak.megabytes)


class _Peak:
    """The largest resident size the kernel has seen of a process (VmHWM), looked at until it ends."""

    def __init__(self, pid: int) -> None:
        self._path = Path(f"/proc/{pid}/status")
        self._kilobytes = 0
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    @property
    def megabytes(self) -> float:
        self._thread.join(timeout=5)
        return self._kilobytes / 1000

    def _watch(self) -> None:
        with contextlib.suppress(OSError, IndexError):
            while True:
                line = self._path.read_text().partition("VmHWM:")[2]
                self._kilobytes = max(self._kilobytes, int(line.split()[0]))
                time.sleep(0.02)


@contextlib.contextmanager
def _emptied(options: Options) -> t.Iterator[None]:
    """The sandbox's S3 has room for a few dumps only."""
    yield
    s3 = client(options)
    listed = s3.list_objects_v2(Bucket=options["bucket"], Prefix=options["prefix"])
    for entry in listed.get("Contents", ()):
        s3.delete_object(Bucket=options["bucket"], Key=entry["Key"])
