# SPDX-License-Identifier: GPL-3.0-or-later
"""Create and change, each predicted, done, and then seen as done twice. A backup is never removed, so that is all."""

from __future__ import annotations

import time
import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.modules import pg_backup, pg_backup_info
from tests.integration.backups import keys, unfinished
from tests.integration.running import client
from tests.module_runner import run_module

STORE = ("bucket", "prefix", "endpoint_url", "region", "access_key", "secret_key", "path_style")


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


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"release": "2.0.1"}, id="another-release"),
        pytest.param({"name": "orders_db_copy"}, id="another-name"),
    ],
)
def test_change_what_is_backed_up(options, change):
    first = run_module(pg_backup, **options)["backup"]
    _predicted, done, checked, again = four_runs({**options, **change})
    assert done["backup"]["uri"] != first["uri"]
    assert (checked["changed"], again["changed"]) == (False, False)
    assert run_module(pg_backup, **options)["backup"] == first


def test_a_backup_that_is_too_old_is_taken_anew_and_then_serves(options):
    first = run_module(pg_backup, **options)["backup"]
    time.sleep(2.1)
    assert run_module(pg_backup, check=True, **options, max_age=1)["changed"]
    done = run_module(pg_backup, **options, max_age=1)
    assert done["backup"]["started"] > first["started"]
    assert run_module(pg_backup, **options, max_age=60)["backup"] == done["backup"]
    assert len(keys(options)) == 4


def test_the_listing_tells_the_newest_of_each_and_writes_nothing(options):
    for release in ("1.9.0", "2.0.0"):
        run_module(pg_backup, **{**options, "release": release})
    newest = run_module(pg_backup, **{**options, "name": "other_db"})["backup"]
    store = {name: options[name] for name in STORE}
    before = keys(options)
    listed = run_module(pg_backup_info, **store)
    assert (listed["changed"], keys(options)) == (False, before)
    assert [(one["name"], one["release"]) for one in listed["backups"]] == [
        ("other_db", "2.0.0"),
        ("orders_db", "2.0.0"),
        ("orders_db", "1.9.0"),
    ]
    assert {name: one["release"] for name, one in listed["newest"].items()} == {
        "other_db": "2.0.0",
        "orders_db": "2.0.0",
    }
    assert 0 <= listed["newest"]["other_db"]["age"] < 600
    assert listed["newest"]["other_db"]["rows"] == newest["rows"] == {"public.orders": 6000}
    only = run_module(pg_backup_info, **store, name="orders_db", release="1.9.0")
    assert [one["release"] for one in only["backups"]] == ["1.9.0"]


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[" * 100_000, b"\xff\xfe", b"null", b'{"size": "large"}'],
    ids=["empty", "cut", "deep", "not-text", "null", "edited"],
)
def test_a_damaged_manifest_is_reported_and_the_others_are_listed(options, content):
    good = run_module(pg_backup, **options)["backup"]
    bad = run_module(pg_backup, **{**options, "release": "2.0.1"})["backup"]
    client(options).put_object(
        Bucket=options["bucket"], Key=bad["key"] + ".manifest.json", Body=content
    )
    listed = run_module(pg_backup_info, **{name: options[name] for name in STORE})
    assert [one["uri"] for one in listed["backups"]] == [good["uri"]]
    assert listed["broken"] == [f"{bad['key']}.manifest.json is not a manifest"]


def test_zstd_is_taken_only_when_this_pg_dump_was_built_with_it(options, tmp_path):
    """As builds without it speak, at the moment they do: before they connect."""
    without = tmp_path / "pg_dump"
    without.write_text(
        '#!/bin/sh\ncase "$*" in *zstd*) '
        'echo "pg_dump: error: this build does not support compression with zstd" >&2; exit 1;; esac\n'
        f'exec {options["pg_dump"]} "$@"\n'
    )
    without.chmod(0o755)
    auto = {**options, "compression": "auto"}
    assert run_module(pg_backup, **auto)["backup"]["compression"] == "zstd:1"
    other = {**auto, "pg_dump": str(without), "release": "2.0.1"}
    assert run_module(pg_backup, **other)["backup"]["compression"] == "gzip:6"
    forced = {**other, "compression": "zstd", "release": "2.0.2"}
    assert "does not support compression" in run_module(pg_backup, **forced)["msg"]
