"""Create and change, each predicted, done, and then seen as done twice; what it is worth, and what cannot work.

A backup is never removed.
"""

import hashlib
import subprocess
import sys
import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.modules import pg_backup
from tests.integration.backups import keys, unfinished
from tests.integration.plays import run_plays
from tests.integration.running import client, query, scratch_database, stand_in
from tests.module_runner import run_module
from tests.tables import cases
from tests.unit.test_docs import ROOT, plays_of
from tests.waiting import until

CONNECTIONS = pg_backup.module_spec()["argument_spec"].keys() - {"name", "release"}


def four_runs(options: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    """In check mode, for real, in check mode, for real."""
    before = keys(options)
    predicted = run_module(pg_backup, check=True, diff=True, **options)
    assert keys(options) == before, "check mode wrote something"
    done = run_module(pg_backup, diff=True, **options)
    after = keys(options)
    assert set(before) < set(after)
    later = [run_module(pg_backup, check=check, diff=True, **options) for check in (True, False)]
    assert keys(options) == after, "a further run wrote something"
    assert unfinished(options) == []
    return [predicted, done, *later]


def test_create_a_backup(options):
    predicted, done, checked, again = four_runs(options)
    assert [run["changed"] for run in (predicted, done, checked, again)] == [
        True,
        True,
        False,
        False,
    ]
    assert (predicted["backup"], predicted["diff"]["before"]) == ({}, {})
    named = {"name": "orders_db", "release": "2.0.0"}
    assert predicted["diff"]["after"] == named
    assert done["diff"] == {"before": {}, "after": done["backup"]}
    for run in (checked, again):
        assert run["backup"] == done["backup"]
        assert run["diff"] == {"before": done["backup"], "after": done["backup"]}


def test_the_role_s_example_backs_up_a_database_without_any_cluster(options, tmp_path):
    (play,) = plays_of(ROOT / "roles/db_backup")
    programs = {name: options.pop(name) for name in ("pg_dump", "pg_restore")}
    for group in play["module_defaults"].values():
        group.update({name: value for name, value in options.items() if name in CONNECTIONS})
    play["vars"] = programs
    play["vars"]["ansible_python_interpreter"] = sys.executable
    done = run_plays(tmp_path, play, KUBECONFIG="/nonexistent")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [key for key in keys(options) if "shop_prod" in key]


@cases(
    "change", {"another-release": {"release": "2.0.1"}, "another-name": {"name": "orders_db_copy"}}
)
def test_change_what_is_backed_up(options, change):
    first = run_module(pg_backup, **options)["backup"]
    _predicted, done, checked, again = four_runs({**options, **change})
    assert done["backup"]["uri"] != first["uri"]
    assert (checked["changed"], again["changed"]) == (False, False)
    assert run_module(pg_backup, **options)["backup"] == first


def test_a_backup_that_is_too_old_is_taken_anew_and_then_serves(options):
    first = run_module(pg_backup, **options)["backup"]
    until(lambda: run_module(pg_backup, check=True, **options, max_age=1)["changed"])
    done = run_module(pg_backup, **options, max_age=1)
    assert done["backup"]["started"] > first["started"]
    assert run_module(pg_backup, **options, max_age=3600)["backup"] == done["backup"]
    assert len(keys(options)) == 4


def test_zstd_is_taken_only_when_this_pg_dump_was_built_with_it(options, tmp_path):
    """As builds without it speak, at the moment they do: before they connect."""
    says = 'echo "pg_dump: error: this build does not support compression with zstd" >&2; exit 1'
    script = f'case "$*" in *zstd*) {says};; esac\nexec {options["pg_dump"]} "$@"'
    without = stand_in(tmp_path, "pg_dump", script)
    auto = {**options, "compression": "auto"}
    assert run_module(pg_backup, **auto)["backup"]["compression"] == "zstd:1"
    other = {**auto, "pg_dump": without, "release": "2.0.1"}
    assert run_module(pg_backup, **other)["backup"]["compression"] == "gzip:6"
    forced = {**other, "compression": "zstd", "release": "2.0.2"}
    assert "does not support compression" in run_module(pg_backup, **forced)["msg"]


def test_what_is_stored_restores_to_the_same_rows(world, options, tmp_path):
    backup = run_module(pg_backup, **options)["backup"]
    assert backup["rows"] == {"public.orders": 6000}
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
    for check in (True, False):
        result = run_module(pg_backup, check=check, **{**options, **changed})
        assert (result["failed"], result["reason"]) == (True, reason)
        assert words in result["msg"]
        assert "wrong-one" not in str(result)
    assert keys(options) == unfinished(options) == []


def test_an_old_pg_dump_is_refused_with_its_version(options, tmp_path):
    old = stand_in(tmp_path, "pg_dump", "exit 1", version="15.20")
    assert "15.20" in run_module(pg_backup, **{**options, "pg_dump": old})["msg"]


@cases(
    ("script", "timeout", "reason"),
    {
        "fails": (
            "head -c 1000 /dev/zero; echo 'pg_dump: error: it broke' >&2; exit 1",
            600,
            "Refused",
        ),
        "is-killed": ("head -c 1000 /dev/zero; kill -9 $$", 600, "Refused"),
        "hangs": ("head -c 1000 /dev/zero; exec sleep 600", 2, "NotReady"),
        "writes-no-dump": ("echo hello", 600, "VerificationFailed"),
    },
)
def test_a_dump_that_fails_is_never_taken_for_a_backup(options, tmp_path, script, timeout, reason):
    fake = stand_in(tmp_path, "pg_dump", script, version="18.6")
    result = run_module(pg_backup, **{**options, "pg_dump": fake, "timeout": timeout})
    assert (result["failed"], result["reason"]) == (True, reason)
    assert not any(key.endswith(".manifest.json") for key in keys(options))
    assert unfinished(options) == []
