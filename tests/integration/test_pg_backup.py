# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import secrets
import stat
import subprocess
import typing as t
from pathlib import Path

import pytest

from ansible_collections.easymo.deploy.plugins.modules import pg_backup, pg_backup_info
from sandbox.world import World
from tests.integration.running import bucket, client, connection, query, scratch_database
from tests.module_runner import run_module


@pytest.fixture
def options(world: World) -> t.Iterator[dict[str, t.Any]]:
    """A database with a table of 5,000 rows, and a prefix of its own in the bucket."""
    programs = Path(world.facts("postgres")["bin"])
    with scratch_database(world) as database:
        query(
            database,
            "CREATE TABLE orders AS SELECT g AS id, md5(g::text) AS note FROM generate_series(1, 5000) g",
        )
        yield {
            **database,
            **bucket(world, f"test-{secrets.token_hex(4)}/"),
            "name": "orders_db",
            "release": "2.0.0",
            "pg_dump": str(programs / "pg_dump"),
            "pg_restore": str(programs / "pg_restore"),
        }


def keys(options: dict[str, t.Any]) -> list[str]:
    listed = client(options).list_objects_v2(Bucket=options["bucket"], Prefix=options["prefix"])
    return [entry["Key"] for entry in listed.get("Contents", [])]


def test_check_mode_predicts_and_writes_nothing(options):
    result = run_module(pg_backup, check=True, diff=True, **options)
    assert (result["changed"], result["backup"], keys(options)) == (True, {}, [])
    assert result["diff"]["before"] == {}


def test_a_backup_is_taken_once_and_restores_to_the_same_rows(world, options, tmp_path):
    backup = run_module(pg_backup, **options)["backup"]
    assert keys(options) == [backup["key"], backup["key"] + ".manifest.json"]
    assert backup["rows"] == {"public.orders": 5000}

    content = client(options).get_object(Bucket=options["bucket"], Key=backup["key"])["Body"].read()
    assert (len(content), hashlib.sha256(content).hexdigest()) == (backup["size"], backup["sha256"])

    dump = tmp_path / "dump"
    dump.write_bytes(content)
    with scratch_database(world) as restored:
        uri = (
            f"host={restored['login_host']} port={restored['login_port']} user={restored['login_user']} "
            f"dbname={restored['login_db']} sslmode=verify-full sslrootcert={restored['ca_cert']}"
        )
        environment = {"PGPASSWORD": restored["login_password"], "HOME": str(tmp_path)}
        subprocess.run(
            [options["pg_restore"], "--dbname", uri, str(dump)], env=environment, check=True
        )
        rows = "SELECT count(*), md5(string_agg(note, '' ORDER BY id)) FROM orders"
        assert query(restored, rows) == query(options, rows)

    again = run_module(pg_backup, **options)
    assert (again["changed"], again["backup"]) == (False, backup)
    assert len(keys(options)) == 2


def test_another_release_gets_a_backup_of_its_own(options):
    run_module(pg_backup, **options)
    assert run_module(pg_backup, **{**options, "release": "2.0.1"})["changed"]
    store = {name: options[name] for name in bucket_options()}
    listed = run_module(pg_backup_info, **store)["backups"]
    assert [found["release"] for found in listed] == ["2.0.1", "2.0.0"]
    assert all(found["age"] < 600 for found in listed)


def test_a_dump_without_its_manifest_is_no_backup(options):
    backup = run_module(pg_backup, **options)["backup"]
    client(options).delete_object(Bucket=options["bucket"], Key=backup["key"] + ".manifest.json")
    store = {name: options[name] for name in bucket_options()}
    assert run_module(pg_backup_info, **store)["backups"] == []
    assert run_module(pg_backup, **options)["changed"]


@pytest.mark.parametrize(
    ("changed", "reason", "words"),
    [
        ({"login_password": "wrong-one"}, "Refused", "password authentication failed"),
        ({"login_db": "nowhere"}, "Refused", "does not exist"),
        ({"login_port": 1}, "Unreachable", "Connection refused"),
        ({"secret_key": "wrong-one"}, "Refused", "refused access"),
        ({"bucket": "nowhere"}, "InvalidInput", "no bucket"),
        ({"endpoint_url": "http://127.0.0.1:1"}, "Unreachable", "cannot be reached"),
        ({"name": "../x"}, "InvalidInput", "'name'"),
        ({"release": " "}, "InvalidInput", "'release'"),
        ({"pg_dump": "/nonexistent"}, "InvalidInput", "'pg_dump'"),
    ],
)
def test_what_cannot_work_is_refused_with_a_reason_and_leaves_nothing(
    options, changed, reason, words
):
    result = run_module(pg_backup, **{**options, **changed})
    assert (result["failed"], result["reason"]) == (True, reason)
    assert words in result["msg"]
    assert "wrong-one" not in str(result)
    assert keys(options) == []


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        pytest.param(
            "head -c 1000 /dev/zero; echo 'pg_dump: error: it broke' >&2; exit 1",
            "Refused",
            id="fails",
        ),
        pytest.param("head -c 1000 /dev/zero; kill -9 $$", "Refused", id="is-killed"),
        pytest.param("head -c 1000 /dev/zero; exec sleep 60", "NotReady", id="hangs"),
        pytest.param("echo hello", "VerificationFailed", id="writes-no-dump"),
    ],
)
def test_a_dump_that_fails_is_never_taken_for_a_backup(options, tmp_path, script, reason):
    fake = tmp_path / "pg_dump"
    fake.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] && echo "pg_dump (PostgreSQL) 18.6" && exit\n{script}\n'
    )
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    result = run_module(
        pg_backup, **{**options, "pg_dump": str(fake), "compression": "none", "timeout": 2}
    )
    assert (result["failed"], result["reason"]) == (True, reason)
    assert not any(key.endswith(".manifest.json") for key in keys(options))
    uploads = client(options).list_multipart_uploads(
        Bucket=options["bucket"], Prefix=options["prefix"]
    )
    assert not uploads.get("Uploads")


def test_an_old_pg_dump_is_refused_with_both_versions(options, tmp_path):
    fake = tmp_path / "pg_dump"
    fake.write_text('#!/bin/sh\necho "pg_dump (PostgreSQL) 15.20"\n')
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    result = run_module(pg_backup, **{**options, "pg_dump": str(fake)})
    assert "15.20" in result["msg"]
    assert "18." in result["msg"]


def bucket_options() -> tuple[str, ...]:
    return ("bucket", "prefix", "endpoint_url", "region", "access_key", "secret_key", "path_style")


def test_the_password_is_in_no_ones_arguments(world, options, tmp_path):
    """The real pg_dump, behind a script that writes down how it was called."""
    spy = tmp_path / "pg_dump"
    log = tmp_path / "log"
    spy.write_text(f'#!/bin/sh\necho "$@" >> {log}\nexec {options["pg_dump"]} "$@"\n')
    spy.chmod(spy.stat().st_mode | stat.S_IXUSR)
    assert run_module(pg_backup, **{**options, "pg_dump": str(spy)})["changed"]
    assert connection(world)["login_password"] not in log.read_text()
